"""Runs of the system tasks, and what they alerted on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from graphschedule_platform.column_types import Json, UtcTimestamp

revision = "ledger_0003"
down_revision = "ledger_0002"
branch_labels = None
depends_on = None

_SCHEMA = "graphschedule"
_RUNNING = sa.text("state = 'running'")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "task_run",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("job", sa.Text),
        sa.Column("tick", UtcTimestamp),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("counts", Json, nullable=False),
        sa.Column("started_at", UtcTimestamp, nullable=False),
        sa.Column("renewed_until", UtcTimestamp, nullable=False),
        sa.Column("finished_at", UtcTimestamp),
        sa.CheckConstraint("state IN ('running', 'succeeded', 'failed')", name="task_run_state_check"),
        schema=_SCHEMA,
    )
    op.create_index(
        "task_run_running_key",
        "task_run",
        ["task"],
        schema=_SCHEMA,
        unique=True,
        postgresql_where=_RUNNING,
        sqlite_where=_RUNNING,
    )
    op.create_index("task_run_started_at_idx", "task_run", ["task", "started_at"], schema=_SCHEMA)
    op.create_table(
        "alert",
        sa.Column("task", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("facts", Json, nullable=False),
        sa.Column("told_at", UtcTimestamp, nullable=False),
        schema=_SCHEMA,
    )
