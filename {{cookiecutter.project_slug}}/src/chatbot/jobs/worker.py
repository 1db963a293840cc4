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
from chatbot.observability import metrics, tracing
from chatbot.observability.logs import about_job

if TYPE_CHECKING:
    from chatbot.bootstrap import Services
    from chatbot.ingestion.ingest import IngestResult

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
    about: tracing.Attributes = {"chatbot.job.id": job.id, "chatbot.job.attempt": job.attempts}
    with about_job(job.id, job.request_id), tracing.span(f"job {job.kind}", "consumer", about, job.traceparent) as span:
        state = await _outcome(services, job)
        span.set({"chatbot.job.state": state})
        seconds = time.monotonic() - started
        metrics.JOBS_FINISHED.labels(job.kind, state).inc()
        metrics.JOB_SECONDS.labels(job.kind).observe(seconds)
        extra = {"job": job.id, "kind": job.kind, "state": state, "attempt": job.attempts}
        log.info("job done", extra={**extra, "seconds": round(seconds, 3)})


async def _outcome(services: Services, job: Job) -> JobState:
    jobs = services.jobs
    try:
        result = await _ingest(services, job)
        await jobs.succeed(job.id, str(result.reading) if result else "")
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


async def _ingest(services: Services, job: Job) -> IngestResult | None:
    do = services.ingester.fetch if job.kind == "fetch" else services.ingester.process
    try:
        with metrics.INGESTION_SECONDS.time():
            result = await do(job.document_id or "", functools.partial(services.jobs.progress, job.id))
    except Exception as error:
        metrics.INGESTION_FAILURES.labels(metrics.reason(error)).inc()
        raise
    metrics.INGESTED_DOCUMENTS.inc()
    metrics.INGESTED_CHUNKS.inc(result.new_chunks if result else 0)
    return result
