"""Which request, and which span of its trace, a job was made for."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql("ALTER TABLE jobs ADD COLUMN request_id text, ADD COLUMN traceparent text")


def downgrade() -> None:
    op.get_bind().exec_driver_sql("ALTER TABLE jobs DROP COLUMN request_id, DROP COLUMN traceparent")
