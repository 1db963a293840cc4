"""A toy vector database for test_new_backend.py: arrays in PostgreSQL, every point compared at every search."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Sequence

from chatbot.domain import Filters, InvalidConfiguration, Match, Point
from chatbot.storage.database import Database, matching

CREATE = """
CREATE TABLE IF NOT EXISTS toy_indexes (name text PRIMARY KEY, dimension int NOT NULL);
CREATE TABLE IF NOT EXISTS toy_points (
    name text, chunk_id text, document_id text, vector float8[], metadata jsonb, PRIMARY KEY (name, chunk_id)
)
"""
UPSERT = """
INSERT INTO toy_points
SELECT %(index)s, r->>0, r->>1, ARRAY(SELECT jsonb_array_elements_text(r->2)::float8), r->3
FROM jsonb_array_elements(%(rows)s::jsonb) AS r
ON CONFLICT (name, chunk_id) DO UPDATE
SET document_id = excluded.document_id, vector = excluded.vector, metadata = excluded.metadata
"""
SEARCH = """
SELECT chunk_id AS point_id, (
    SELECT sum(a * b) / sqrt(sum(a * a) * sum(b * b)) FROM unnest(vector, %(vector)s::float8[]) AS v(a, b)
) AS score FROM toy_points WHERE name = %(index)s AND {conditions} ORDER BY score DESC LIMIT %(limit)s
"""


def connect(url: str) -> Toy:
    return Toy(url)


class Toy:
    def __init__(self, url: str) -> None:
        self._database = Database(url)

    async def create(self, index: str, dimension: int) -> None:
        async with self._database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('toy'))")
            await connection.execute(CREATE)
            insert = "INSERT INTO toy_indexes VALUES (%(name)s, %(dimension)s) ON CONFLICT DO NOTHING"
            await connection.execute(insert, {"name": index, "dimension": dimension})
        there = await self._width(index)
        if there != dimension:
            raise InvalidConfiguration(f"The index {index} holds vectors of {there} numbers, not {dimension}")

    async def upsert(self, index: str, points: Sequence[Point]) -> None:
        latest = {point.id: point for point in points}.values()
        rows = [[p.id, p.document_id, list(p.vector), dict(p.metadata)] for p in latest]
        await self._database.rows(UPSERT, {"index": index, "rows": json.dumps(rows)})

    async def search(self, index: str, vector: Sequence[float], limit: int, filters: Filters) -> list[Match]:
        conditions, parameters = matching("metadata", filters)
        wanted = {"index": index, "vector": list(vector), "limit": limit, **parameters}
        return [Match(**row) for row in await self._database.rows(SEARCH.format(conditions=conditions), wanted)]

    async def delete(self, index: str, ids: Collection[str]) -> None:
        if await self._width(index) is not None:
            await self._database.rows(
                "DELETE FROM toy_points WHERE name = %(index)s AND chunk_id = ANY(%(ids)s)",
                {"index": index, "ids": list(ids)},
            )

    async def scan(self, index: str) -> AsyncIterator[list[str]]:
        rows = await self._database.rows("SELECT chunk_id FROM toy_points WHERE name = %(index)s", {"index": index})
        yield [row["chunk_id"] for row in rows]

    async def count(self, index: str) -> int:
        if await self._width(index) is None:
            return 0
        row = await self._database.row("SELECT count(*) AS n FROM toy_points WHERE name = %(index)s", {"index": index})
        return row["n"] if row else 0

    async def drop(self, index: str) -> None:
        if await self._width(index) is not None:
            for table in ("toy_points", "toy_indexes"):
                await self._database.rows(f"DELETE FROM {table} WHERE name = %(index)s", {"index": index})

    async def ping(self) -> None:
        await self._database.rows("SELECT 1")

    async def close(self) -> None:
        await self._database.close()

    async def _width(self, index: str) -> int | None:
        """The dimension of the index; None where there is no such index yet, or no table of them."""
        if not await self._database.row("SELECT 1 AS yes WHERE to_regclass('toy_indexes') IS NOT NULL"):
            return None
        row = await self._database.row("SELECT dimension FROM toy_indexes WHERE name = %(name)s", {"name": index})
        return row["dimension"] if row else None
