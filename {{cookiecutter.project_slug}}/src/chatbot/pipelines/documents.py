"""Hands documents on to be ingested, here or by the workers, and takes them out: the only way from pipelines to both."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from chatbot.ingestion import corpus
from chatbot.ingestion.corpus import Item, Outcome
from chatbot.pipelines.pipeline import Watch
from chatbot.storage.documents import document_id

if TYPE_CHECKING:
    from chatbot.bootstrap import Services


async def ingest(
    services: Services, items: Sequence[Item], watch: Watch, through_queue: bool
) -> AsyncIterator[Outcome]:
    """What became of each document. Unavailable when a service is down: what was done stays done."""
    do = corpus.enqueue if through_queue else corpus.ingest
    async for outcome in do(services, items, watch):
        yield outcome


async def remove(services: Services, source: str) -> bool:
    """Take a document out of every search; False when it is not there."""
    return await services.ingester.remove(document_id(source))


def counted(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many documents are new, changed, unchanged, failed."""
    counts = Counter(outcome.state for outcome in outcomes)
    return {state: counts[state] for state in ("new", "changed", "unchanged", "failed")}
