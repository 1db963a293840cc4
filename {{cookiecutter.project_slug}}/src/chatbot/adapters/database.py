"""PostgreSQL: the tables, and the engine that reaches them. Queries are in the modules that own them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

CONNECT_TIMEOUT = 3
"""Seconds."""

metadata = MetaData()


def _now(name: str) -> Column:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


documents = Table(
    "documents",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("source", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("language", String(2), nullable=False),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'")),
    Column("content_hash", String(64)),
    _now("created_at"),
    _now("updated_at"),
    Index("documents_metadata", "metadata", postgresql_using="gin"),
)

originals = Table(
    "originals",
    metadata,
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

chunks = Table(
    "chunks",
    metadata,
    Column("key", BigInteger, Identity(), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("heading", Text, nullable=False),
    Column("page", Integer),
    Column("language", String(2), nullable=False),
    Column("length", Integer, nullable=False),
)

postings = Table(
    "postings",
    metadata,
    Column("term", Text, primary_key=True),
    Column("chunk_key", ForeignKey("chunks.key", ondelete="CASCADE"), primary_key=True),
    Column("frequency", SmallInteger, nullable=False),
    Column("length", Integer, nullable=False),
    Index("postings_chunk_key", "chunk_key"),
)

indexes = Table(
    "indexes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    _now("created_at"),
    Index("indexes_one_active", "active", unique=True, postgresql_where=text("active")),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("document_id", String(32)),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("progress", Float, nullable=False, server_default=text("0")),
    Column("error", Text),
    Column("idempotency_key", Text, unique=True),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _now("created_at"),
    _now("updated_at"),
    Index("jobs_due", "due_at", postgresql_where=text("state = 'pending'")),
    Index("jobs_state", "state", "created_at"),
)


def create_engine(url: str) -> AsyncEngine:
    """A pool that opens its first connection when it is first used."""
    return create_async_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=15,
        connect_args={"connect_timeout": CONNECT_TIMEOUT, "prepare_threshold": None},
    )
