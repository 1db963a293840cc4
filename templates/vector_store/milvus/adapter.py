"""Vectors in a Milvus server, 2.5 or later: a collection an index, HNSW, cosine similarity, strong consistency.

The URL is http(s)://[user:password@]host:port; a token alone stands for the user.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from chatbot.clients.filter_words import accepted, tokens
from chatbot.domain import Filters, InvalidConfiguration, Match, Point, Unavailable

T = TypeVar("T")

TIMEOUT = 30
"""Seconds for one call."""
THREADS = 16
"""Of its own: calls that a silent server keeps waiting take none of those that the rest of the process works in."""
BATCH = 500
"""Points a call."""
CONNECTION = {"grpc.keepalive_permit_without_calls": 0}
"""Ask whether the server lives only while it is to answer: one that is asked each ten seconds on an idle connection, as
pymilvus would, may end it for "too many pings", and with it the call that begins in that moment."""
LONGEST_ID = 512
"""Bytes."""
EF = 400
"""Candidates kept on the way through the graph: it finds nearly all of the ten nearest even without any structure."""
NOT_LOADED = 101
"""Milvus's error code for a collection that is not in memory."""


def connect(url: str) -> Milvus:
    return Milvus(url)


class Milvus:
    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._opening = threading.Lock()
        self._opened: Any = None
        self._threads = ThreadPoolExecutor(THREADS, "milvus")

    async def create(self, index: str, dimension: int) -> None:
        width = await self._call(lambda client: _create(client, _name(index), dimension))
        if width != dimension:
            raise InvalidConfiguration(f"The index {index} holds vectors of {width} numbers, not {dimension}")

    async def upsert(self, index: str, points: Sequence[Point]) -> None:
        rows = [
            {
                "chunk_id": point.id,
                "document_id": point.document_id,
                "vector": list(point.vector),
                "metadata": {"tokens": tokens(point.metadata)},
            }
            for point in {point.id: point for point in points}.values()
        ]
        await self._in(index, lambda client, name: _upsert(client, name, rows))

    async def search(self, index: str, vector: Sequence[float], limit: int, filters: Filters) -> list[Match]:
        if not all(filters.values()):
            return []
        words = [json.dumps(accepted(key, values), ensure_ascii=False) for key, values in filters.items()]
        (found,) = await self._in(
            index,
            lambda client, name: client.search(
                name,
                data=[list(vector)],
                limit=limit,
                filter=" and ".join(f'json_contains_any(metadata["tokens"], {any_of})' for any_of in words),
                search_params={"metric_type": "COSINE", "params": {"ef": max(2 * limit, EF)}},
                consistency_level="Strong",
                timeout=TIMEOUT,
            ),
        )
        return [Match(each["chunk_id"], each["distance"]) for each in found]

    async def delete(self, index: str, ids: Collection[str]) -> None:
        await self._in(index, lambda client, name: _delete(client, name, list(ids)))

    async def scan(self, index: str) -> AsyncIterator[list[str]]:
        pages = await self._in(index, _pages)
        while page := await self._call(lambda _: pages.next()):
            yield [row["chunk_id"] for row in page]
        await self._call(lambda _: pages.close())

    async def count(self, index: str) -> int:
        return await self._in(index, _count)

    async def drop(self, index: str) -> None:
        await self._call(lambda client: client.drop_collection(_name(index), timeout=TIMEOUT))

    async def ping(self) -> None:
        await self._call(lambda client: client.list_collections(timeout=TIMEOUT))

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await asyncio.to_thread(opened.close)
        threads, self._threads = self._threads, ThreadPoolExecutor(THREADS, "milvus")
        threads.shutdown(wait=False, cancel_futures=True)

    async def _in(self, index: str, do: Callable[[Any, str], T]) -> T:
        """Do it in the index's collection, which a restart of the server may have left out of memory."""

        def loaded(client: Any) -> T:
            import pymilvus

            try:
                return do(client, _name(index))
            except pymilvus.MilvusException as error:
                if error.code != NOT_LOADED:
                    raise
            client.load_collection(_name(index), timeout=TIMEOUT)
            return do(client, _name(index))

        return await self._call(loaded)

    async def _call(self, do: Callable[[Any], T]) -> T:
        """Run it in a thread: the asynchronous client asks for what Milvus Lite does not have."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: do(self._client()))
        except Exception as error:
            import pymilvus

            if isinstance(error, (pymilvus.MilvusException, OSError)):
                raise Unavailable("The vector database", "check VECTOR_DB_URL and that Milvus runs") from error
            raise

    def _client(self) -> Any:
        with self._opening:
            if self._opened is None:
                from pymilvus import MilvusClient

                user, password = self._url.username, self._url.password
                self._opened = MilvusClient(
                    f"{self._url.scheme}://{self._url.hostname}:{self._url.port or 19530}",
                    token=":".join(unquote(part) for part in (user, password) if part),
                    timeout=TIMEOUT,
                    grpc_options=CONNECTION,
                )
            return self._opened


def _create(client: Any, name: str, dimension: int) -> int:
    """Make the collection if it is not there; the dimension that it has."""
    if not client.has_collection(name, timeout=TIMEOUT):
        from pymilvus import DataType, MilvusException

        schema = client.create_schema()
        schema.add_field("chunk_id", DataType.VARCHAR, is_primary=True, max_length=LONGEST_ID)
        schema.add_field("document_id", DataType.VARCHAR, max_length=LONGEST_ID)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
        schema.add_field("metadata", DataType.JSON)
        graph = client.prepare_index_params()
        graph.add_index("vector", index_type="HNSW", metric_type="COSINE", params={"M": 16, "efConstruction": 200})
        asked = {"schema": schema, "index_params": graph, "consistency_level": "Strong"}
        try:
            client.create_collection(name, **asked, timeout=TIMEOUT)
        except MilvusException:
            if not client.has_collection(name, timeout=TIMEOUT):  # else somebody was faster
                raise
    fields = client.describe_collection(name, timeout=TIMEOUT)["fields"]
    return next(int(field["params"]["dim"]) for field in fields if field["name"] == "vector")


def _upsert(client: Any, name: str, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), BATCH):
        client.upsert(name, rows[start : start + BATCH], timeout=TIMEOUT)


def _delete(client: Any, name: str, ids: list[str]) -> None:
    if ids and client.has_collection(name, timeout=TIMEOUT):
        client.delete(name, ids=ids, timeout=TIMEOUT)


def _pages(client: Any, name: str) -> Any:
    return client.query_iterator(
        name, batch_size=5000, filter="", output_fields=["chunk_id"], consistency_level="Strong", timeout=TIMEOUT
    )


def _count(client: Any, name: str) -> int:
    if not client.has_collection(name, timeout=TIMEOUT):
        return 0
    (row,) = client.query(name, filter="", output_fields=["count(*)"], consistency_level="Strong", timeout=TIMEOUT)
    return row["count(*)"]


def _name(index: str) -> str:
    """Milvus takes letters, digits and underscores, no digit first."""
    return "c_" + re.sub(r"\W", "_", index, flags=re.ASCII)
