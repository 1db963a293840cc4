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
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from chatbot.domain import InvalidConfiguration, Unavailable

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
    Index("chunks_length", "length"),  # BM25's averages from the index alone: 4 times faster at 40,000 chunks
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
    """A pool that opens its first connection when it is first used.

    An outage is `Unavailable` wherever a query meets it; parameters (questions among them) stay out of error messages.
    """
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=15,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT, "prepare_threshold": None},
    )
    event.listen(engine.sync_engine, "handle_error", _outage)
    return engine


def _outage(context: ExceptionContext) -> None:
    # While the pool tests a connection it must see the driver's own error: it then opens a fresh one.
    if isinstance(context.sqlalchemy_exception, OperationalError) and not context.is_pre_ping:
        raise Unavailable("PostgreSQL", "check DATABASE_URL and that the server runs")


async def ping(engine: AsyncEngine) -> None:
    """Return when PostgreSQL answers and the tables are there; Unavailable or InvalidConfiguration if not."""
    async with engine.connect() as connection:
        if await connection.scalar(text("SELECT to_regclass('jobs')")) is None:
            raise InvalidConfiguration("The database has no tables yet: run `chatbot run migrate`")
