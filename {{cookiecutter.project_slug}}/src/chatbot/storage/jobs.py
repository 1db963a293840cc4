"""The record of every job in PostgreSQL: who is at it, what became of it, and when it is to be sent to the queue.

    job = await jobs.create(JobRequest("ingest"), document.id)
    begun = await jobs.start(job.id)              # None: there is nothing to do, or another worker is at it
    await jobs.beat(begun.claim)                  # now and then, or the job is another's after a lease
    await jobs.succeed(begun.claim)

A message on the queue is only the job's id and may come twice, late, or never. Each attempt has a token, and whoever
does not know the latest one changes nothing. How jobs get to the queue: jobs/outbox.py.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from psycopg import AsyncConnection

from chatbot.domain import Claim, ClaimLost, Job, JobRequest, JobState, Unavailable
from chatbot.observability.logs import request_id
from chatbot.observability.tracing import traceparent
from chatbot.storage.database import Database

LONGEST_PAUSE = 300
"""Seconds between two attempts."""
SENDING = 30
"""Seconds that a process has to hand a job over; then another one does."""
LOST_AFTER = 15 * 60
"""Seconds after which a job may be taken for one that the broker lost."""

COLUMNS = ", ".join(Job.__slots__)
CREATE = f"""
INSERT INTO jobs (id, kind, document_id, state, token, attempts, idempotency_key, fingerprint, request_id, traceparent)
VALUES (%(id)s, %(kind)s, %(document_id)s, %(state)s, %(begun_with)s, %(attempts)s, %(key)s, %(fingerprint)s,
    %(request_id)s, %(traceparent)s)
ON CONFLICT DO NOTHING RETURNING {COLUMNS}
"""
LOCK_DOCUMENT = "SELECT FROM documents WHERE id = %s FOR UPDATE"
ATTENDED = "SELECT true FROM jobs WHERE document_id = %s AND state IN ('pending', 'queued', 'running') LIMIT 1"
LIST = f"""
SELECT {COLUMNS} FROM jobs WHERE %(state)s::text IS NULL OR state = %(state)s
ORDER BY created_at DESC, id LIMIT %(limit)s
"""
# Queued without having been sent: whoever claimed it died before the broker had it.
DUE = "due_at <= now() AND (state = 'pending' OR state = 'queued' AND sent_at IS NULL)"
# MATERIALIZED: a plan may run a plain subquery once for each row, and so claim more than the limit.
CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM jobs WHERE {DUE} AND (%(id)s::text IS NULL OR id = %(id)s)
    ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET state = 'queued', sent_at = NULL, due_at = now() + interval '{SENDING} seconds', updated_at = now()
WHERE id IN (SELECT id FROM due) RETURNING id
"""
SENT = "UPDATE jobs SET sent_at = now() WHERE id = ANY(%(ids)s) AND sent_at IS NULL"
UNSENT = "UPDATE jobs SET state = 'pending', due_at = now() WHERE id = ANY(%(ids)s) AND state = 'queued'"
START = f"""
UPDATE jobs SET state = 'running', token = %(token)s, attempts = attempts + 1, updated_at = now()
WHERE id = %(id)s AND (state = 'queued' OR state = 'pending' AND due_at <= now()) RETURNING {COLUMNS}
"""
HELD = "id = %(job_id)s AND token = %(token)s AND state = 'running'"
REQUIRE = f"SELECT FROM jobs WHERE {HELD} FOR SHARE"
BEAT = f"""
UPDATE jobs SET updated_at = now(), progress = greatest(progress, %(progress)s) WHERE {HELD} RETURNING id
"""
FINISH = f"""
UPDATE jobs SET state = %(state)s, progress = coalesce(%(progress)s, progress), error = %(error)s,
    note = %(note)s, waiting_since = NULL, updated_at = now()
WHERE {HELD} RETURNING state
"""
RETRY = f"""
UPDATE jobs SET error = %(error)s, waiting_since = NULL, updated_at = now(),
    state = CASE WHEN attempts >= %(most)s THEN 'dead' ELSE 'pending' END,
    due_at = now() + random() * least({LONGEST_PAUSE}, power(2, attempts)) * interval '1 second'
WHERE {HELD} RETURNING state
"""
# The pause grows with the outage, by half as much again each time, so that many jobs do not hammer what comes back.
WAIT = f"""
UPDATE jobs SET error = %(error)s, attempts = attempts - 1, waiting_since = coalesce(waiting_since, now()),
    updated_at = now(),
    state = CASE WHEN waiting_since < now() - %(budget)s * interval '1 second' THEN 'dead' ELSE 'pending' END,
    due_at = now() + (0.5 + random() / 2) * interval '1 second'
        * least({LONGEST_PAUSE}, greatest(1, extract(epoch FROM now() - waiting_since) / 2))
WHERE {HELD} RETURNING state
"""
RELEASE = f"UPDATE jobs SET state = 'pending', attempts = attempts - %(refund)s, due_at = now() WHERE {HELD}"
REQUEUE = """
UPDATE jobs SET state = 'pending', attempts = 0, progress = 0, error = NULL, waiting_since = NULL, due_at = now(),
    updated_at = now()
WHERE id = %(id)s AND state IN ('dead', 'failed') RETURNING id
"""
# Its last line: unless it was itself kept waiting since its transaction began.
ABANDONED = """
UPDATE jobs SET token = NULL, due_at = now(), updated_at = now(),
    state = CASE WHEN attempts >= %(most)s THEN 'dead' ELSE 'pending' END,
    error = CASE WHEN attempts >= %(most)s THEN 'The worker died during every attempt.' ELSE error END
WHERE state = 'running' AND updated_at < now() - %(lease)s * interval '1 second'
    AND clock_timestamp() < now() + %(lease)s / 2 * interval '1 second'
"""
# A broker gives messages in the order they came: a job is lost if one that was sent long after it has begun, or if
# nothing is left in the broker. To have waited long means nothing: the workers may be busy.
LOST = f"""
UPDATE jobs SET state = 'pending', due_at = now(), updated_at = now()
WHERE state = 'queued' AND sent_at < now() - interval '{LOST_AFTER} seconds' AND (
    %(empty)s OR sent_at < interval '-{LOST_AFTER} seconds' + (SELECT max(sent_at) FROM jobs WHERE state <> 'queued')
) RETURNING id
"""


