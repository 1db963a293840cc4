"""How much of each document was read, what a job has to say of it, and on which page each part of a chunk stands."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    # A table of its own: the former release reads `documents.*`, and may run beside this one.
    run("""
        CREATE TABLE readings (
            document_id text PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
            reading jsonb NOT NULL
        )
    """)
    run("ALTER TABLE jobs ADD COLUMN note text")
    # Pairs: an offset in the text, and the page that begins there. Empty for a chunk that stands on one page.
    run("ALTER TABLE chunks ADD COLUMN page_breaks integer[] NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    run = op.get_bind().exec_driver_sql
    run("DROP TABLE readings")
    run("ALTER TABLE jobs DROP COLUMN note")
    run("ALTER TABLE chunks DROP COLUMN page_breaks")
