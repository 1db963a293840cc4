"""Migrations: from nothing to the newest release, and again, at once, and on a database in use."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic import command

from chatbot.domain import Hit, InvalidConfiguration, Match, Unavailable
from chatbot.runtime.data_migrations import BATCH
from chatbot.runtime.migrate import configuration, migrate, upgrade
from chatbot.settings import Settings, home
from chatbot.storage.database import Database
from chatbot.storage.documents import Documents, NewVersion
from chatbot.storage.embeddings import Embeddings
from chatbot.storage.indexes import Indexes
from chatbot.storage.jobs import Jobs
from tests.conftest import DIMENSION
from tests.processes import chatbot, environment, serving, until
from tests.test_end_to_end import QUESTION, ROOFS, Bot

pytestmark = pytest.mark.slow

DOCUMENT_COLUMNS = (
    *("id", "source", "title", "media_type", "language", "metadata", "content_hash", "chunks"),
    *("created_at", "updated_at", "name", "model", "dimension", "active"),
)
"""All that the former release expects of what it reads with a star."""


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
        await Documents(database).accept("kept", NewVersion("Kept", "text/plain", {}, b""), None)
        await Indexes(database).begin("test-migrated", "model", DIMENSION)
        await migrate(fresh)
        assert await Documents(database).count() == (1, 0)
        await database.ping()
    finally:
        await database.close()


# What release 0007 wrote, and what it goes on to write and read beside a newer one.
OLD_ROWS = """
INSERT INTO documents (id, source, title, media_type, language, metadata, content_hash)
VALUES (%(id)s, 'a.md', 'A', 'text/markdown', 'en', '{"year": 2024}', %(hash)s);
INSERT INTO originals (document_id, content) VALUES (%(id)s, 'one')
ON CONFLICT (document_id) DO UPDATE SET content = excluded.content;
INSERT INTO chunks (id, document_id, position, text, heading, language, length)
VALUES (%(chunk)s, %(id)s, 0, 'Carbon is taxed.', '', 'en', 2)
"""
OLD_JOB = """
INSERT INTO jobs (id, kind, document_id, state, idempotency_key, request_id, traceparent)
VALUES (%(id)s, 'ingest', 'd', 'pending', NULL, NULL, NULL) ON CONFLICT DO NOTHING
"""
OLD_READS = (
    "SELECT documents.*, 0 AS chunks FROM documents",
    "SELECT name, model, dimension, active FROM indexes ORDER BY name",
    "SELECT id FROM jobs WHERE state = 'pending' AND due_at <= now() FOR UPDATE SKIP LOCKED",
)


async def old_rows(database: Database, id: str, chunk: str) -> None:
    for statement in OLD_ROWS.replace("'a.md'", f"'{id}'").split(";"):
        await database.rows(statement, {"id": id, "chunk": chunk, "hash": "f" * 64})


async def test_what_the_former_release_wrote_is_found_as_before(fresh: Settings) -> None:
    await asyncio.to_thread(upgrade, fresh.database_url.get_secret_value(), "0007")
    database = Database(fresh.database_url.get_secret_value())
    try:
        await old_rows(database, "d", "c1")
        await database.rows("INSERT INTO indexes (name, model, dimension, active) VALUES ('e', 'e', 4, true)")
        await database.rows(OLD_JOB, {"id": "j"})
        await database.rows("UPDATE jobs SET state = 'queued'")
        await migrate(fresh)
        document = await Documents(database).get("d")
        assert document is not None
        assert (document.state, document.chunks, document.given) == ("complete", 1, {"year": 2024})
        assert await Embeddings(database).chunks("e", [Match("c1", 0.5)], {"year": [2024]}) == [Hit("c1", 0.5)]
        jobs = Jobs(database, 3)
        assert await jobs.to_send(10) == [], "the broker has it"
        assert await jobs.start("j") is not None
    finally:
        await database.close()


async def test_the_former_release_goes_on_beside_this_one_and_what_it_writes_is_taken_over(fresh: Settings) -> None:
    await migrate(fresh)
    database = Database(fresh.database_url.get_secret_value())
    documents, jobs = Documents(database), Jobs(database, 3)
    try:
        await database.rows(OLD_JOB, {"id": "j"})
        assert await jobs.start("j") is not None
        known = set(DOCUMENT_COLUMNS)
        await old_rows(database, "d", "c1")
        for statement in OLD_READS:
            assert {*(await database.rows(statement) or [{}])[0]} <= known
        document = await documents.get("d")
        assert document is not None
        assert (document.state, document.chunks) == ("waiting", 1), "found, but not by this release's book-keeping"
        assert await documents.unattended() == [], "its job is at it"
        await database.rows("DELETE FROM jobs")
        assert await documents.unattended() == [("d", True)]
        wanted = await documents.wanted("d")
        assert wanted is not None
        assert (wanted.content, wanted.metadata) == (b"one", {"year": 2024})
    finally:
        await database.close()


NEXT_RELEASE = """
from alembic import op
revision, down_revision = "9999", None
{usable}
def upgrade():
    op.execute("ALTER TABLE documents ADD COLUMN shelf text; ALTER TABLE jobs ADD COLUMN priority int DEFAULT 0")
