"""Figures that more than one kind of process counts, for Prometheus.

What only the web process counts is in web/ops/request_metrics.py.

Labels come from closed sets: no ids, no paths, no words. docs/operate.md explains every figure. The web process shows
them at /metrics; a process that serves no HTTP, on METRICS_PORT.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from chatbot.domain import InvalidConfiguration, Unavailable, UnreadableDocument

QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
LONG = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
"""Seconds."""

RETRIEVAL_SECONDS = Histogram("retrieval_duration_seconds", "From question or query to passages", buckets=QUICK)
STAGE_SECONDS = Histogram(
    "retrieval_stage_duration_seconds",
    "A part of it: lexical, embed, vector_store (after embed, beside lexical), passages",
    ["stage"],
    buckets=QUICK,
)
MODEL_TOKENS = Counter("llm_tokens", "Tokens that the language model read and wrote, by its own count", ["kind"])
MODEL_COST = Counter("llm_cost", "What they cost, in the currency of LLM_PRICE_INPUT and LLM_PRICE_OUTPUT")
MODEL_BREAKER = Gauge("llm_breaker_state", "0: calls go through; 1: one does, as a probe; 2: the model is left alone")
JOBS_FINISHED = Counter("jobs_finished", "Attempts that ended; pending: another will follow", ["kind", "outcome"])
JOB_SECONDS = Histogram("job_duration_seconds", "One attempt", ["kind"], buckets=LONG)
INGESTED_DOCUMENTS = Counter("ingested_documents", "Documents that became findable")
INGESTED_CHUNKS = Counter("ingested_chunks", "Chunks embedded for them")
INGESTION_SECONDS = Histogram("ingestion_duration_seconds", "From file to findable", buckets=LONG)
INGESTION_FAILURES = Counter("ingestion_failures", "Attempts that did not get there", ["reason"])
REASONS = ("unreadable", "unavailable", "configuration", "unexpected")

# At 0 from the start, so that the first of its kind is seen to happen.
for each in ("prompt", "completion"):
    MODEL_TOKENS.labels(each)
for each in REASONS:
    INGESTION_FAILURES.labels(each)
for each in ("succeeded", "failed", "pending", "dead"):
    JOBS_FINISHED.labels("ingest", each)


def reason(error: BaseException) -> str:
    """The class of a failure, one of REASONS."""
    match error:
        case UnreadableDocument():
            return "unreadable"
        case Unavailable():
            return "unavailable"
        case InvalidConfiguration():
            return "configuration"
        case _:
            return "unexpected"


@contextmanager
def served(host: str, port: int) -> Iterator[None]:
    """Serve the figures over HTTP meanwhile, from a thread of their own; port 0: do not."""
    if not port:
        yield
        return
    try:
        server, thread = start_http_server(port, host)
    except OSError as error:
        raise InvalidConfiguration(f"METRICS_PORT {port} cannot be listened on: {error.strerror}.") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
