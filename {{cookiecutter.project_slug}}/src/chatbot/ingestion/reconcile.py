"""Compare what there should be with what there is: documents, chunks, vectors and jobs.

    found = await Reconciler(…).run()      # what was found, and mended

The mechanisms keep these in step; this finds what a crash at the worst moment, a store restored from a backup, or a
former release has left. It may run at any time beside everything else, and a second run finds nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from chatbot.domain import JobRequest
from chatbot.ingestion.vector_index import VectorIndex
from chatbot.ports import VectorStore
from chatbot.storage.documents import Documents
from chatbot.storage.embeddings import Embeddings
from chatbot.storage.indexes import Indexes
from chatbot.storage.jobs import Jobs

GRACE = 24 * 3600.0
"""Seconds for which the index of a former model is kept: for processes that still run with it, and for going back."""
PAGE = 1000
"""Documents or points at a time."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was not as it should be, by the number; all of it has been mended, or has a job now."""

    orphans: int = 0
    """Points that nothing led to: removed."""
    missing: int = 0
    """Points that the store has lost: their chunks are embedded again."""
    not_embedded: int = 0
    """Documents with a chunk outside the active index and no job: given one."""
    without_job: int = 0
    """Documents that were accepted, cannot be found, and had no job: given one."""
    abandoned: int = 0
    """Jobs whose worker had died: pending again."""
    retired: int = 0
    """Indexes of former models: dropped."""


class Reconciler:
    def __init__(
        self,
        documents: Documents,
        jobs: Jobs,
        index: VectorIndex,
        indexes: Indexes,
        embeddings: Embeddings,
        vectors: VectorStore,
    ) -> None:
        self._documents = documents
        self._jobs = jobs
        self._index = index
        self._indexes = indexes
        self._embeddings = embeddings
        self._vectors = vectors

    async def run(self) -> Found:
        """All of it; reads every id in the vector store. Unavailable."""
        retired = await self._drop_retired()
        orphans, missing = await self._index.collect(), 0
        for each in await self._indexes.list():
            await self._vectors.create(each.name, each.dimension)
            unknown, lost = await compare(each.name, self._vectors, self._embeddings)
            orphans, missing = orphans + unknown, missing + lost
        await self._index.collect()
        abandoned = await self._jobs.recover_abandoned()
        without_job, not_embedded = await self.attend()
        return Found(orphans, missing, not_embedded, without_job, abandoned, retired)

    async def attend(self) -> tuple[int, int]:
        """Give a job to each document that is not as it should be and has none: how many cannot be found, how many by
        their words only."""
        without_job = not_embedded = 0
        for id, kept in await self._documents.unattended():
            without_job += await self._jobs.attend(JobRequest("ingest" if kept else "fetch"), id)
        active = await self._indexes.active()
        while active and (ids := await self._embeddings.unattended(active.name, PAGE)):
            for id in ids:
                not_embedded += await self._jobs.attend(JobRequest("ingest"), id)
        return without_job, not_embedded

    async def _drop_retired(self) -> int:
        names = await self._indexes.retired(GRACE)
        for name in names:
            await self._indexes.close(name)
            await self._vectors.drop(name)
            await self._indexes.forget(name)
        return len(names)


async def compare(index: str, vectors: VectorStore, embeddings: Embeddings) -> tuple[int, int]:
    """Remove the points that nothing leads to, and note those that the store has lost: how many of each."""
    began = await embeddings.now()
    there, orphans = set[str](), 0
    async for page in vectors.scan(index):
        there.update(page)
        unknown = await embeddings.unknown(index, page)
        if unknown:
            await vectors.delete(index, unknown)
        orphans += len(unknown)
    missing = 0
    async for page in _recorded(index, embeddings, began):
        lost = [id for id in page if id not in there]
        await embeddings.missing(lost)
        missing += len(lost)
    return orphans, missing


async def _recorded(index: str, embeddings: Embeddings, began: datetime) -> AsyncIterator[list[str]]:
    """The points that should be there since before `began`."""
    after = ""
    while page := [*await embeddings.stored(index, began, after)]:
        yield page
        after = page[-1]
