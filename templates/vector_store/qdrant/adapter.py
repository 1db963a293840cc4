"""Vectors in a Qdrant server: a collection an index, HNSW, cosine similarity.

The URL is http(s)://[key@]host:port, where the key is Qdrant's API key. Qdrant takes UUIDs as ids, so a point has one
made of its own id, and that beside it.
"""

from __future__ import annotations

import asyncio
import importlib
import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from chatbot.clients.filter_words import accepted, tokens
from chatbot.domain import Filters, InvalidConfiguration, Match, Point, Unavailable

TIMEOUT = 30
"""Seconds for one call."""
BATCH = 500
"""Points a call."""
SCANNED = 5000
"""Ids a call."""
NAMESPACE = uuid.UUID("6f1d3c1e-52a3-4c3c-9a43-0c6f6d1a7a52")
EF = 400
"""Candidates kept on the way through the graph: it finds nearly all of the ten nearest even without any structure."""
INDEXED = ("tokens", "document_id")
"""Fields of the payload that filters use."""
CONFLICT = 409
"""HTTP's status for a collection that is there already."""


def connect(url: str) -> Qdrant:
    return Qdrant(url)


class Qdrant:
    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._opened: Any = None

    async def create(self, index: str, dimension: int) -> None:
        models = (await _sdk()).models
        errors = importlib.import_module("qdrant_client.http.exceptions")
        async with self._client() as client:
            if not await client.collection_exists(index):
                vectors = models.VectorParams(size=dimension, distance=models.Distance.COSINE)
                try:
                    await client.create_collection(index, vectors_config=vectors)
                except errors.UnexpectedResponse as error:
                    if error.status_code != CONFLICT:  # somebody else was faster
                        raise
                for field in INDEXED:
                    await client.create_payload_index(index, field, models.PayloadSchemaType.KEYWORD, wait=True)
            width = (await client.get_collection(index)).config.params.vectors.size
        if width != dimension:
            raise InvalidConfiguration(f"The index {index} holds vectors of {width} numbers, not {dimension}")

    async def upsert(self, index: str, points: Sequence[Point]) -> None:
        models = (await _sdk()).models
        rows = [
            models.PointStruct(
                id=_id(point.id),
                vector=list(point.vector),
                payload={
                    "chunk_id": point.id,
                    "document_id": point.document_id,
                    "tokens": tokens(point.metadata),
                },
            )
            for point in {point.id: point for point in points}.values()
        ]
        async with self._client() as client:
            for start in range(0, len(rows), BATCH):
                await client.upsert(index, rows[start : start + BATCH], wait=True)

    async def search(self, index: str, vector: Sequence[float], limit: int, filters: Filters) -> list[Match]:
        models = (await _sdk()).models
        conditions = [
            models.FieldCondition(key="tokens", match=models.MatchAny(any=accepted(key, values)))
            for key, values in filters.items()
        ]
        async with self._client() as client:
            found = await client.query_points(
                index,
                query=list(vector),
                query_filter=models.Filter(must=conditions) if conditions else None,
                search_params=models.SearchParams(hnsw_ef=max(2 * limit, EF)),
                with_payload=["chunk_id"],
                limit=limit,
            )
        return [Match(point.payload["chunk_id"], point.score) for point in found.points]

    async def delete(self, index: str, ids: Collection[str]) -> None:
        models = (await _sdk()).models
        async with self._client() as client:
            if ids and await client.collection_exists(index):
                selected = models.PointIdsList(points=[_id(id) for id in ids])
                await client.delete(index, points_selector=selected, wait=True)

    async def scan(self, index: str) -> AsyncIterator[list[str]]:
        offset = None
        while True:
            async with self._client() as client:
                found, offset = await client.scroll(index, limit=SCANNED, offset=offset, with_payload=["chunk_id"])
            yield [point.payload["chunk_id"] for point in found]
            if offset is None:
                return

    async def count(self, index: str) -> int:
        async with self._client() as client:
            return (await client.count(index, exact=True)).count if await client.collection_exists(index) else 0

    async def drop(self, index: str) -> None:
        async with self._client() as client:
            await client.delete_collection(index)

    async def ping(self) -> None:
        async with self._client() as client:
            await client.get_collections()

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        sdk = await _sdk()
        errors = importlib.import_module("qdrant_client.http.exceptions")
        try:
            async with asyncio.timeout(TIMEOUT):
                self._opened = self._opened or sdk.AsyncQdrantClient(
                    host=self._url.hostname,
                    port=self._url.port or 6333,
                    https=self._url.scheme == "https",
                    api_key=unquote(self._url.password or self._url.username or "") or None,
                    timeout=TIMEOUT,
                    check_compatibility=False,
                )
                yield self._opened
        except (errors.ResponseHandlingException, errors.UnexpectedResponse, OSError, TimeoutError) as error:
            raise Unavailable("The vector database", "check VECTOR_DB_URL and that Qdrant runs") from error


async def _sdk() -> Any:
    return await asyncio.to_thread(importlib.import_module, "qdrant_client")  # takes seconds


def _id(id: str) -> str:
    return str(uuid.uuid5(NAMESPACE, id))
