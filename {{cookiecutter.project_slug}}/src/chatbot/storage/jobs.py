"""The record of every job in PostgreSQL, and how it gets to the queue without being lost (a transactional outbox).

    job = await jobs.create("ingest", document.id, idempotency_key=content_hash)
    job = await submit(jobs, queue, job)      # sent at once; if the broker is down, `dispatch` sends it later

A message on the queue is only the job's id and may come twice: `start` tells whether there is still something to do.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, get_args

from chatbot.deadline import with_timeout
from chatbot.domain import Job, JobState, Unavailable
from chatbot.observability.logs import request_id
from chatbot.observability.tracing import traceparent
from chatbot.ports import Queue
from chatbot.storage.database import Database

LONGEST_BACKOFF = 300
"""Seconds."""
PATIENCE = 5.0
"""Seconds that a request waits for a broker to take its job; later it is the scheduler's."""

COLUMNS = ", ".join(Job.__slots__)
CREATE = f"""
INSERT INTO jobs (id, kind, document_id, state, idempotency_key, request_id, traceparent)
VALUES (%(id)s, %(kind)s, %(document_id)s, 'pending', %(key)s, %(request_id)s, %(traceparent)s)
ON CONFLICT DO NOTHING RETURNING {COLUMNS}
"""
LIST = f"""
SELECT {COLUMNS} FROM jobs WHERE %(state)s::text IS NULL OR state = %(state)s
ORDER BY created_at DESC, id LIMIT %(limit)s
"""
DUE = """
SELECT id FROM jobs WHERE state = 'pending' AND due_at <= now() AND (%(id)s::text IS NULL OR id = %(id)s)
ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
START = f"""
UPDATE jobs SET attempts = least(attempts + 1, %(most)s), updated_at = now(),
    state = CASE WHEN attempts >= %(most)s THEN 'dead' ELSE 'running' END,
    error = CASE WHEN attempts >= %(most)s THEN 'The worker died during every attempt.' END
WHERE id = %(id)s AND state IN ('pending', 'queued', 'running') RETURNING {COLUMNS}
"""
RETRY = f"""
UPDATE jobs SET error = %(error)s, updated_at = now(),
    state = CASE WHEN attempts >= %(most)s THEN 'dead' ELSE 'pending' END,
    due_at = now() + random() * least({LONGEST_BACKOFF}, power(2, attempts)) * interval '1 second'
WHERE id = %(id)s AND state = 'running' RETURNING state
"""
REQUEUE = """
UPDATE jobs SET state = 'pending', attempts = 0, progress = 0, error = NULL, due_at = now(), updated_at = now()
WHERE id = %(id)s AND state IN ('dead', 'failed') RETURNING id
"""
REVIVE = """
UPDATE jobs SET state = 'pending', due_at = now(), updated_at = now()
WHERE state IN ('queued', 'running') AND updated_at < now() - %(silent)s * interval '1 second' RETURNING id
"""
FINISH = """
UPDATE jobs SET state = %(state)s, progress = coalesce(%(progress)s, progress), error = %(error)s, note = %(note)s,
    updated_at = now()
