"""What `/metrics` shows, in Prometheus' text format. Labels come from closed sets: no ids, no paths, no words."""

from __future__ import annotations

import asyncio
import logging
from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from chatbot.bootstrap import Services
from chatbot.domain import JobState

TIMEOUT = 2
"""Seconds a scrape waits for the database."""

REQUESTS = Counter("http_requests", "HTTP requests answered", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("http_request_duration_seconds", "Until the last byte was sent", ["method", "route"])
ANSWERS = Counter("answers", "Questions answered", ["grounded", "language"])
ANSWER_SECONDS = Histogram(
    "answer_duration_seconds", "From question to complete answer", buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
)
RETRIEVAL_SECONDS = Histogram("retrieval_duration_seconds", "From question or query to passages")
JOBS = Gauge("jobs", "Jobs on record, the same in every web process", ["state"])
CORPUS = Gauge("corpus_size", "What can be searched, the same in every web process", ["unit"])

logger = logging.getLogger(__name__)


async def refresh(services: Services) -> None:
    """Read the gauges from the database; without an answer they are left out, not shown as they once were."""
    try:
        async with asyncio.timeout(TIMEOUT):
            jobs = await services.jobs.counts()
            documents, chunks = await services.documents.count()
    except Exception:
        logger.warning("no figures from the database for /metrics", exc_info=True)
        JOBS.clear()
        CORPUS.clear()
        return
    for state in get_args(JobState):
        JOBS.labels(state).set(jobs.get(state, 0))
    CORPUS.labels("documents").set(documents)
    CORPUS.labels("chunks").set(chunks)