"""


def later(url: str, folder: Path, usable: str = "") -> None:
    """What `chatbot run migrate` of a later release does: one migration more, which only adds."""
    shutil.copytree(home() / "migrations", folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    newest = max(path.stem for path in (folder / "migrations" / "versions").glob("[0-9]*.py"))[:4]
    text = NEXT_RELEASE.replace('"9999", None', f'"9999", "{newest}"').format(
        usable=usable and f'usable_since = "{newest}"'
    )
    (folder / "migrations" / "versions" / "9999_next.py").write_text(text)
    code = "import pathlib, sys; from chatbot.runtime import migrate; "
    code += "migrate.home = lambda: pathlib.Path(sys.argv[1]); migrate.upgrade(sys.argv[2])"
    subprocess.run([sys.executable, "-c", code, folder, url], env=environment(), check=True)


async def test_a_release_goes_back_where_the_later_one_only_added(fresh: Settings, tmp_path: Path) -> None:
    """The former release's processes run on the later one's tables, before and after its own migration."""
    await migrate(fresh)
    url = fresh.database_url.get_secret_value()
    environ = {
        name.upper(): getattr(fresh, name).get_secret_value() for name in ("database_url", "vector_db_url", "queue_url")
    }
    with serving(environ) as (_, client), chatbot("worker", environ=environ), chatbot("scheduler", environ=environ):
        bot = Bot({}, client)
        before = bot.done(bot.upload(ROOFS, "before.md"))
        await asyncio.to_thread(later, url, tmp_path, "usable")
        meanwhile = bot.done(bot.upload(ROOFS + b"\nAnd more.\n", "meanwhile.md"))
        assert [each["state"] for each in (before, meanwhile)] == ["succeeded"] * 2
    with chatbot("run", "migrate", environ=environ) as again:
        assert until(lambda: again.code is not None)
        assert (again.code, again.errors()) == (0, "")
    with serving(environ) as (_, client), chatbot("worker", environ=environ):
        bot = Bot({}, client)
        assert bot.done(bot.upload(ROOFS + b"\nAnd more again.\n", "after.md"))["state"] == "succeeded"
        assert client.post("/v1/chat", json={"question": QUESTION}).json()["citations"]
        assert len(client.get("/v1/documents").json()["documents"]) == 3


async def test_a_later_release_that_took_something_away_is_not_gone_back_from(fresh: Settings, tmp_path: Path) -> None:
    await migrate(fresh)
    await asyncio.to_thread(later, fresh.database_url.get_secret_value(), tmp_path)
    with pytest.raises(InvalidConfiguration, match="a later release, and this one cannot use them"):
        await migrate(fresh)


STONES = """
CREATE TABLE stones AS SELECT id, 0 AS grams, 0 AS times FROM generate_series(1, 12000) AS id;
ALTER TABLE stones ADD PRIMARY KEY (id)
"""
IN_GRAMS = """
UPDATE stones SET grams = id * 1000, times = times + 1
WHERE id IN (SELECT id FROM stones, pg_sleep(0.2) WHERE grams = 0 LIMIT %(limit)s)
"""
MIGRATE = """
import asyncio, pathlib, sys
from chatbot import settings
from chatbot.runtime import migrate
migrate.home = lambda: pathlib.Path(sys.argv[1])
asyncio.run(migrate.migrate(settings.load()))
"""


async def test_a_data_migration_killed_in_mid_batch_goes_on_and_changes_each_row_once(
    fresh: Settings, tmp_path: Path
) -> None:
    await migrate(fresh)
    shutil.copytree(home() / "migrations", tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "migrations" / "data" / "9999_grams.sql").write_text(IN_GRAMS)
    names = ("database_url", "vector_db_url", "queue_url")
    environ = environment(**{name.upper(): getattr(fresh, name).get_secret_value() for name in names})
    database = Database(fresh.database_url.get_secret_value())

    def started() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", MIGRATE, tmp_path], env=environ)

    async def changed() -> int:
        [row] = await database.rows("SELECT count(*) AS number FROM stones WHERE grams > 0")
        return int(row["number"])

    try:
        await database.rows(STONES)
        for least in (2000, 5000):
            process = started()
            while await changed() < least:
                assert process.poll() is None
                await asyncio.sleep(0.05)
            process.kill()
            process.wait()
            assert await changed() < 12000
            assert await changed() % BATCH == 0, "a batch is changed as a whole, or not at all"
            assert await database.rows("SELECT FROM data_migrations WHERE name = '9999_grams'") == []
        assert [process.wait(60) for process in [started() for _ in range(3)]] == [0, 0, 0]
        assert await database.rows("SELECT FROM stones WHERE (grams, times) IS DISTINCT FROM (id * 1000, 1)") == []
        await database.rows("UPDATE stones SET grams = 0")
        assert started().wait(60) == 0
        assert await changed() == 0, "it was carried to its end before"
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
