"""What is to be done once a day, by one of however many processes: the turn is a row in PostgreSQL.

async with daily_lock(database, "purge") as mine:
    if mine:
        ...     should this fail, the turn is not used up

What takes long, or speaks to others than PostgreSQL, takes `daily_turn`, which holds no transaction open meanwhile.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chatbot.storage.database import LOCK, Database

CLAIM = """
INSERT INTO daily_tasks (name, done_at) VALUES (%(name)s, now())
ON CONFLICT (name) DO UPDATE SET done_at = now() WHERE daily_tasks.done_at <= now() - interval '1 day'
RETURNING true AS free
"""


@asynccontextmanager
async def daily_lock(database: Database, name: str) -> AsyncIterator[bool]:
    """Whether it is this process's turn: nobody did it within a day, and nobody is at it."""
    async with database.transaction() as connection:
        for statement in (LOCK, CLAIM):
            row = await (await connection.execute(statement, {"name": f"daily {name}"})).fetchone()
            if not row or not row["free"]:
                break
        yield bool(row and row["free"])


@asynccontextmanager
async def daily_turn(database: Database, name: str) -> AsyncIterator[bool]:
    """Whether it is this process's turn. It is given back when the work fails; if the process dies, it was used up."""
    task = {"name": f"daily {name}"}
    mine = await database.row(CLAIM, task) is not None
    try:
        yield mine
    except BaseException:
        if mine:
            await database.rows("DELETE FROM daily_tasks WHERE name = %(name)s", task)
        raise
