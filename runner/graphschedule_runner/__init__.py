"""What a CronJob's pod runs: one slot of a schedule, and the database's upkeep."""
