"""How jobs get to the queue without being lost (a transactional outbox): the record is there before the message.

    job = await submit(jobs, queue, job)      # sent at once; if the broker is down, `dispatch` sends it later

Claim, commit, send, mark: no transaction is open and no connection is held while the broker is spoken to. Whoever dies
in between leaves a job that is sent again half a minute later; a message too many finds nothing to do.
"""

from __future__ import annotations

from contextlib import suppress

from chatbot.deadline import with_timeout
from chatbot.domain import Job, Unavailable
from chatbot.ports import Queue
from chatbot.storage.jobs import Jobs

PATIENCE = 5.0
"""Seconds that a request waits for a broker to take its job; later it is the scheduler's."""


async def submit(jobs: Jobs, queue: Queue, job: Job) -> Job:
    """Send the job at once if it is pending; when the broker is down the scheduler sends it later."""
    with suppress(Unavailable, TimeoutError):
        await with_timeout(PATIENCE, _hand_over(jobs, queue, 1, job.id))
    return await jobs.get(job.id) or job


async def dispatch(jobs: Jobs, queue: Queue, limit: int = 100) -> int:
    """Send what is due, and return how many; safe in many processes at once. Unavailable as `send`."""
    return await _hand_over(jobs, queue, limit)


async def _hand_over(jobs: Jobs, queue: Queue, limit: int, id: str | None = None) -> int:
    claimed = await jobs.to_send(limit, id)
    for number, each in enumerate(claimed):
        try:
            await queue.send(each)
        except Unavailable:
            await jobs.sent(claimed[:number])
            await jobs.unsent(claimed[number:])
            raise
    if claimed:
        await jobs.sent(claimed)
    return len(claimed)
