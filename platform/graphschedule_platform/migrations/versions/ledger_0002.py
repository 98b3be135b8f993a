"""Indexes by which a schedule's slots are counted, and its newest ones found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ledger_0002"
down_revision = "ledger_0001"
branch_labels = None
depends_on = None

_SCHEMA = "graphschedule"


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("slot_state_idx", "slot", ["schedule_uid", "state"], schema=_SCHEMA)
    op.create_index(
        "slot_time_idx", "slot", ["schedule_uid", sa.text("coalesce(fire_time, created_at)")], schema=_SCHEMA
    )
