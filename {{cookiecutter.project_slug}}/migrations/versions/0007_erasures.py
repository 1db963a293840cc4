"""Who was erased when, so that an answer that was under way is not kept afterwards."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Whom: a hash, for a day; the identity itself is what was erased.
    op.get_bind().exec_driver_sql("CREATE TABLE erasures (caller bytea PRIMARY KEY, erased_at timestamptz NOT NULL)")


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE erasures")
