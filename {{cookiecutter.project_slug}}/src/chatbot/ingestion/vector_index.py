"""The vector index of this process's model: what is embedded in it, what is searched in it, what is removed.

    index = VectorIndex(indexes, embeddings, vectors, embedder)
    await index.fill(document_id, claim, progress)      # whatever of the document is not embedded yet
    hits = await index.search(vector, limit=20, filters={})

Each batch is reserved, embedded, written, recorded: whoever dies in between leaves chunks to embed again, and points
that nothing leads to. Filling twice at once costs time and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from time import monotonic

from chatbot.domain import Claim, Filters, Hit, InvalidConfiguration, Point, Unavailable
from chatbot.ingestion.chunk import indexed_text
from chatbot.ports import Embedder, VectorStore
from chatbot.storage.embeddings import Embeddings, Reserved
from chatbot.storage.indexes import Indexes, IndexRecord, index_name

BATCH = 16
"""Chunks embedded and stored at a time: small enough for progress to move, large enough for a remote API."""
COLLECTED = 1000
"""Points removed at a time."""

Done = Callable[[int], Awaitable[None]]
"""Told how many chunks have been embedded."""

log = logging.getLogger(__name__)


class VectorIndex:
    def __init__(self, indexes: Indexes, embeddings: Embeddings, vectors: VectorStore, embedder: Embedder) -> None:
        self._indexes = indexes
        self._embeddings = embeddings
        self._vectors = vectors
        self._embedder = embedder

    async def name(self) -> str:
        """What the index of this process's model is called; an API tells the dimension only by embedding something."""
        if not self._embedder.dimension:
            await self._embedder.embed_query("dimension")
        return index_name(self._embedder.model, self._embedder.dimension)

    async def begin(self) -> str:
        """Make the index if it is not there, to be filled; its name."""
        name = await self.name()
        await self._vectors.create(name, self._embedder.dimension)
        await self._indexes.begin(name, self._embedder.model, self._embedder.dimension)
        return name

    async def ready(self) -> str:
        """The name of the index to write to, made on first use of all.

        InvalidConfiguration when there is one of another model only: nothing would search this one.
        """
        name = await self.name()
        known = await self._indexes.list()
        if not known:
            return await self.begin()
        if name not in [each.name for each in known]:
            raise InvalidConfiguration(_of_another_model(known, self._embedder))
        return name

    async def search(self, vector: Sequence[float], limit: int, filters: Filters) -> list[Hit]:
        """The nearest chunks that are current, best first; none while this model has no index yet."""
        name = await self.name()
        if await self._indexes.find(name) is None:
            log.warning("the index of this model is not built: searching by words only", extra={"index": name})
            return []
        matches = await self._vectors.search(name, vector, limit, filters)
        return await self._embeddings.chunks(name, matches, filters) if matches else []

    async def fill(self, document_id: str, claim: Claim | None, done: Done) -> int:
        """Embed those of the document's chunks that are not in the index; how many. Unavailable, ClaimLost."""
        name, embedded = await self.ready(), 0
        while reserved := await self._embeddings.reserve(name, document_id, BATCH):
            since = monotonic()
            points = await self._embedded(reserved)
            await done(embedded)  # whoever lost the job stops here
            if monotonic() - since > self._embeddings.reservation:
                raise Unavailable("The embedder", "it took too long")
            await self._vectors.upsert(name, points)
            ids = [point.id for point in points]
            await self._remove(name, await self._embeddings.record(document_id, ids, claim))
            embedded += len(points)
            await done(embedded)
        return embedded

    async def collect(self) -> int:
        """Remove points that can be found no more from the store, of every index; how many. Safe at any time."""
        removed = 0
        while garbage := await self._embeddings.garbage(COLLECTED):
            for name, ids in garbage.items():
                await self._remove(name, ids)
                removed += len(ids)
        return removed

    async def _embedded(self, reserved: Sequence[Reserved]) -> list[Point]:
        texts = [indexed_text(each.title, each.chunk) for each in reserved]
        vectors = await self._embedder.embed_passages(texts)
        return [
            Point(each.point_id, each.chunk.document_id, vector, each.payload)
            for each, vector in zip(reserved, vectors, strict=True)
        ]

    async def _remove(self, index: str, ids: Collection[str]) -> None:
        if ids:
            await self._vectors.delete(index, ids)
            await self._embeddings.forget(ids)


def _of_another_model(known: Sequence[IndexRecord], embedder: Embedder) -> str:
    active = next((each for each in known if each.active), known[0])
    return (
        f"The index was built with {active.model} ({active.dimension} dimensions), but EMBEDDINGS_MODEL is "
        f"{embedder.model} ({embedder.dimension}): set it back, or rebuild with `chatbot run index`."
    )
