"""Brings PostgreSQL's tables, the queue and the vector index up to date: the release process, safe at any time.

The tables change in one transaction under an advisory lock: of two migrations at once the second waits, then finds
nothing left to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from chatbot.adapters import database, queue, vector_store
from chatbot.adapters.documents import Documents
from chatbot.settings import Settings, home

if TYPE_CHECKING:
    from alembic.config import Config


async def migrate(settings: Settings) -> None:
    """Unavailable when a resource does not answer; nothing is left half done."""
    engine = database.create_engine(settings.database_url.get_secret_value())
    broker = queue.connect(settings.queue_url.get_secret_value(), settings.job_lease)
    vectors = vector_store.connect(settings.vector_db_url.get_secret_value())
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('migrate'))"))
            await connection.run_sync(_upgrade)
        await broker.create()
        active = await Documents(engine).active_index()
        if active is not None:
            await vectors.create(active.name, active.dimension)
    finally:
        await broker.close()
        await vectors.close()
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    from alembic import command

    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def configuration() -> Config:
    """Alembic's configuration, without a file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(home() / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
