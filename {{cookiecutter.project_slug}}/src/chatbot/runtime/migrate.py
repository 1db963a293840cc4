"""Brings PostgreSQL's tables, the queue and the vector index up to date: the release process, safe at any time.

The tables change in one transaction under an advisory lock: of two migrations at once the second waits, then finds
nothing left to do. What takes long is changed afterwards, in batches (data_migrations.py). They keep a mark of the
earliest release that runs with them, its `usable_since`: so the one before can be started again, or run beside the new
one, as long as a migration only adds (expand, and contract later). Alembic and what it needs are imported here only, so
that no other process pays for them.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING

import psycopg

from chatbot.chosen import queue, vector_store
from chatbot.domain import InvalidConfiguration
from chatbot.runtime import data_migrations
from chatbot.settings import Settings, home
from chatbot.storage.database import Database
from chatbot.storage.indexes import Indexes
from chatbot.storage.postgres_errors import explained

if TYPE_CHECKING:
    from alembic.config import Config

SINCE = "usable by releases since "
MARK = "obj_description(to_regclass('alembic_version'), 'pg_class')"
"""Where it stands: the comment of Alembic's own table."""

log = logging.getLogger(__name__)


async def migrate(settings: Settings) -> None:
    """Unavailable when a resource does not answer, InvalidConfiguration when the database's user may not change it, or
    when its tables are a later release's, which this one cannot use."""
    url = settings.database_url.get_secret_value()
    database = Database(url)
    broker = queue.connect(settings.queue_url.get_secret_value(), settings.job_lease)
    vectors = vector_store.connect(settings.vector_db_url.get_secret_value())
    try:
        if not await _is_current(database):
            await asyncio.to_thread(upgrade, url)
        await data_migrations.carry_out(database, home() / "migrations" / "data")
        await broker.create()
        for index in await Indexes(database).list():
            await vectors.create(index.name, index.dimension)
    finally:
        await broker.close()
        await vectors.close()
        await database.close()


async def _is_current(database: Database) -> bool:
    """Whether the tables are those of this release, or of a later one that leaves them usable for this one.

    Told from the migrations' text, without Alembic's slow import. InvalidConfiguration for what is not usable.
    """
    row = await database.row(f"SELECT to_regclass('alembic_version') IS NOT NULL AS migrated, {MARK} AS mark")
    if not row or not row["migrated"]:
        return False
    here = {version["version_num"] for version in await database.rows("SELECT version_num FROM alembic_version")}
    text = "\n".join(path.read_text("utf-8") for path in (home() / "migrations" / "versions").glob("*.py"))
    known, before = (
        set(re.findall(rf"^{name} = ['\"](\w+)['\"]", text, re.M)) for name in ("revision", "down_revision")
    )
    if here <= known:
        return here == known - before
    since = (row["mark"] or "").removeprefix(SINCE)
    if since not in known:
        raise InvalidConfiguration(
            "The tables are those of a later release, and this one cannot use them: start that release again."
        )
    log.info("the tables are those of a later release, which this one can use", extra={"usable_since": since})
    return True


def upgrade(url: str, revision: str = "head") -> None:
    """Change the tables to what this release needs, or to an earlier revision."""
    from alembic import command
    from sqlalchemy import NullPool, create_engine, make_url
    from sqlalchemy.exc import DBAPIError

    config = configuration()
    try:
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('migrate'))")
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            # Table comments take no parameters; what stands in a migration was checked when it was written.
            connection.exec_driver_sql(
                f"COMMENT ON TABLE alembic_version IS '{SINCE}{_usable_since(config, revision)}'"
            )
    except DBAPIError as error:
        found = explained(error.orig, None, "DATABASE_URL") if isinstance(error.orig, psycopg.Error) else None
        raise (found or error) from error


def _usable_since(config: Config, revision: str) -> str:
    """The earliest revision whose release runs with the tables of this one."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(config).get_revision(revision)
    assert script
    return str(getattr(script.module, "usable_since", script.revision))


def configuration() -> Config:
    """Alembic's configuration, without a file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(home() / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
