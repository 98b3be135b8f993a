"""REST under /v1: schedules, their runs, a preview of cron expressions, and the system tasks (M28)."""
