"""Which long changes of data were carried to their end: migrations/data/."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None
usable_since = "0012"

UP = """
CREATE TABLE data_migrations (
    name text PRIMARY KEY,
    done_at timestamptz NOT NULL DEFAULT now()
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE data_migrations")
