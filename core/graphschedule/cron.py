"""Cron expressions and fire times. (In progress.)"""
