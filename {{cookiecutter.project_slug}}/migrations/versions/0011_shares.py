"""Conversations that their owners let others read, by a link."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE shares (
    token text PRIMARY KEY,
    conversation_id text NOT NULL UNIQUE REFERENCES conversations ON DELETE CASCADE,
    -- What was said later is not shared.
    shared_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE shares")
