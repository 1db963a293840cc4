"""Vectors in a Milvus server, 2.5 or later: a collection an index, HNSW, cosine similarity, strong consistency.

The URL is http(s)://[user:password@]host:port; a token alone stands for the user.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from chatbot.adapters.tokens import accepted, tokens
from chatbot.domain import Filters, Hit, InvalidConfiguration, Point, Unavailable

SCHEMES = ("http", "https")
TIMEOUT = 30
"""Seconds for one call."""
BATCH = 500
"""Points a call."""
LONGEST_ID = 512
"""Bytes."""


def connect(url: str) -> Milvus:
    return Milvus(url)


class Milvus:
    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._opened: Any = None

    async def create(self, index: str, dimension: int) -> None:
        name = _name(index)
        async with self._client() as client:
            if not await client.has_collection(name, timeout=TIMEOUT):
                kinds = (await _sdk()).DataType
                schema = client.create_schema()
                schema.add_field("chunk_id", kinds.VARCHAR, is_primary=True, max_length=LONGEST_ID)
                schema.add_field("document_id", kinds.VARCHAR, max_length=LONGEST_ID)
                schema.add_field("vector", kinds.FLOAT_VECTOR, dim=dimension)
                schema.add_field("metadata", kinds.JSON)
                graph = client.prepare_index_params()
                graph.add_index("vector", index_type="HNSW", metric_type="COSINE", M=16, efConstruction=200)
                await client.create_collection(
                    name, schema=schema, index_params=graph, consistency_level="Strong", timeout=TIMEOUT
                )
            fields = (await client.describe_collection(name, timeout=TIMEOUT))["fields"]
        width = next(int(field["params"]["dim"]) for field in fields if field["name"] == "vector")
        if width != dimension:
            raise InvalidConfiguration(f"The index {index} holds vectors of {width} numbers, not {dimension}")

    async def upsert(self, index: str, points: Sequence[Point]) -> None:
        rows = [
            {
                "chunk_id": point.chunk_id,
                "document_id": point.document_id,
                "vector": list(point.vector),
                "metadata": {"tokens": tokens(point.metadata)},
            }
            for point in {point.chunk_id: point for point in points}.values()
        ]
        async with self._client() as client:
            for start in range(0, len(rows), BATCH):
                await client.upsert(_name(index), rows[start : start + BATCH], timeout=TIMEOUT)

    async def search(self, index: str, vector: Sequence[float], limit: int, filters: Filters) -> list[Hit]:
        if not all(filters.values()):
            return []
        words = [json.dumps(accepted(key, values), ensure_ascii=False) for key, values in filters.items()]
        async with self._client() as client:
            (found,) = await client.search(
                _name(index),
                data=[list(vector)],
                limit=limit,
                filter=" and ".join(f'json_contains_any(metadata["tokens"], {any_of})' for any_of in words),
                search_params={"metric_type": "COSINE", "params": {"ef": max(2 * limit, 100)}},
                consistency_level="Strong",
                timeout=TIMEOUT,
            )
        return [Hit(hit["chunk_id"], hit["distance"]) for hit in found]

    async def delete(self, index: str, document_id: str, keep: Collection[str] = ()) -> None:
        condition = f"document_id == {json.dumps(document_id, ensure_ascii=False)}"
        if keep:
            condition += f" and chunk_id not in {json.dumps(sorted(keep), ensure_ascii=False)}"
        async with self._client() as client:
            await client.delete(_name(index), filter=condition, timeout=TIMEOUT)

    async def count(self, index: str) -> int:
        name = _name(index)
        async with self._client() as client:
            if not await client.has_collection(name, timeout=TIMEOUT):
                return 0
            (row,) = await client.query(
                name, filter="", output_fields=["count(*)"], consistency_level="Strong", timeout=TIMEOUT
            )
            return row["count(*)"]

    async def drop(self, index: str) -> None:
        async with self._client() as client:
            if await client.has_collection(_name(index), timeout=TIMEOUT):
                await client.drop_collection(_name(index), timeout=TIMEOUT)

    async def ping(self) -> None:
        async with self._client() as client:
            await client.list_collections(timeout=TIMEOUT)

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        pymilvus = await _sdk()
        try:
            async with asyncio.timeout(TIMEOUT):
                if self._opened is None:
                    host, user, password = self._url.hostname, self._url.username, self._url.password
                    self._opened = pymilvus.AsyncMilvusClient(
                        f"{self._url.scheme}://{host}:{self._url.port or 19530}",
                        token=":".join(unquote(part) for part in (user, password) if part),
                        timeout=TIMEOUT,
                    )
                yield self._opened
        except (pymilvus.MilvusException, OSError, TimeoutError) as error:
            raise Unavailable("The vector database", "check VECTOR_DB_URL and that Milvus runs") from error


async def _sdk() -> Any:
    return await asyncio.to_thread(importlib.import_module, "pymilvus")  # takes seconds


def _name(index: str) -> str:
    """Milvus takes letters, digits and underscores, no digit first."""
    return "c_" + re.sub(r"\W", "_", index, flags=re.ASCII)
