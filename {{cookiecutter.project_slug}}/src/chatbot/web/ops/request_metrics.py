"""The figures of the web process, for `/metrics`. Labels come from closed sets: no ids, no paths, no words.

What it shares with other processes (retrieval, the model's tokens) is in chatbot/metrics.py.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from chatbot.answering.answer import Done, Event, Token
from chatbot.bootstrap import Services
from chatbot.domain import EXTRACTIVE, JobState, Rating
from chatbot.observability.metrics import REASONS, reason

TIMEOUT = 2
"""Seconds a scrape waits for the database, and for the queue."""
ANSWER_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Seconds."""

REQUESTS = Counter("http_requests", "HTTP requests answered", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("http_request_duration_seconds", "Until the last byte was sent", ["method", "route"])
ANSWERS = Counter("answers", "Questions answered", ["grounded", "language", "writer"])
UNANSWERED = Counter("unanswered_questions", "Questions without an answer", ["reason"])
FIRST_TOKEN_SECONDS = Histogram("first_token_seconds", "From question to the first words", buckets=ANSWER_BUCKETS)
ANSWER_SECONDS = Histogram(
    "answer_duration_seconds", "From question to complete answer", ["writer"], buckets=ANSWER_BUCKETS
)
FEEDBACK = Counter("chatbot_feedback", "Ratings given; one that is changed counts again", ["rating"])
LIMITED = Counter("limit_refusals", "Requests refused over a limit, at HTTP a 429", ["limit"])
MCP_CALLS = Counter("mcp_calls", "Tools called by assistants, at /mcp", ["tool", "outcome"])
JOBS = Gauge("jobs", "Jobs on record, the same in every web process", ["state"])
QUEUE_DEPTH = Gauge("queue_depth", "Messages not yet worked off, the same in every web process", ["queue"])
CORPUS = Gauge("corpus_size", "What can be searched, the same in every web process", ["unit"])

# At 0 from the start, so that the first of its kind is seen to happen.
for each in (*REASONS, "no_evidence", "client_left"):
    UNANSWERED.labels(each)
for each in get_args(Rating):
    FEEDBACK.labels(each)
for each in ("requests", "tokens"):
    LIMITED.labels(each)
for each in ("search", "ask", "get_document", "unknown"):
    MCP_CALLS.labels(each, "succeeded")
    MCP_CALLS.labels(each, "failed")

logger = logging.getLogger(__name__)


async def measured(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The events of one answer, counted on their way: whatever surface asked."""
    started, spoken, answered = time.perf_counter(), False, False
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Token) and not spoken:
                    FIRST_TOKEN_SECONDS.observe(time.perf_counter() - started)
                    spoken = True
                elif isinstance(event, Done):
                    _answered(event, time.perf_counter() - started)
                    answered = True
                yield event
    except (asyncio.CancelledError, GeneratorExit):
        if not answered:
            UNANSWERED.labels("client_left").inc()
        raise
    except Exception as error:
        UNANSWERED.labels(reason(error)).inc()
        raise


def _answered(done: Done, seconds: float) -> None:
    answer = done.answer
    writer = "extractive" if answer.model == EXTRACTIVE else "llm"
    ANSWERS.labels(str(answer.grounded).lower(), answer.language, writer).inc()
    ANSWER_SECONDS.labels(writer).observe(seconds)
    if not answer.grounded:
        UNANSWERED.labels("no_evidence").inc()


async def refresh(services: Services) -> None:
    """Read the gauges from the services; without an answer they are left out, not shown as they once were."""
    await asyncio.gather(_refresh_from_database(services), _refresh_from_queue(services))


async def _refresh_from_queue(services: Services) -> None:
    try:
        async with asyncio.timeout(TIMEOUT):
            QUEUE_DEPTH.labels("jobs").set(await services.queue.depth())
    except Exception:
        logger.warning("no figures from the queue for /metrics", exc_info=True)
        QUEUE_DEPTH.clear()


async def _refresh_from_database(services: Services) -> None:
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
