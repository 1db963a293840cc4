"""How much of each document was read, what a job has to say of it, and on which page each part of a chunk stands."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    run("ALTER TABLE documents ADD COLUMN reading jsonb NOT NULL DEFAULT '{}'")
    run("ALTER TABLE jobs ADD COLUMN note text")
    # Pairs: an offset in the text, and the page that begins there. Empty for a chunk that stands on one page.
    run("ALTER TABLE chunks ADD COLUMN page_breaks integer[] NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    run = op.get_bind().exec_driver_sql
    run("ALTER TABLE documents DROP COLUMN reading")
    run("ALTER TABLE jobs DROP COLUMN note")
    run("ALTER TABLE chunks DROP COLUMN page_breaks")
