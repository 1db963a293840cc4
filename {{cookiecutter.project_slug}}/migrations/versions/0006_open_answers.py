"""Streamed answers that are being written. Unlogged: after a crash of the database none is."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UP = """
CREATE UNLOGGED TABLE open_answers (
    message_id text PRIMARY KEY,
    caller_id text NOT NULL,
    alive_until timestamptz NOT NULL,
    wanted_until timestamptz NOT NULL
)
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE open_answers")
