"""The worker process: takes jobs from the queue and does them; start as many as the work needs.

A stop lets the jobs under way finish for as long as `SHUTDOWN_GRACE`; what is then left is given up, and another
worker does it once its lease has run out.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from typing import TYPE_CHECKING

from chatbot.domain import ChatbotError, Job, JobState, UnreadableDocument

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

log = logging.getLogger(__name__)


async def work(services: Services, stop: asyncio.Event) -> None:
    """Work until `stop` is set and what was begun is done."""
    handle = functools.partial(_handle, services)
    await services.queue.run(handle, services.settings.worker_concurrency, stop)


async def _handle(services: Services, job_id: str) -> None:
    """Do one job and record what became of it. Raises only when PostgreSQL is down: the message then comes again."""
    job = await services.jobs.start(job_id)
    if job is None:
        log.info("nothing left to do", extra={"job": job_id})
        return
    started = time.monotonic()
    state = await _outcome(services, job)
    about = {"job": job.id, "kind": job.kind, "state": state, "attempt": job.attempts}
    log.info("job done", extra={**about, "seconds": round(time.monotonic() - started, 3)})


async def _outcome(services: Services, job: Job) -> JobState:
    jobs = services.jobs
    try:
        await services.ingester.process(job.document_id or "", functools.partial(jobs.progress, job.id))
        await jobs.succeed(job.id)
        return "succeeded"
    except UnreadableDocument as error:
        await jobs.fail(job.id, str(error))
        return "failed"
    except ChatbotError as error:
        return await jobs.retry(job.id, str(error))
    except Exception as error:
        log.exception("a job raised", extra={"job": job.id})
        return await jobs.retry(
            job.id, f"Unexpected error ({type(error).__name__}); see the logs under job id {job.id}."
        )
