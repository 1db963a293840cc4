"""The first tables: what `chatbot.adapters.database` describes. A test compares the two."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("source", sa.Text, nullable=False, unique=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("metadata", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("content_hash", sa.String(64)),
        _now("created_at"),
        _now("updated_at"),
    )
    op.create_table(
        "originals",
        sa.Column("document_id", sa.String(32), sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "chunks",
        sa.Column("key", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column(
            "document_id", sa.String(32), sa.ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("heading", sa.Text, nullable=False),
        sa.Column("page", sa.Integer),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("length", sa.Integer, nullable=False),
        sa.Index("chunks_length", "length"),
    )
    op.create_table(
        "postings",
        sa.Column("term", sa.Text, primary_key=True),
        sa.Column("chunk_key", sa.BigInteger, sa.ForeignKey("chunks.key", ondelete="CASCADE"), primary_key=True),
        sa.Column("frequency", sa.SmallInteger, nullable=False),
        sa.Column("length", sa.Integer, nullable=False),
        sa.Index("postings_chunk_key", "chunk_key"),
    )
    op.create_table(
        "indexes",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("dimension", sa.Integer, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        _now("created_at"),
        sa.Index("indexes_one_active", "active", unique=True, postgresql_where=sa.text("active")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("document_id", sa.String(32)),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("progress", sa.Float, nullable=False, server_default=sa.text("0")),
        sa.Column("error", sa.Text),
        sa.Column("idempotency_key", sa.Text, unique=True),
        _now("due_at"),
        _now("created_at"),
        _now("updated_at"),
        sa.Index("jobs_due", "due_at", postgresql_where=sa.text("state = 'pending'")),
        sa.Index("jobs_state", "state", "created_at"),
    )


def downgrade() -> None:
    for table in ("jobs", "indexes", "postings", "chunks", "originals", "documents"):
        op.drop_table(table)


def _now(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())
