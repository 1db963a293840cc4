"""Each fault of a database says its cause, in one sentence and without a value of its URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from chatbot import settings
from chatbot.chosen import vector_store
from chatbot.domain import ChatbotError, InvalidConfiguration, Unavailable, UnreadableDocument
from chatbot.storage import database as module
from chatbot.storage.database import Database
from tests.conftest import SERVICES
from tests.processes import NOWHERE
from tests.proxy import Proxy

pytestmark = pytest.mark.slow

SECRET = "hunter2-canary"


def changed(url: str, **parts: str) -> str:
    """The URL with another user, password, database or query."""
    found = urlsplit(url)
    user = parts.get("user", found.username or "postgres")
    host = found.netloc.rpartition("@")[2]
    netloc = f"{user}:{parts['password']}@{host}" if "password" in parts else f"{user}@{host}"
    query = "&".join(each for each in (found.query, parts.get("query", "")) if each)
    return found._replace(netloc=netloc, path=parts.get("path", found.path), query=query).geturl()


async def failure(url: str, statement: str = "SELECT 1") -> str:
    database = Database(url)
    try:
        with pytest.raises(ChatbotError) as raised:
            await database.rows(statement)
    finally:
        await database.close()
    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)
    return str(raised.value)


async def test_a_refused_connection_says_why(database: Database) -> None:
    url = database._url
    assert "no database of the name" in await failure(changed(url, path=f"/{SECRET}"))
    # The development server lets its owner in by the operating system's word; another name is not let in.
    assert "user" in await failure(changed(url, user=SECRET, password=SECRET))
    assert "nothing listens" in await failure(f"postgresql://postgres:{SECRET}@127.0.0.1:1/none")
    assert "not known" in await failure(f"postgresql://postgres@{SECRET}.invalid/none")


@pytest.fixture
async def locked(database: Database) -> AsyncIterator[Database]:
    """A user of the server who has to give a password, unlike its owner; a stranger need not, but is not known."""
    await database.rows("DROP ROLE IF EXISTS locked")
    await database.rows("CREATE ROLE locked LOGIN PASSWORD 'right'")
    row = await database.row("SELECT current_setting('hba_file') AS file")
    assert row
    file = Path(row["file"])
    before = await asyncio.to_thread(file.read_text)
    try:
        await asyncio.to_thread(file.write_text, f"local all locked scram-sha-256\nlocal all stranger trust\n{before}")
        await database.rows("SELECT pg_reload_conf()")
        await asyncio.sleep(0.2)
        yield database
    finally:
        await asyncio.to_thread(file.write_text, before)
        await database.rows("SELECT pg_reload_conf()")
        await database.rows("DROP ROLE locked")


async def test_a_wrong_password_none_and_a_server_without_tls_are_told_apart(locked: Database) -> None:
    url = locked._url
    right = changed(url, user="locked", password="right")
    ready = Database(right)
    assert await ready.row("SELECT current_user AS name") == {"name": "locked"}
    await ready.close()
    for wrong in (changed(url, user="locked", password=SECRET), changed(url, user="locked")):
        assert "refuses the user or the password of DATABASE_URL" in await failure(wrong)
    assert "knows no such user as DATABASE_URL names" in await failure(changed(url, user="stranger"))
    with Proxy(right) as proxy:  # by TCP, where TLS is asked for
        assert "speaks no TLS, though DATABASE_URL asks for it" in await failure(f"{proxy.url}?sslmode=require")


async def test_errors_of_the_pool_a_statement_the_rights_and_the_data_are_told_apart(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.3)
    small = Database(changed(database._url, query="application_name=small"), pool_size=1)
    try:
        assert await small.row("SHOW statement_timeout") == {"statement_timeout": f"{module.STATEMENT_TIMEOUT}s"}
        sleeping = asyncio.create_task(small.rows("SELECT pg_sleep(2)"))
        await asyncio.sleep(0.5)
        with pytest.raises(Unavailable, match="DATABASE_POOL_SIZE"):
            await small.row("SELECT 1")
        await sleeping
        await small.rows("SET default_transaction_read_only = on")
        with pytest.raises(Unavailable, match="it takes no changes"):
            await small.rows("CREATE TABLE no_such_table ()")
        await small.rows("SET default_transaction_read_only = off")
        with pytest.raises(Unavailable, match="idle for too long"):
            await asleep(small)
        await small.rows("SET statement_timeout = '50ms'")  # of the one connection that is idle, and so the next one
        with pytest.raises(Unavailable, match="took too long"):
            await small.rows("SELECT pg_sleep(5)")
        with pytest.raises(UnreadableDocument, match="cannot keep this text"):
            await small.rows("SELECT 1 / 0")
        with pytest.raises(InvalidConfiguration, match="chatbot run migrate"):
            await small.rows("SELECT * FROM no_such_table")
    finally:
        await small.close()


async def test_connections_that_died_while_idle_are_replaced_at_once(database: Database) -> None:
    """After a restart of PostgreSQL, or a time-out of what stands before it, requests were refused for many seconds."""
    other = Database(changed(database._url, query="application_name=idle"))
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'idle'"
    try:
        for _ in range(3):
            await asyncio.gather(*[other.rows("SELECT pg_sleep(0.3)") for _ in range(10)])
            assert len(await database.rows(kill)) > 4
            await asyncio.sleep(0.1)
            assert await other.row("SELECT 1 AS one") == {"one": 1}
            await asyncio.gather(*[other.rows("SELECT pg_sleep(0.1)") for _ in range(10)])
    finally:
        await other.close()


async def test_defaults_of_a_database_change_nothing(database: Database) -> None:
    """Uploads at once were refused where transactions are serializable, and moments could not be read in German."""
    defaults = ("default_transaction_isolation=serializable", "datestyle=German", "intervalstyle=sql_standard")
    query = "options=" + "%20".join(f"-c%20{each.replace('=', '%3D')}" for each in defaults)
    other = Database(changed(database._url, query=query))
    try:
        assert await other.row("SHOW transaction_isolation") == {"transaction_isolation": "read committed"}
        row = await other.row("SELECT now() AS now, interval '-1 day 3 hours' AS pause")
        assert row
        assert row["now"].tzinfo
        assert row["pause"] == timedelta(days=-1, hours=3)
    finally:
        await other.close()


async def test_a_process_that_may_read_no_table_is_not_ready(database: Database) -> None:
    """It was, while every answer was a 503."""
    barred = Database(changed(database._url, query="options=-c%20role%3Dbarred"))
    await database.rows("DROP ROLE IF EXISTS barred")
    await database.rows("CREATE ROLE barred")
    try:
        with pytest.raises(InvalidConfiguration, match="permission denied for table documents"):
            await barred.ping()
    finally:
        await barred.close()
        await database.rows("DROP ROLE barred")


async def asleep(database: Database) -> None:
    """In mid-transaction, for longer than the server bears."""
    async with database.transaction() as connection:
        await connection.execute("SET idle_in_transaction_session_timeout = '50ms'")
        await asyncio.sleep(1)
        await connection.execute("SELECT 1")


async def test_two_that_wait_for_each_other_are_no_outage(database: Database) -> None:
    await database.rows("CREATE TABLE IF NOT EXISTS pair (id int PRIMARY KEY, n int DEFAULT 0)")
    try:
        await database.rows("INSERT INTO pair (id) VALUES (1), (2) ON CONFLICT DO NOTHING")

        async def both(first: int, second: int) -> None:
            async with database.transaction() as connection:
                for id in (first, second):
                    await connection.execute("UPDATE pair SET n = n + 1 WHERE id = %s", [id])
                    await asyncio.sleep(0.2)

        results = await asyncio.gather(both(1, 2), both(2, 1), return_exceptions=True)
        [error] = [each for each in results if each]
        assert "each other's way" in str(error)
    finally:
        await database.rows("DROP TABLE pair")


async def test_all_parts_of_a_process_share_the_connections_to_one_url(database: Database) -> None:
    others = [Database(database._url) for _ in range(3)]
    try:
        await asyncio.gather(*[each.rows("SELECT pg_sleep(0.05)") for each in (database, *others) for _ in range(20)])
        assert len({id(each._pool) for each in (database, *others)}) == 1
    finally:
        for each in others:
            await each.close()
    assert await database.row("SELECT 1 AS one") == {"one": 1}


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (f"postgresql://plain:{SECRET}@ss/w#rd@127.0.0.1:15432/d", "%40"),
        ("postgresql://plain:pw%zz@127.0.0.1:15432/d", "%25"),
        ("postgresql://plain:plain@127.0.0.1:15432/d?pgbouncer=true", "parameter pgbouncer"),
        ("postgresql://plain:plain@127.0.0.1:15432/d?schema=public", "parameter schema"),
    ],
)
def test_a_url_that_cannot_be_read_is_refused_before_anything_starts(url: str, sentence: str) -> None:
    with pytest.raises(InvalidConfiguration, match="DATABASE_URL") as refused:
        settings.load(database_url=url)
    assert sentence in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {}", "\t{}\n"])
def test_blanks_around_a_value_are_not_part_of_it(around: str) -> None:
    url = "postgresql://plain:plain@127.0.0.1:15432/d"
    attached = {name.lower(): address for name, address in NOWHERE.items()} | {"database_url": around.format(url)}
    assert settings.load(**attached).database_url.get_secret_value() == url


if SERVICES["choices"]["vector_db"] == "pgvector":

    async def test_pgvector_in_a_schema_that_is_not_looked_in_is_told_with_the_way_out(database: Database) -> None:
        """As hosts of databases set it up: the extension was there, and none of its types."""
        await database.rows("DROP DATABASE IF EXISTS elsewhere WITH (FORCE)")
        await database.rows("CREATE DATABASE elsewhere")
        url = database._url.replace("/postgres?", "/elsewhere?")
        other = Database(url)
        try:
            await other.rows("CREATE SCHEMA extensions")
            await other.rows("CREATE EXTENSION vector SCHEMA extensions")
            for address, usable in ((url, False), (f"{url}&options=-csearch_path%3Dpublic,extensions", True)):
                store = vector_store.connect(address)
                try:
                    if usable:
                        await store.create("some", 4)
                    else:
                        with pytest.raises(InvalidConfiguration, match=r"schema extensions.*csearch_path%3Dpublic"):
                            await store.create("some", 4)
                finally:
                    await store.close()
        finally:
            await other.close()
            await database.rows("DROP DATABASE elsewhere WITH (FORCE)")
