"""Hybrid search: BM25 for names and rare words, vectors for meaning and across languages, fused into one ranking."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from chatbot.answering.evidence import closeness
from chatbot.deadline import with_timeout
from chatbot.domain import Filters, Hit, Passage, Unavailable
from chatbot.observability import gen_ai, metrics, tracing
from chatbot.ports import Embedder
from chatbot.text.analysis import LANGUAGES, detect_language, query_terms
from chatbot.text.reference import reference
from chatbot.text.translate import OTHER, translated_terms

POOL = 100
"""Candidates each of the two searches brings."""
PATIENCE = 10.0
"""Seconds that the vector database may take: whoever asked waits meanwhile."""


class Passages(Protocol):
    """Reads the passages of hits, in their order (storage/documents.py)."""

    async def passages(self, hits: Sequence[Hit]) -> Sequence[Passage]: ...

    async def openings(self, document_ids: Sequence[str]) -> Sequence[Passage]: ...


class Lexical(Protocol):
    """BM25 (storage/bm25.py)."""

    async def search(self, terms: Sequence[str], limit: int, filters: Filters) -> list[Hit]: ...


class Dense(Protocol):
    """The vectors of this process's model (ingestion/vector_index.py)."""

    async def search(self, vector: Sequence[float], limit: int, filters: Filters) -> list[Hit]: ...


class Retriever:
    """Finds passages; `lexical_weight` is BM25's share, 0 to 1."""

    def __init__(
        self, documents: Passages, lexical: Lexical, dense: Dense, embedder: Embedder, lexical_weight: float
    ) -> None:
        self._documents = documents
        self._lexical = lexical
        self._dense = dense
        self._embedder = embedder
        self._lexical_weight = lexical_weight

    @property
    def embedding_model(self) -> str:
        return self._embedder.model

    async def search(self, text: str, limit: int, filters: Filters | None = None) -> list[Passage]:
        """The best passages, best first, each text once even when several documents hold it. Raises Unavailable."""
        with metrics.RETRIEVAL_SECONDS.time(), tracing.span("retrieval", attributes=gen_ai.retrieval(limit)) as span:
            found = await self._search(text, limit, filters or {})
            span.set({"chatbot.passages": len(found)})
            return found

    async def references(self, passages: Sequence[Passage]) -> list[Passage]:
        """The bibliographic references of the documents that these passages are from, but for those among them."""
        scores = {passage.chunk.document_id: passage for passage in reversed(passages)}
        openings = await self._documents.openings([*scores])
        known = {passage.chunk.id for passage in passages}
        return [
            replace(each, score=scores[each.chunk.document_id].score)
            for each in openings
            if each.chunk.id not in known and each.chunk.text == reference(each.title, each.metadata)
        ]

    async def _search(self, text: str, limit: int, filters: Filters) -> list[Passage]:
        pool = max(POOL, 2 * limit)
        lexical, dense = await asyncio.gather(
            self._lexical_hits(text, pool, filters), self._dense_hits(text, pool, filters)
        )
        fused = fuse(lexical, dense, self._lexical_weight)[: 2 * limit]
        similarity = {hit.chunk_id: hit.score for hit in dense}
        with stage("passages"):
            read = await self._documents.passages(fused)
        passages = {passage.chunk.text: passage for passage in reversed(read)}
        best = sorted(passages.values(), key=lambda passage: -passage.score)[:limit]
        return [self._compared(passage, similarity.get(passage.chunk.id)) for passage in best]

    def _compared(self, passage: Passage, similarity: float | None) -> Passage:
        return replace(passage, similarity=similarity, closeness=closeness(similarity, self._embedder.model))

    async def _lexical_hits(self, text: str, limit: int, filters: Filters) -> list[Hit]:
        """By the question's words, and in documents of the other language by what these mean there too."""
        with stage("lexical"):
            words, spoken = query_terms(text), detect_language(text)
            searches = [self._lexical.search(words, limit, filters)] if words else []
            among = {**filters, "language": [OTHER[spoken]]}
            if (meant := translated_terms(text)) and set(among["language"]) <= set(filters.get("language", LANGUAGES)):
                searches.append(self._lexical.search([*words, *meant], limit, among))
            scores: dict[str, float] = {}
            for hit in itertools.chain.from_iterable(await asyncio.gather(*searches)):
                scores[hit.chunk_id] = max(hit.score, scores.get(hit.chunk_id, hit.score))
        return sorted((Hit(*each) for each in scores.items()), key=lambda hit: -hit.score)[:limit]

    async def _dense_hits(self, text: str, limit: int, filters: Filters) -> list[Hit]:
        vector = await self._embedded(text)
        with stage("vector_store"):
            try:
                return await with_timeout(PATIENCE, self._dense.search(vector, limit, filters))
            except TimeoutError:
                raise Unavailable("The vector database", "it takes too long") from None

    async def _embedded(self, text: str) -> list[float]:
        with stage("embed", gen_ai.embeddings(self._embedder.model)):
            return await self._embedder.embed_query(text)


@contextmanager
def stage(name: str, attributes: tracing.Attributes | None = None) -> Iterator[None]:
    with metrics.STAGE_SECONDS.labels(name).time(), tracing.span(f"retrieval {name}", attributes=attributes):
        yield


def fuse(lexical: Sequence[Hit], dense: Sequence[Hit], lexical_weight: float) -> list[Hit]:
    """The convex combination of both scores, each scaled to 0..1 within its own list; absent counts as 0.

    Measured better than reciprocal rank fusion (k = 60): it keeps how far apart the candidates were. See Bruch, Gai
    and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 42(1), 2023.
    """
    scores: dict[str, float] = defaultdict(float)
    for hits, weight in ((lexical, lexical_weight), (dense, 1 - lexical_weight)):
        for chunk_id, score in _scaled(hits):
            scores[chunk_id] += weight * score
    return [Hit(chunk_id, score) for chunk_id, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]


def _scaled(hits: Sequence[Hit]) -> list[tuple[str, float]]:
    if not hits:
        return []
    low, high = min(hit.score for hit in hits), max(hit.score for hit in hits)
    return [(hit.chunk_id, (hit.score - low) / (high - low) if high > low else 1.0) for hit in hits]
