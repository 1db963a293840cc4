"""One attempt at a job: its worker shows that it lives for as long as it works, and stops once the job is another's.

result = await attempt(jobs, job, lambda progress: ingester.process(job.document_id, job.claim, progress))
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from chatbot.deadline import cancel_and_wait
from chatbot.domain import ClaimLost, Job
from chatbot.storage.jobs import Jobs

T = TypeVar("T")
Progress = Callable[[float], Awaitable[None]]
"""Told how much of the work is done, 0 to 1."""

log = logging.getLogger(__name__)


async def attempt(jobs: Jobs, job: Job, work: Callable[[Progress], Coroutine[Any, Any, T]]) -> T:
    """What `work` returns or raises. ClaimLost, and the work is cancelled, when the lease went to another worker."""

    async def progress(fraction: float) -> None:
        await jobs.beat(job.claim, fraction)

    working = asyncio.create_task(work(progress))
    beating = asyncio.create_task(_beat(jobs, job))
    try:
        await asyncio.wait({working, beating}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClaimLost
        return working.result()
    finally:
        await cancel_and_wait(working, beating)


async def _beat(jobs: Jobs, job: Job) -> None:
    """Until the claim is lost. What else goes wrong is told, and the next beat may succeed."""
    while True:
        await asyncio.sleep(jobs.lease / 3)
        try:
            await jobs.beat(job.claim)
        except ClaimLost:
            return
        except Exception as error:
            log.warning("no sign of life given", extra={"job": job.id, "problem": f"{type(error).__name__}: {error}"})