PURGE = """
DELETE FROM jobs WHERE state IN ('succeeded', 'failed', 'dead') AND updated_at < now() - %(days)s * interval '1 day'
"""


class Jobs:
    """`lease` and `outage_budget` in seconds: see JOB_LEASE and JOB_OUTAGE_BUDGET."""

    def __init__(
        self, database: Database, max_attempts: int, lease: float = 60.0, outage_budget: float = 86_400.0
    ) -> None:
        self._database = database
        self._max_attempts = max_attempts
        self._outage_budget = outage_budget
        self.lease = lease
        self._unheard_until = 0.0

    async def create(self, request: JobRequest, document_id: str | None) -> Job:
        """A pending job, made for the request at hand; the same idempotency key returns the job that is there."""
        async with self._database.transaction() as connection:
            made = await insert(connection, request, document_id)
        found = made or await self.find(request.idempotency_key or "")
        assert found
        return found

    async def purge(self, days: int) -> int:
        """Remove the records of jobs that ended so many days ago."""
        async with self._database.transaction() as connection:
            return (await connection.execute(PURGE, {"days": days})).rowcount

    async def attend(self, request: JobRequest, document_id: str) -> bool:
        """Make a job for a document that has none under way; False when it has one by now, or is gone.

        Of several at once one makes it.
        """
        async with self._database.transaction() as connection:
            found = await connection.execute(LOCK_DOCUMENT, [document_id])
            if await found.fetchone() is None or await (await connection.execute(ATTENDED, [document_id])).fetchone():
                return False
            return await insert(connection, request, document_id) is not None

    async def get(self, id: str) -> Job | None:
        return _job(await self._database.row(f"SELECT {COLUMNS} FROM jobs WHERE id = %(id)s", {"id": id}))

    async def every(self, ids: Sequence[str]) -> Sequence[Job]:
        """Those of these jobs that there are, in no order."""
        them = f"SELECT {COLUMNS} FROM jobs WHERE id = ANY(%(ids)s)"
        return [Job(**row) for row in await self._database.rows(them, {"ids": ids})]

    async def find(self, idempotency_key: str) -> Job | None:
        same = f"SELECT {COLUMNS} FROM jobs WHERE idempotency_key = %(key)s"
        return _job(await self._database.row(same, {"key": idempotency_key}))

    async def list(self, state: JobState | None, limit: int) -> list[Job]:
        """The latest jobs in that state, or in any."""
        return [Job(**row) for row in await self._database.rows(LIST, {"state": state, "limit": limit})]

    async def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state; every state is there."""
        rows = await self._database.rows("SELECT state, count(*) AS number FROM jobs GROUP BY state")
        found = {row["state"]: row["number"] for row in rows}
        return {state: found.get(state, 0) for state in get_args(JobState)}

    # On the way to the queue ------------------------------------------------------------------------------------------

    async def to_send(self, limit: int, id: str | None = None) -> Sequence[str]:
        """Claim jobs that are due (or that one) for this process to send; what it has not sent in time is due again."""
        return [row["id"] for row in await self._database.rows(CLAIM, {"id": id, "limit": limit})]

    async def sent(self, ids: Sequence[str]) -> None:
        """The broker has them."""
        await self._database.rows(SENT, {"ids": list(ids)})

    async def unsent(self, ids: Sequence[str]) -> None:
        """The broker does not have them: they are due."""
        await self._database.rows(UNSENT, {"ids": list(ids)})

    # An attempt -------------------------------------------------------------------------------------------------------

    async def start(self, id: str) -> Job | None:
        """Begin an attempt. None when there is nothing to do: it is done, unknown, waits, or a worker is at it."""
        return _job(await self._database.row(START, {"id": id, "token": uuid.uuid4().hex}))

    async def beat(self, claim: Claim, progress: float = 0.0) -> None:
        """Show that its worker lives, and how much is done, 0 to 1. ClaimLost."""
        values = {"progress": min(max(progress, 0.0), 1.0)}
        if await self._database.row(BEAT, {**_held(claim), **values}) is None:
            raise ClaimLost

    async def succeed(self, claim: Claim, note: str = "") -> JobState:
        """`note`: what whoever added the document should know of how it was read. ClaimLost."""
        return await self._end(FINISH, claim, state="succeeded", progress=1.0, error=None, note=note or None)

    async def fail(self, claim: Claim, error: str) -> JobState:
        """The input is at fault: another attempt would not help. ClaimLost."""
        return await self._end(FINISH, claim, state="failed", progress=None, error=error, note=None)

    async def retry(self, claim: Claim, error: str) -> JobState:
        """The work failed: pending until a random moment within 2**attempts seconds (full jitter), or dead when the
        attempts are used up. ClaimLost."""
        return await self._end(RETRY, claim, error=error, most=self._max_attempts)

    async def wait(self, claim: Claim, error: str) -> JobState:
        """Something else is down or set up wrongly: pending, with pauses that grow, and no attempt is used up. Dead
        once the outage has lasted for longer than its budget. ClaimLost."""
        return await self._end(WAIT, claim, error=error, budget=self._outage_budget)

    async def release(self, claim: Claim, attempted: bool = False) -> None:
        """Give it to another worker; unless `attempted`, as if it had not begun."""
        await self._database.rows(RELEASE, {**_held(claim), "refund": int(not attempted)})

    async def _end(self, statement: str, claim: Claim, **values: Any) -> JobState:
        row = await self._database.row(statement, {**_held(claim), **values})
        if row is None:
            raise ClaimLost
        state: JobState = row["state"]
        return state

    # After one --------------------------------------------------------------------------------------------------------

    async def requeue(self, id: str) -> bool:
        """Give a dead or failed job all its attempts again; False when it is neither."""
        return await self._database.row(REQUEUE, {"id": id}) is not None

    async def recover_abandoned(self) -> int:
        """Make jobs pending whose worker gave no sign of life for a lease, or dead if that was the last attempt.

        None is taken for dead before PostgreSQL has been there for a lease: nobody could give it a sign before.
        """
        asked = time.monotonic()
        if asked < self._unheard_until:
            return 0
        try:
            async with self._database.transaction() as connection:
                await connection.execute("SELECT 1")
                if time.monotonic() - asked < self.lease / 2:
                    abandoned = {"lease": self.lease, "most": self._max_attempts}
                    return (await connection.execute(ABANDONED, abandoned)).rowcount
        except Unavailable:
            self._unheard_until = time.monotonic() + self.lease
            raise
        self._unheard_until = time.monotonic() + self.lease
        return 0

    async def recover_lost(self, empty: bool) -> int:
        """Make jobs pending that the broker lost; `empty`: it has no message left. How many."""
        return len(await self._database.rows(LOST, {"empty": empty}))


async def insert(connection: AsyncConnection[Any], request: JobRequest, document_id: str | None) -> Job | None:
    """A pending job, made within a transaction of the caller's; None when there is one of that idempotency key."""
    values = {
        "id": uuid.uuid4().hex,
        "kind": request.kind,
        "document_id": document_id,
        "state": "running" if request.begun else "pending",
        "begun_with": uuid.uuid4().hex if request.begun else None,
        "attempts": int(request.begun),
        "key": request.idempotency_key,
        "fingerprint": request.fingerprint,
        "request_id": request_id.get(),
        "traceparent": traceparent(),
    }
    return _job(await (await connection.execute(CREATE, values)).fetchone())


async def require(connection: AsyncConnection[Any], claim: Claim | None) -> None:
    """Let a transaction go on only while the claim holds, to its end; None stands for work without a job. ClaimLost."""
    if claim and await (await connection.execute(REQUIRE, _held(claim))).fetchone() is None:
        raise ClaimLost


def _held(claim: Claim) -> dict[str, str]:
    return {"job_id": claim.job_id, "token": claim.token}


def _job(row: Mapping[str, Any] | None) -> Job | None:
    return None if row is None else Job(**row)
