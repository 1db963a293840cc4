"""The record of every job in PostgreSQL, and how it gets to the queue without being lost (a transactional outbox).

    job = await jobs.create("ingest", document.id, idempotency_key=content_hash)
    job = await submit(jobs, queue, job)      # sent at once; if the broker is down, `dispatch` sends it later

A message on the queue is only the job's id and may come twice: `start` tells whether there is still something to do.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, get_args

from sqlalchemy import ColumnElement, Row, case, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from chatbot.adapters import database as db
from chatbot.domain import Job, JobState, Unavailable
from chatbot.ports import Queue

LONGEST_BACKOFF = 300
"""Seconds."""

COLUMNS = [db.jobs.c[name] for name in Job.__slots__]
UNFINISHED = ("pending", "queued", "running")


class Jobs:
    def __init__(self, engine: AsyncEngine, max_attempts: int) -> None:
        self._engine = engine
        self._max_attempts = max_attempts

    async def create(self, kind: str, document_id: str | None, idempotency_key: str | None = None) -> Job:
        """A pending job; the same idempotency key returns the job that is there."""
        values = {"id": uuid.uuid4().hex, "kind": kind, "document_id": document_id, "state": "pending"}
        statement = insert(db.jobs).values(**values, idempotency_key=idempotency_key).on_conflict_do_nothing()
        async with self._engine.begin() as connection:
            row = (await connection.execute(statement.returning(*COLUMNS))).one_or_none()
            if row is None:
                same = db.jobs.c.idempotency_key == idempotency_key
                row = (await connection.execute(select(*COLUMNS).where(same))).one()
            return _job(row)

    async def get(self, id: str) -> Job | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(*COLUMNS).where(db.jobs.c.id == id))).one_or_none()
            return None if row is None else _job(row)

    async def list(self, state: JobState | None, limit: int) -> list[Job]:
        """The latest jobs in that state, or in any."""
        condition = true() if state is None else db.jobs.c.state == state
        latest = select(*COLUMNS).where(condition).order_by(db.jobs.c.created_at.desc(), db.jobs.c.id).limit(limit)
        async with self._engine.connect() as connection:
            return [_job(row) for row in await connection.execute(latest)]

    async def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state; every state is there."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(db.jobs.c.state, func.count()).group_by(db.jobs.c.state))
            found = {state: count for state, count in rows}
        return {state: found.get(state, 0) for state in get_args(JobState)}

    async def hand_over(self, send: Callable[[str], Awaitable[None]], limit: int, id: str | None = None) -> int:
        """Send pending jobs that are due (or the one with that id) and mark them queued; how many.

        A job stays locked until it is marked, so two processes never send the same one; when this one dies in
        between, it is sent again. Unavailable when the broker is down: what was not sent stays pending.
        """
        due = select(db.jobs.c.id).where(db.jobs.c.state == "pending", db.jobs.c.due_at <= func.now())
        if id is not None:
            due = due.where(db.jobs.c.id == id)
        sent, outage = [], None
        async with self._engine.begin() as connection:
            locked = due.order_by(db.jobs.c.due_at).limit(limit).with_for_update(skip_locked=True)
            for job_id in list(await connection.scalars(locked)):
                try:
                    await send(job_id)
                except Unavailable as error:
                    outage = error
                    break
                sent.append(job_id)
            await connection.execute(_set(db.jobs.c.id.in_(sent), state="queued"))
        if outage:
            raise outage
        return len(sent)

    async def start(self, id: str) -> Job | None:
        """Begin an attempt; None when there is nothing left to do.

        That is a finished job (a redelivery), an unknown one, or one whose workers died on it until its attempts were
        used up: it is then dead.
        """
        exhausted = db.jobs.c.attempts >= self._max_attempts
        statement = _set(
            (db.jobs.c.id == id) & db.jobs.c.state.in_(UNFINISHED),
            state=case((exhausted, "dead"), else_="running"),
            attempts=func.least(db.jobs.c.attempts + 1, self._max_attempts),
            error=case((exhausted, "The worker died during every attempt."), else_=None),
        )
        row = await self._execute(statement.returning(*COLUMNS))
        return _job(row) if row is not None and row.state == "running" else None

    async def progress(self, id: str, fraction: float) -> None:
        await self._execute(_set(_running(id), progress=min(max(fraction, 0.0), 1.0)))

    async def succeed(self, id: str) -> None:
        await self._execute(_set(_running(id), state="succeeded", progress=1.0, error=None))

    async def fail(self, id: str, error: str) -> None:
        """The input is at fault: another attempt would not help."""
        await self._execute(_set(_running(id), state="failed", error=error))

    async def retry(self, id: str, error: str) -> JobState:
        """Pending until a random moment within 2**attempts seconds (full jitter), or dead when attempts are used up."""
        exhausted = db.jobs.c.attempts >= self._max_attempts
        wait = func.random() * func.least(LONGEST_BACKOFF, func.power(2, db.jobs.c.attempts))
        statement = _set(
            _running(id),
            state=case((exhausted, "dead"), else_="pending"),
            due_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, wait),
            error=error,
        )
        row = await self._execute(statement.returning(db.jobs.c.state))
        if row is not None:
            return row.state
        job = await self.get(id)
        return "dead" if job is None else job.state

    async def requeue(self, id: str) -> bool:
        """Give a dead or failed job all its attempts again; False when it is neither."""
        stopped = (db.jobs.c.id == id) & db.jobs.c.state.in_(("dead", "failed"))
        renewed = _set(stopped, state="pending", attempts=0, progress=0.0, error=None, due_at=func.now())
        return await self._execute(renewed.returning(db.jobs.c.id)) is not None

    async def revive(self, silent_for: float) -> int:
        """Make jobs pending that a broker lost: handed over, and for so many seconds no sign of life. How many."""
        silent = db.jobs.c.updated_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, silent_for)
        lost = db.jobs.c.state.in_(("queued", "running")) & silent
        async with self._engine.begin() as connection:
            return (await connection.execute(_set(lost, state="pending", due_at=func.now()))).rowcount

    async def _execute(self, statement: Any) -> Row[Any] | None:
        async with self._engine.begin() as connection:
            result = await connection.execute(statement)
            return result.one_or_none() if result.returns_rows else None


async def submit(jobs: Jobs, queue: Queue, job: Job) -> Job:
    """Send the job at once if it is pending; when the broker is down the scheduler sends it later."""
    with suppress(Unavailable):
        await jobs.hand_over(queue.send, 1, job.id)
    return await jobs.get(job.id) or job


async def dispatch(jobs: Jobs, queue: Queue, limit: int = 100) -> int:
    """Send what is pending and due, and return how many; safe in many processes at once. Unavailable as `send`."""
    return await jobs.hand_over(queue.send, limit)


def _set(condition: ColumnElement[bool], **values: Any) -> Any:
    return update(db.jobs).where(condition).values(**values, updated_at=func.now())


def _running(id: str) -> ColumnElement[bool]:
    return (db.jobs.c.id == id) & (db.jobs.c.state == "running")


def _job(row: Row[Any]) -> Job:
    return Job(**row._mapping)
