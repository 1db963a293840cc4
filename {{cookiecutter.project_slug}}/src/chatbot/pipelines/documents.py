"""Hands documents on to be ingested, here or by the workers, and takes them out: the pipelines' only way to do so."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from chatbot.ingestion.corpus import Item
from chatbot.jobs import batch, worker
from chatbot.jobs.batch import Outcome
from chatbot.pipelines.pipeline import Watch
from chatbot.storage.documents import document_id

if TYPE_CHECKING:
    from chatbot.bootstrap import Services


async def ingest(
    services: Services, items: Sequence[Item], watch: Watch, through_queue: bool
) -> AsyncIterator[Outcome]:
    """What became of each document. Unavailable when a service is down: what was done stays done.

    `through_queue`: shared with the workers, on however many machines; this process does its part of the work, so that
    none of them need be there.
    """
    jobs, ingester = services.jobs, services.ingester
    if not through_queue:
        async for outcome in batch.ingest(jobs, ingester, items, watch):
            yield outcome
        return
    async with _working(services):
        async for outcome in batch.enqueue(services.documents, jobs, services.queue, ingester, items, watch):
            yield outcome


@asynccontextmanager
async def _working(services: Services) -> AsyncIterator[None]:
    stop = asyncio.Event()
    working = asyncio.create_task(worker.work(services, stop))
    try:
        yield
    finally:
        stop.set()
        await working


async def remove(services: Services, source: str) -> bool:
    """Take a document out of every search; False when it is not there."""
    return await services.ingester.remove(document_id(source))


def counted(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many documents are new, changed, unchanged, failed."""
    counts = Counter(outcome.state for outcome in outcomes)
    return {state: counts[state] for state in ("new", "changed", "unchanged", "failed")}
