"""Uploads are compared with what can be found already, by the hash of their content."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql("CREATE INDEX documents_content_hash ON documents (content_hash)")


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP INDEX documents_content_hash")