WHERE id = %(id)s AND state = 'running'
"""
PROGRESS = "UPDATE jobs SET progress = %(progress)s, updated_at = now() WHERE id = %(id)s AND state = 'running'"


class Jobs:
    def __init__(self, database: Database, max_attempts: int) -> None:
        self._database = database
        self._max_attempts = max_attempts

    async def create(self, kind: str, document_id: str | None, idempotency_key: str | None = None) -> Job:
        """A pending job, made for the request at hand; the same idempotency key returns the job that is there."""
        values = {
            "id": uuid.uuid4().hex,
            "kind": kind,
            "document_id": document_id,
            "key": idempotency_key,
            "request_id": request_id.get(),
            "traceparent": traceparent(),
        }
        same = f"SELECT {COLUMNS} FROM jobs WHERE idempotency_key = %(key)s"
        row = await self._database.row(CREATE, values) or await self._database.row(same, values)
        assert row
        return Job(**row)

    async def get(self, id: str) -> Job | None:
        return _job(await self._database.row(f"SELECT {COLUMNS} FROM jobs WHERE id = %(id)s", {"id": id}))

    async def list(self, state: JobState | None, limit: int) -> list[Job]:
        """The latest jobs in that state, or in any."""
        return [Job(**row) for row in await self._database.rows(LIST, {"state": state, "limit": limit})]

    async def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state; every state is there."""
        rows = await self._database.rows("SELECT state, count(*) AS number FROM jobs GROUP BY state")
        found = {row["state"]: row["number"] for row in rows}
        return {state: found.get(state, 0) for state in get_args(JobState)}

    async def hand_over(self, send: Callable[[str], Awaitable[None]], limit: int, id: str | None = None) -> int:
        """Send pending jobs that are due (or the one with that id) and mark them queued; how many.

        A job stays locked until it is marked, so two processes never send the same one; when this one dies in
        between, it is sent again. Unavailable when the broker is down: what was not sent stays pending.
        """
        sent, outage = list[str](), None
        async with self._database.transaction() as connection:
            due = await connection.execute(DUE, {"id": id, "limit": limit})
            for row in await due.fetchall():
                try:
                    await send(row["id"])
                except Unavailable as error:
                    outage = error
                    break
                sent.append(row["id"])
            mark = "UPDATE jobs SET state = 'queued', updated_at = now() WHERE id = ANY(%s)"
            await connection.execute(mark, [sent])
        if outage:
            raise outage
        return len(sent)

    async def start(self, id: str) -> Job | None:
        """Begin an attempt; None when there is nothing left to do.

        That is a finished job (a redelivery), an unknown one, or one whose workers died on it until its attempts were
        used up: it is then dead.
        """
        job = _job(await self._database.row(START, {"id": id, "most": self._max_attempts}))
        return job if job is not None and job.state == "running" else None

    async def progress(self, id: str, fraction: float) -> None:
        await self._database.rows(PROGRESS, {"id": id, "progress": min(max(fraction, 0.0), 1.0)})

    async def succeed(self, id: str, note: str = "") -> None:
        """`note`: what whoever added the document should know of how it was read."""
        values = {"id": id, "state": "succeeded", "progress": 1.0, "error": None, "note": note or None}
        await self._database.rows(FINISH, values)

    async def fail(self, id: str, error: str) -> None:
        """The input is at fault: another attempt would not help."""
        await self._database.rows(FINISH, {"id": id, "state": "failed", "progress": None, "error": error, "note": None})

    async def retry(self, id: str, error: str) -> JobState:
        """Pending until a random moment within 2**attempts seconds (full jitter), or dead when attempts are used up."""
        row = await self._database.row(RETRY, {"id": id, "error": error, "most": self._max_attempts})
        if row is not None:
            return row["state"]
        job = await self.get(id)
        return "dead" if job is None else job.state

    async def requeue(self, id: str) -> bool:
        """Give a dead or failed job all its attempts again; False when it is neither."""
        return await self._database.row(REQUEUE, {"id": id}) is not None

    async def revive(self, silent_for: float) -> int:
        """Make jobs pending that a broker lost: handed over, and for so many seconds no sign of life. How many."""
        return len(await self._database.rows(REVIVE, {"silent": silent_for}))


def _job(row: Mapping[str, Any] | None) -> Job | None:
    return None if row is None else Job(**row)


async def submit(jobs: Jobs, queue: Queue, job: Job) -> Job:
    """Send the job at once if it is pending; when the broker is down the scheduler sends it later."""
    with suppress(Unavailable, TimeoutError):
        await with_timeout(PATIENCE, jobs.hand_over(queue.send, 1, job.id))
    return await jobs.get(job.id) or job


async def dispatch(jobs: Jobs, queue: Queue, limit: int = 100) -> int:
    """Send what is pending and due, and return how many; safe in many processes at once. Unavailable as `send`."""
    return await jobs.hand_over(queue.send, limit)
