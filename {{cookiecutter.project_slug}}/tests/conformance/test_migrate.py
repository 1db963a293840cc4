"""Migrations: from nothing to the newest release, and again, at once, and on a database in use."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest
from alembic import command

from chatbot.domain import InvalidConfiguration, Unavailable
from chatbot.runtime.migrate import configuration, migrate
from chatbot.settings import Settings, home
from chatbot.storage.database import Database
from chatbot.storage.documents import Documents
from tests.conftest import DIMENSION

pytestmark = pytest.mark.slow


@pytest.fixture
async def fresh(settings: Settings) -> Settings:
    """The settings, but for an empty database."""
    url = settings.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("DROP DATABASE IF EXISTS fresh WITH (FORCE)")
        await connection.execute("CREATE DATABASE fresh")
    secret = type(settings.database_url)
    names = ("database_url", "queue_url", "vector_db_url")
    same = [name for name in names if getattr(settings, name).get_secret_value() == url]
    return settings.model_copy(update={name: secret(url.replace("/postgres?", "/fresh?")) for name in same})


async def test_at_once_and_again(fresh: Settings) -> None:
    await asyncio.gather(*[migrate(fresh) for _ in range(4)])
    database = Database(fresh.database_url.get_secret_value())
    try:
        await Documents(database).register("kept", "Kept", "text/plain", "en", {}, b"")
        await Documents(database).activate_index("test-migrated", "model", DIMENSION)
        await migrate(fresh)
        assert await Documents(database).count() == (1, 0)
        await database.ping()
    finally:
        await database.close()


async def test_before_them_a_ping_says_what_to_run(fresh: Settings) -> None:
    database = Database(fresh.database_url.get_secret_value())
    try:
        with pytest.raises(InvalidConfiguration, match="chatbot run migrate"):
            await database.ping()
    finally:
        await database.close()


def test_a_new_one_can_be_begun(tmp_path: Path) -> None:
    """`alembic revision` writes a file that follows the newest one, without a database."""
    config = configuration()
    versions = home() / "migrations" / "versions"
    config.set_main_option("version_locations", f"{versions}:{tmp_path}")
    written = command.revision(config, "add a column", version_path=str(tmp_path))
    assert written is not None
    assert written.down_revision == max(path.stem for path in versions.glob("[0-9]*.py"))[:4]


async def test_a_user_who_may_not_make_tables_is_told_what_to_ask_for(fresh: Settings) -> None:
    """As where an administrator makes the database and the user: since PostgreSQL 15 the schema is not open to all."""
    url = fresh.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("DROP ROLE IF EXISTS plain")
        await connection.execute("CREATE ROLE plain")
    plain = type(fresh.database_url)(f"{url}&options=-c%20role%3Dplain")
    with pytest.raises(InvalidConfiguration, match=r"permission denied for schema public.*GRANT USAGE, CREATE ON"):
        await migrate(fresh.model_copy(update={"database_url": plain}))


async def test_an_outage_is_one_sentence(settings: Settings) -> None:
    nowhere = type(settings.database_url)("postgresql://postgres@127.0.0.1:1/chatbot")
    with pytest.raises(Unavailable, match=r"PostgreSQL does not answer: .*DATABASE_URL"):
        await migrate(settings.model_copy(update={"database_url": nowhere}))
