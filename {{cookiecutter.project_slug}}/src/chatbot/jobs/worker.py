"""The worker process: takes jobs from the queue and does them; start as many as the work needs.

A stop lets the jobs under way finish for as long as `SHUTDOWN_GRACE`; what is then left is given up, and another
worker does it. The job of a worker that died is found by its silence (scheduler.py).
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from chatbot.domain import (
    ChatbotError,
    ClaimLost,
    InvalidConfiguration,
    Job,
    JobState,
    Unavailable,
    UnreadableDocument,
)
from chatbot.jobs.attempt import Progress, attempt
from chatbot.observability import metrics, tracing
from chatbot.observability.logs import about_job

if TYPE_CHECKING:
    from chatbot.bootstrap import Services
    from chatbot.ingestion.ingest import Ingester, IngestResult
    from chatbot.storage.jobs import Jobs

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
"""Seconds between two looks whether PostgreSQL is there again."""

log = logging.getLogger(__name__)


async def work(services: Services, stop: asyncio.Event) -> None:
    """Work until `stop` is set and what was begun is done."""
    handle = functools.partial(_handle, services.jobs, services.ingester)
    await services.queue.run(handle, services.settings.worker_concurrency, stop)


async def _handle(jobs: Jobs, ingester: Ingester, job_id: str) -> None:
    """Do one job and record what became of it. Raises only when PostgreSQL is down before it begins: the message then
    comes again."""
    job = await jobs.start(job_id)
    if job is None:
        log.info("nothing to do", extra={"job": job_id})
        return
    started = time.monotonic()
    about: tracing.Attributes = {"chatbot.job.id": job.id, "chatbot.job.attempt": job.attempts}
    with about_job(job.id, job.request_id), tracing.span(f"job {job.kind}", "consumer", about, job.traceparent) as span:
        try:
            state = await _outcome(jobs, ingester, job)
        except ClaimLost:
            log.warning("the job is another worker's by now", extra={"job": job.id})
            return
        span.set({"chatbot.job.state": state})
        seconds = time.monotonic() - started
        metrics.JOBS_FINISHED.labels(job.kind, state).inc()
        metrics.JOB_SECONDS.labels(job.kind).observe(seconds)
        extra = {"job": job.id, "kind": job.kind, "state": state, "attempt": job.attempts}
        log.info("job done", extra={**extra, "seconds": round(seconds, 3)})


async def _outcome(jobs: Jobs, ingester: Ingester, job: Job) -> JobState:
    """What is recorded of this attempt. ClaimLost: nothing is."""
    try:
        return await _recorded(await _attempted(jobs, ingester, job), job)
    except asyncio.CancelledError:
        with suppress(Unavailable):
            await asyncio.shield(jobs.release(job.claim, attempted=True))
        raise


async def _attempted(jobs: Jobs, ingester: Ingester, job: Job) -> Callable[[], Awaitable[JobState]]:
    """Do the work; what records how it ended."""
    try:
        result = await attempt(jobs, job, functools.partial(_ingest, ingester, job))
        return functools.partial(jobs.succeed, job.claim, str(result.reading) if result else "")
    except ClaimLost:
        raise
    except UnreadableDocument as error:
        return functools.partial(jobs.fail, job.claim, str(error))
    except (Unavailable, InvalidConfiguration) as error:
        return functools.partial(jobs.wait, job.claim, str(error))
    except ChatbotError as error:
        return functools.partial(jobs.retry, job.claim, str(error))
    except Exception as error:
        log.exception("a job raised", extra={"job": job.id})
        sentence = f"Unexpected error ({type(error).__name__}); see the logs under job id {job.id}."
        return functools.partial(jobs.retry, job.claim, sentence)


async def _recorded(record: Callable[[], Awaitable[JobState]], job: Job) -> JobState:
    """Record it, when PostgreSQL is down once it is there again: its outage is no failure of the work."""
    pause = FIRST_PAUSE
    while True:
        try:
            return await record()
        except Unavailable as error:
            if pause == FIRST_PAUSE:
                log.warning("how the job ended waits to be recorded", extra={"job": job.id, "problem": str(error)})
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


async def _ingest(ingester: Ingester, job: Job, progress: Progress) -> IngestResult | None:
    do = ingester.fetch if job.kind == "fetch" else ingester.process
    try:
        with metrics.INGESTION_SECONDS.time():
            result = await do(job.document_id or "", progress, job.claim)
    except Exception as error:
        metrics.INGESTION_FAILURES.labels(metrics.reason(error)).inc()
        raise
    metrics.INGESTED_DOCUMENTS.inc()
    metrics.INGESTED_CHUNKS.inc(result.new_chunks if result else 0)
    return result
