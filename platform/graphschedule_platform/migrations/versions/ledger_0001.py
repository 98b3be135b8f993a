"""The slot ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from graphschedule_platform.column_types import Json, UtcTimestamp

revision = "ledger_0001"
down_revision = None
branch_labels = ("ledger",)
depends_on = None

_SCHEMA = "graphschedule"
_UNFINISHED = sa.text("claimed_at IS NOT NULL AND state IN ('claimed', 'failed')")


def upgrade() -> None:
    """Create the table, and on PostgreSQL the trigger that tells listeners of changes."""
    op.create_table(
        "slot",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("schedule_uid", sa.Text, nullable=False),
        sa.Column("slot", sa.Text, nullable=False),
        sa.Column("fire_time", UtcTimestamp),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("schedule_name", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("graph_id", sa.Text, nullable=False),
        sa.Column("graph_version", sa.Integer),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("node_errors", Json, nullable=False),
        sa.Column("queue_message", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", UtcTimestamp, nullable=False),
        sa.Column("claimed_at", UtcTimestamp),
        sa.Column("enqueued_at", UtcTimestamp),
        sa.Column("updated_at", UtcTimestamp, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("schedule_uid", "slot", name="slot_schedule_uid_slot_key"),
        sa.CheckConstraint("state IN ('claimed', 'enqueued', 'skipped', 'failed', 'missed')", name="slot_state_check"),
        schema=_SCHEMA,
    )
    op.create_index("slot_revision_idx", "slot", ["revision"], schema=_SCHEMA)
    op.create_index(
        "slot_unfinished_idx",
        "slot",
        ["updated_at"],
        schema=_SCHEMA,
        postgresql_where=_UNFINISHED,
        sqlite_where=_UNFINISHED,
    )
    if op.get_context().dialect.name == "postgresql":
        _notify_on_change()


def _notify_on_change() -> None:
    op.execute(
        f"""
        CREATE FUNCTION {_SCHEMA}.notify_slot() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('graphschedule_slot', '');
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        f"CREATE TRIGGER slot_notify AFTER INSERT OR UPDATE OR DELETE ON {_SCHEMA}.slot "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {_SCHEMA}.notify_slot()"
    )
