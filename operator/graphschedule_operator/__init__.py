"""Reconciles GraphSchedules into CronJobs and keeps their status true."""
