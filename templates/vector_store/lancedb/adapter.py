"""Vectors in LanceDB: a table an index, in a folder (file:///path) or in object storage (s3://, gs://, az://).

There is no server: every process reads and writes the files. Searches compare every vector, exactly: 5 ms for 10,000.
The credentials of object storage come from its SDK's own variables.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from chatbot.clients.filter_words import accepted, tokens
from chatbot.domain import Filters, InvalidConfiguration, Match, Point, Unavailable

TIMEOUT = 30
"""Seconds for one call."""
COMPACT_EVERY = 50
"""Writes of this process after which the small files that each one makes are joined."""
KEEP = timedelta(hours=1)
"""For how long a process that reads may go on with a version that was written over."""


def connect(url: str) -> Lance:
    return Lance(url)


class Lance:
    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: Any = None
        self._writes = 0

    async def create(self, index: str, dimension: int) -> None:
        async with self._database() as database:
            pa = await asyncio.to_thread(importlib.import_module, "pyarrow")
            schema = pa.schema(
                [
                    pa.field("chunk_id", pa.string(), nullable=False),
                    pa.field("document_id", pa.string(), nullable=False),
                    pa.field("vector", pa.list_(pa.float32(), dimension)),
                    pa.field("tokens", pa.list_(pa.string())),
                ]
            )
            table = await self._table(database, index)
            try:
                table = table or await database.create_table(index, schema=schema, exist_ok=True)
            except RuntimeError:
                table = await self._table(database, index)
                if table is None:  # else somebody was faster
                    raise
            width = (await table.schema()).field("vector").type.list_size
        if width != dimension:
            raise InvalidConfiguration(f"The index {index} holds vectors of {width} numbers, not {dimension}")

    async def upsert(self, index: str, points: Sequence[Point]) -> None:
        rows = [
            {
                "chunk_id": point.id,
                "document_id": point.document_id,
                "vector": list(point.vector),
                "tokens": tokens(point.metadata),
            }
            for point in {point.id: point for point in points}.values()
        ]
        if not rows:
            return
        async with self._database() as database:
            table = await database.open_table(index)
            merge = table.merge_insert("chunk_id").when_matched_update_all().when_not_matched_insert_all()
            await merge.execute(rows)  # tried again by LanceDB when another process wrote meanwhile
            await self._compact(table)

    async def search(self, index: str, vector: Sequence[float], limit: int, filters: Filters) -> list[Match]:
        if not all(filters.values()):
            return []
        async with self._database() as database:
            query = (await database.open_table(index)).query().nearest_to(list(vector)).distance_type("cosine")
            if filters:
                query = query.where(" AND ".join(_any(accepted(key, values)) for key, values in filters.items()))
            found = await query.select(["chunk_id", "_distance"]).limit(limit).to_list()
        return [Match(row["chunk_id"], 1 - row["_distance"]) for row in found]

    async def delete(self, index: str, ids: Collection[str]) -> None:
        async with self._database() as database:
            table = await self._table(database, index)
            if table is not None and ids:
                await table.delete(f"chunk_id IN ({', '.join(map(_quoted, ids))})")
                await self._compact(table)

    async def scan(self, index: str) -> AsyncIterator[list[str]]:
        async with self._database() as database:
            batches = await (await database.open_table(index)).query().select(["chunk_id"]).to_batches()
        async for batch in batches:
            yield batch.column("chunk_id").to_pylist()

    async def count(self, index: str) -> int:
        async with self._database() as database:
            table = await self._table(database, index)
            return await table.count_rows() if table is not None else 0

    async def drop(self, index: str) -> None:
        async with self._database() as database:
            await database.drop_table(index, ignore_missing=True)

    async def ping(self) -> None:
        async with self._database() as database:
            await database.list_tables(limit=1)

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    async def _table(self, database: Any, index: str) -> Any:
        """None where there is no such table."""
        try:
            return await database.open_table(index)
        except ValueError as error:
            if "not found" in str(error):
                return None
            raise

    async def _compact(self, table: Any) -> None:
        self._writes += 1
        if self._writes % COMPACT_EVERY == 0:
            await table.optimize(cleanup_older_than=KEEP)

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[Any]:
        lancedb = await asyncio.to_thread(importlib.import_module, "lancedb")  # takes seconds
        try:
            async with asyncio.timeout(TIMEOUT):
                if self._opened is None:
                    self._opened = await lancedb.connect_async(self._url)
                yield self._opened
        except (OSError, RuntimeError, TimeoutError) as error:
            full = "No space left" in str(error)
            advice = "its disk is full" if full else "check VECTOR_DB_URL and its credentials"
            raise Unavailable("The vector database", advice) from error


def _any(words: Sequence[str]) -> str:
    return f"array_has_any(tokens, [{', '.join(map(_quoted, words))}])"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
