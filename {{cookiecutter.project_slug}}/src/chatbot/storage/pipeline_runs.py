"""Which pipelines ran and what they did, and whose turn each tick of a schedule is, in PostgreSQL.

Figures are numbers and names of the project's own: no question, no caller, nothing that a purge would have to look for.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
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
INSERT INTO schedule_ticks (pipeline, tick, ended_at) VALUES (%(pipeline)s, %(tick)s, NULL)
ON CONFLICT DO NOTHING RETURNING attempt
"""
TAKE_OVER = """
UPDATE schedule_ticks SET attempt = attempt + 1, renewed_at = now()
WHERE pipeline = %(pipeline)s AND tick = %(tick)s AND ended_at IS NULL AND attempt < %(attempts)s
AND renewed_at < now() - %(lease)s * interval '1 second' RETURNING attempt
"""
IS_DUE = """
SELECT true AS due FROM schedule_ticks
WHERE pipeline = %(pipeline)s AND tick = %(tick)s AND attempt = %(attempt)s AND ended_at IS NULL
"""
RENEW = "UPDATE schedule_ticks SET renewed_at = now() WHERE pipeline = %(pipeline)s AND tick = %(tick)s"
END = "UPDATE schedule_ticks SET ended_at = now() WHERE pipeline = %(pipeline)s AND tick = %(tick)s"
OLD = "now() - %(days)s * interval '1 day'"
PURGE = f"DELETE FROM pipeline_runs WHERE finished_at < {OLD} AND pipeline <> 'benchmark'"
PURGE_TICKS = f"DELETE FROM schedule_ticks WHERE tick < {OLD}"

TICK_LEASE = 60.0
"""Seconds after which a tick that was begun, and is not renewed, is taken over: whoever had it is dead."""
TICK_ATTEMPTS = 5
"""How often one tick is begun: what kills its process each time is left to the next one."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment at which a pipeline is due by its schedule, claimed for the so manieth time, from 1."""

    pipeline: str
    tick: datetime
    attempt: int


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

    async def now(self) -> datetime:
        """By the clock of PostgreSQL, in UTC: those of schedulers differ, and jump."""
        row = await self._database.row("SELECT now() AS now")
        assert row
        now: datetime = row["now"]
        return now.astimezone(UTC)

    async def claim(self, pipeline: str, tick: datetime) -> Tick | None:
        """The tick, when this process is to start the pipeline at it: nobody else did."""
        return self._tick(pipeline, tick, await self._database.row(CLAIM, {"pipeline": pipeline, "tick": tick}))

    async def take_over(self, pipeline: str, tick: datetime) -> Tick | None:
        """The tick, when somebody claimed it and died before its end."""
        values = {"pipeline": pipeline, "tick": tick, "lease": TICK_LEASE, "attempts": TICK_ATTEMPTS}
        return self._tick(pipeline, tick, await self._database.row(TAKE_OVER, values))

    async def is_due(self, tick: Tick) -> bool:
        """Whether it was neither run to its end nor taken over."""
        return await self._database.row(IS_DUE, asdict(tick)) is not None

    async def renew(self, tick: Tick) -> None:
        """Show that whoever has it is alive."""
        await self._database.rows(RENEW, asdict(tick))

    async def end(self, tick: Tick) -> None:
        """It has been run: nobody takes it over."""
        await self._database.rows(END, asdict(tick))

    def alone(self, pipeline: str) -> AbstractAsyncContextManager[bool]:
        """Whether no other process runs this pipeline. The lock goes with the connection, however the process ends."""
        return self._database.lock(f"pipeline {pipeline}")

    @staticmethod
    def _tick(pipeline: str, tick: datetime, row: Mapping[str, Any] | None) -> Tick | None:
        return Tick(pipeline, tick, row["attempt"]) if row else None

    async def purge(self, days: int) -> int:
        """Remove the records of old runs, and of old ticks; the history of benchmarks stays."""
        async with self._database.transaction() as connection:
            await connection.execute(PURGE_TICKS, {"days": max(days, 1)})
            return (await connection.execute(PURGE, {"days": days})).rowcount
