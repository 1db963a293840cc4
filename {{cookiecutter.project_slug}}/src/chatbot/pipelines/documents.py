"""Hands documents on to be ingested, here or by the workers, and takes them out: the pipelines' only way to do so."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from chatbot.domain import Unavailable
from chatbot.ingestion.corpus import Item
from chatbot.jobs import batch, worker
from chatbot.jobs.batch import Outcome
from chatbot.jobs.outbox import dispatch
from chatbot.pipelines.pipeline import Watch
from chatbot.storage.documents import document_id

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

SENT_EVERY = 1.0
"""Seconds between two looks for jobs to send."""


async def ingest(
    services: Services, items: Sequence[Item], watch: Watch, through_queue: bool, fast: bool = False
) -> AsyncIterator[Outcome]:
    """What became of each document. Unavailable when a service is down: what was done stays done.

    `through_queue`: shared with the workers, on however many machines; this process does its part of the work, so that
    none of them need be there. `fast`: see `batch.ingest`.
    """
    jobs, ingester = services.jobs, services.ingester
    if not through_queue:
        async for outcome in batch.ingest(jobs, ingester, items, watch, fast):
            yield outcome
        return
    await services.index.ready()  # every job would wait for a mistake to be mended, and say nothing here
    async with _working(services):
        async for outcome in batch.enqueue(services.documents, jobs, services.queue, ingester, items, watch):
            yield outcome


@asynccontextmanager
async def _working(services: Services) -> AsyncIterator[None]:
    """Do a worker's part, and a scheduler's: what is to be tried again, or a dead worker had, is sent again."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(worker.work(services, stop)), asyncio.create_task(_sending(services, stop))]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def _sending(services: Services, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with suppress(Unavailable):
            await services.jobs.recover_abandoned()
            await dispatch(services.jobs, services.queue)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), SENT_EVERY)


async def remove(services: Services, source: str) -> bool:
    """Take a document out of every search; False when it is not there."""
    return await services.ingester.remove(document_id(source))


def counted(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many documents are new, changed, unchanged, failed."""
    counts = Counter(outcome.state for outcome in outcomes)
    return {state: counts[state] for state in ("new", "changed", "unchanged", "failed")}
