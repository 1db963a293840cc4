"""Migrations: they make what the code describes, and may run again, at once, and on a database in use."""

from __future__ import annotations

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from chatbot.adapters import database
from chatbot.adapters.documents import Documents
from chatbot.domain import Unavailable
from chatbot.pipeline.migrate import migrate
from chatbot.settings import Settings
from tests.conftest import DIMENSION


@pytest.fixture
async def fresh(engine: AsyncEngine, settings: Settings) -> Settings:
    """The settings, but for an empty database."""
    async with engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("DROP DATABASE IF EXISTS fresh WITH (FORCE)"))
        await connection.execute(text("CREATE DATABASE fresh"))
    return settings.model_copy(update=_moved(settings))


def _moved(settings: Settings) -> dict[str, object]:
    """The URLs that point to the database, pointed to the fresh one."""
    before = settings.database_url.get_secret_value()
    after = make_url(before).set(database="fresh").render_as_string(hide_password=False)
    secret = type(settings.database_url)
    names = [name for name in ("database_url", "queue_url", "vector_db_url") if _value(settings, name) == before]
    return {name: secret(after) for name in names}


def _value(settings: Settings, name: str) -> str:
    return getattr(settings, name).get_secret_value()


async def test_they_make_what_the_code_describes(engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[object]:
        ours = {"include_name": lambda name, type_, _: type_ != "table" or name in database.metadata.tables}
        return compare_metadata(MigrationContext.configure(connection, opts=ours), database.metadata)

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_at_once_and_again(fresh: Settings) -> None:
    await asyncio.gather(*[migrate(fresh) for _ in range(4)])
    engine = database.create_engine(fresh.database_url.get_secret_value())
    try:
        await Documents(engine).register("kept", "Kept", "text/plain", "en", {}, b"")
        await Documents(engine).activate_index("test-migrated", "model", DIMENSION)
        await migrate(fresh)
        assert await Documents(engine).count() == (1, 0)
        await database.ping(engine)
    finally:
        await engine.dispose()


async def test_an_outage_is_one_sentence(settings: Settings) -> None:
    nowhere = type(settings.database_url)("postgresql://postgres@127.0.0.1:1/chatbot")
    with pytest.raises(Unavailable, match=r"PostgreSQL does not answer: .*DATABASE_URL"):
        await migrate(settings.model_copy(update={"database_url": nowhere}))
