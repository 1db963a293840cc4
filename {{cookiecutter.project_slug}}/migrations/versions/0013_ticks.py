"""Who runs a tick of a schedule, and whether it has been run: one whose scheduler died is taken over.

What the former release writes counts as ended, as it meant it.
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
usable_since = "0012"

UP = """
ALTER TABLE schedule_ticks
    ADD COLUMN attempt smallint NOT NULL DEFAULT 1,     -- how often it was claimed; the last claim alone may begin
    ADD COLUMN renewed_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN ended_at timestamptz DEFAULT now();
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        "ALTER TABLE schedule_ticks DROP COLUMN attempt, DROP COLUMN renewed_at, DROP COLUMN ended_at"
    )
