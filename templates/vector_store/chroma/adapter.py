"""Vectors in a Chroma server: a collection an index, cosine distance."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from chatbot.domain import Filters, InvalidConfiguration, Match, Point, Scalar, Unavailable

TIMEOUT = 30
"""Seconds for one call; Chroma's own client would wait for ever."""
BATCH = 500
"""Points a call."""
SCANNED = 5000
"""Ids a call."""
DOCUMENT = "document_id"
GRAPH = {"ef_construction": 200, "ef_search": 400, "max_neighbors": 32}
"""Recall@10 of .95 and more even for 10,000 vectors without any structure."""


def connect(url: str) -> Chroma:
    return Chroma(url)


class Chroma:
    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._opened: Any = None

    async def create(self, index: str, dimension: int) -> None:
        async with self._client() as client:
            collection = await client.get_or_create_collection(
                index,
                metadata={"dimension": dimension},
                configuration={"hnsw": {"space": "cosine", **GRAPH}},
                embedding_function=None,
            )
        width = collection.metadata["dimension"]
        if width != dimension:
            raise InvalidConfiguration(f"The index {index} holds vectors of {width} numbers, not {dimension}")

    async def upsert(self, index: str, points: Sequence[Point]) -> None:
        rows = list({point.id: point for point in points}.values())
        async with self._client() as client:
            collection = await client.get_collection(index, embedding_function=None)
            for batch in (rows[start : start + BATCH] for start in range(0, len(rows), BATCH)):
                ids = [point.id for point in batch]
                # Chroma merges metadata into what is there: keys that are gone must be set to None.
                there = await collection.get(ids=ids, include=["metadatas"])
                before = dict(zip(there["ids"], there["metadatas"], strict=True))
                await collection.upsert(
                    ids=ids,
                    embeddings=[list(point.vector) for point in batch],
                    metadatas=[_metadata(point, before.get(point.id) or {}) for point in batch],
                )

    async def search(self, index: str, vector: Sequence[float], limit: int, filters: Filters) -> list[Match]:
        if not all(filters.values()):
            return []
        conditions = [_any(key, accepted) for key, accepted in filters.items()]
        async with self._client() as client:
            collection = await client.get_collection(index, embedding_function=None)
            found = await collection.query(
                query_embeddings=[list(vector)],
                n_results=limit,
                where=_joined("$and", conditions) if conditions else None,
                include=["distances"],
            )
        return [Match(id, 1 - distance) for id, distance in zip(found["ids"][0], found["distances"][0], strict=True)]

    async def delete(self, index: str, ids: Collection[str]) -> None:
        gone = list(ids)
        async with self._client() as client:
            if await _exists(client, index):
                collection = await client.get_collection(index, embedding_function=None)
                for start in range(0, len(gone), BATCH):
                    await collection.delete(ids=gone[start : start + BATCH])

    async def scan(self, index: str) -> AsyncIterator[list[str]]:
        start = 0
        while True:
            async with self._client() as client:
                collection = await client.get_collection(index, embedding_function=None)
                found = await collection.get(limit=SCANNED, offset=start, include=[])
            if not found["ids"]:
                return
            yield found["ids"]
            start += SCANNED

    async def count(self, index: str) -> int:
        async with self._client() as client:
            if not await _exists(client, index):
                return 0
            return await (await client.get_collection(index, embedding_function=None)).count()

    async def drop(self, index: str) -> None:
        async with self._client() as client:
            if await _exists(client, index):
                await client.delete_collection(index)

    async def ping(self) -> None:
        async with self._client() as client:
            await client.heartbeat()

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened._server._cleanup()  # closes the connections; the client has no method for it

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        import httpx

        try:
            async with asyncio.timeout(TIMEOUT):
                self._opened = self._opened or await self._open()
                yield self._opened
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unavailable("The vector database", "check VECTOR_DB_URL and that Chroma runs") from error

    async def _open(self) -> Any:
        chromadb = await asyncio.to_thread(importlib.import_module, "chromadb")  # takes seconds
        tls = self._url.scheme == "https"
        settings = chromadb.config.Settings(
            _env_file=None, anonymized_telemetry=False, chroma_server_ssl_verify=True if tls else None
        )
        try:
            return await chromadb.AsyncHttpClient(
                host=self._url.hostname, port=self._url.port or (443 if tls else 8000), ssl=tls, settings=settings
            )
        except ValueError as error:  # what Chroma makes of a refused connection
            raise TimeoutError from error


async def _exists(client: Any, index: str) -> bool:
    return index in [collection.name for collection in await client.list_collections()]


def _metadata(point: Point, before: dict[str, Any]) -> dict[str, Any]:
    """The point's metadata for Chroma, which takes no empty lists."""
    given = {key: value for key, value in point.metadata.items() if value or not isinstance(value, (list, tuple))}
    return {**dict.fromkeys(before), **given, DOCUMENT: point.document_id}


def _any(key: str, accepted: Sequence[Scalar]) -> dict[str, Any]:
    """The value is one of these, or is a list that contains one."""
    return _joined("$or", [{key: {operator: value}} for value in accepted for operator in ("$eq", "$contains")])


def _joined(operator: str, conditions: list[dict[str, Any]]) -> dict[str, Any]:
    return conditions[0] if len(conditions) == 1 else {operator: conditions}
