"""Long changes of data, in batches: the statements of `migrations/data/`, once the tables are those of this release.

    await carry_out(database, home() / "migrations" / "data")

A statement finds by itself what is left to change. So whoever is killed loses one batch at most, and the next one goes
on; several at once take turns, batch by batch, and none waits for more than one.
"""

from __future__ import annotations

import logging
from pathlib import Path

from chatbot.storage.database import Database

BATCH = 1000
"""Rows changed in one transaction: some hundred milliseconds, in which others wait for these rows."""
LOCK = "SELECT pg_advisory_xact_lock(hashtext('data migrations'))"
DONE = "INSERT INTO data_migrations (name) VALUES (%(name)s) ON CONFLICT DO NOTHING"

log = logging.getLogger(__name__)


async def carry_out(database: Database, folder: Path) -> None:
    """Every one that was not carried to its end yet, in the order of their names. Unavailable."""
    done = {row["name"] for row in await database.rows("SELECT name FROM data_migrations")}
    for name, statement in _statements(folder):
        if name in done:
            continue
        total = 0
        while changed := await _batch(database, statement):
            total += changed
            log.info("data migrated", extra={"migration": name, "rows": total})
        await database.rows(DONE, {"name": name})


def _statements(folder: Path) -> list[tuple[str, str]]:
    return [(file.stem, file.read_text("utf-8")) for file in sorted(folder.glob("*.sql"))]


async def _batch(database: Database, statement: str) -> int:
    """How many rows it changed. Nobody else is in the midst of one: nothing changed means that nothing is left."""
    async with database.transaction() as connection:
        await connection.execute(LOCK)
        return (await connection.execute(statement, {"limit": BATCH})).rowcount
