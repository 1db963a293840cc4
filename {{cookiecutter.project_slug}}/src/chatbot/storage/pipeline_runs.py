"""Which pipelines ran and what they did, and whose turn each tick of a schedule is, in PostgreSQL.

Figures are numbers and names of the project's own: no question, no caller, nothing that a purge would have to look for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from chatbot.storage.database import Database

ADD = """
INSERT INTO pipeline_runs (pipeline, started_at, figures) VALUES (%(pipeline)s, %(started_at)s, %(figures)s)
"""
LATEST = """
SELECT pipeline, started_at, finished_at, figures FROM pipeline_runs WHERE pipeline = %(pipeline)s
ORDER BY finished_at DESC, id DESC LIMIT %(limit)s
"""
CLAIM = """
INSERT INTO schedule_ticks (pipeline, tick) VALUES (%(pipeline)s, %(tick)s) ON CONFLICT DO NOTHING RETURNING tick
"""
LOCK = "SELECT pg_try_advisory_xact_lock(hashtext(%(name)s)) AS free"
OLD = "now() - %(days)s * interval '1 day'"
PURGE = f"DELETE FROM pipeline_runs WHERE finished_at < {OLD} AND pipeline <> 'benchmark'"
PURGE_TICKS = f"DELETE FROM schedule_ticks WHERE tick < {OLD}"


@dataclass(frozen=True, slots=True)
class Run:
    pipeline: str
    started_at: datetime
    finished_at: datetime
    figures: Mapping[str, Any]


class PipelineRuns:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, pipeline: str, started_at: datetime, figures: Mapping[str, Any]) -> None:
        """Keep that it ran to its end; what was interrupted leaves nothing here, and is done again."""
        values = {"pipeline": pipeline, "started_at": started_at, "figures": Jsonb(dict(figures))}
        await self._database.rows(ADD, values)

    async def latest(self, pipeline: str, limit: int) -> list[Run]:
        """The latest first."""
        return [Run(**row) for row in await self._database.rows(LATEST, {"pipeline": pipeline, "limit": limit})]

    async def claim(self, pipeline: str, tick: datetime) -> bool:
        """Whether this process may start the pipeline at this tick of its schedule: nobody else did."""
        return await self._database.row(CLAIM, {"pipeline": pipeline, "tick": tick}) is not None

    @asynccontextmanager
    async def alone(self, pipeline: str) -> AsyncIterator[bool]:
        """Whether no other process runs this pipeline. The lock goes with the connection, however the process ends."""
        async with self._database.transaction() as connection:
            row = await (await connection.execute(LOCK, {"name": f"pipeline {pipeline}"})).fetchone()
            yield bool(row and row["free"])

    async def purge(self, days: int) -> int:
        """Remove the records of old runs, and of old ticks; the history of benchmarks stays."""
        async with self._database.transaction() as connection:
            await connection.execute(PURGE_TICKS, {"days": max(days, 1)})
            return (await connection.execute(PURGE, {"days": days})).rowcount
