"""Vectors in PostgreSQL with the pgvector extension (0.8 or later): a table and an HNSW index each, half precision.

A filtered search goes on through the graph until it has enough (hnsw.iterative_scan), or else compares every point that
passes, so that a filter costs time but no recall.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection

from chatbot.domain import Filters, InvalidConfiguration, Match, Point
from chatbot.storage.database import Database, matching

MAX_DIMENSION = 4000
"""The most that an HNSW index over halfvec takes."""
FEWEST = 100
"""Points that are asked for at least: a graph that is left after ten may have missed some of them."""
EF = 400
"""Candidates kept on the way through the graph: recall@10 of .96 even for 10,000 vectors without any structure."""

PLACE = """
SELECT nspname AS schema, to_regtype('halfvec') IS NOT NULL AS found
FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'vector'
"""
# The width of the column `vector`, or no row.
WIDTH = "SELECT atttypmod AS width FROM pg_attribute WHERE attrelid = to_regclass(%(table)s) AND attname = 'vector'"
CREATE = """
CREATE TABLE {table} (
    chunk_id text PRIMARY KEY,
    document_id text NOT NULL,
    vector halfvec({dimension}) NOT NULL,
    metadata jsonb NOT NULL
);
CREATE INDEX ON {table} (document_id);
CREATE INDEX ON {table} USING hnsw (vector halfvec_cosine_ops) WITH (ef_construction = 200)
"""
UPSERT = """
INSERT INTO {table}
SELECT * FROM unnest(%(ids)s::text[], %(documents)s::text[], %(vectors)s::text[]::halfvec[], %(metadata)s::jsonb[])
ON CONFLICT (chunk_id) DO UPDATE
SET document_id = excluded.document_id, vector = excluded.vector, metadata = excluded.metadata
"""
TUNE = """
SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', %(ef)s, true),
       set_config('hnsw.max_scan_tuples', '200000', true), set_config('hnsw.scan_mem_multiplier', '16', true)
"""
SEARCH = """
SELECT chunk_id AS point_id, 1 - (vector <=> %(vector)s::halfvec) AS score FROM {table} WHERE {conditions}
ORDER BY vector <=> %(vector)s::halfvec LIMIT %(limit)s
"""
DELETE = "DELETE FROM {table} WHERE chunk_id = ANY(%(ids)s)"
SCAN = "SELECT chunk_id FROM {table} WHERE chunk_id > %(after)s ORDER BY chunk_id LIMIT 5000"
COUNT = "SELECT count(*) AS points FROM {table}"
DROP = "DROP TABLE IF EXISTS {table}"


def connect(url: str) -> PgVector:
    return PgVector(url)


class PgVector:
    def __init__(self, url: str) -> None:
        self._database = Database(url)

    async def create(self, index: str, dimension: int) -> None:
        if dimension > MAX_DIMENSION:
            raise InvalidConfiguration(f"pgvector takes embeddings of up to {MAX_DIMENSION} numbers, not {dimension}")
        async with self._database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('vectors'))")
            await _extend(connection)
            found = await (await connection.execute(WIDTH, {"table": _table(index)})).fetchone()
            if found is None:
                await connection.execute(CREATE.format(table=_table(index), dimension=dimension))
            elif found["width"] != dimension:
                raise InvalidConfiguration(
                    f"The index {index} holds vectors of {found['width']} numbers, not {dimension}"
                )

    async def upsert(self, index: str, points: Sequence[Point]) -> None:
        rows = {point.id: point for point in points}.values()  # the last one of each id, as if one by one
        await self._database.rows(
            UPSERT.format(table=_table(index)),
            {
                "ids": [row.id for row in rows],
                "documents": [row.document_id for row in rows],
                "vectors": [_literal(row.vector) for row in rows],
                "metadata": [json.dumps(dict(row.metadata)) for row in rows],
            },
        )

    async def search(self, index: str, vector: Sequence[float], limit: int, filters: Filters) -> list[Match]:
        conditions, parameters = matching("metadata", filters)
        statement = SEARCH.format(table=_table(index), conditions=conditions)
        asked = max(limit, FEWEST)
        async with self._database.transaction() as connection:
            await connection.execute(TUNE, {"ef": str(min(max(2 * asked, EF), 1000))})
            wanted = {"vector": _literal(vector), "limit": asked, **parameters}
            rows = await (await connection.execute(statement, wanted)).fetchall()
            if filters and len(rows) < asked:  # few points pass: compare them all, since a graph may not reach each
                await connection.execute("SET LOCAL enable_indexscan = off")
                rows = await (await connection.execute(statement, wanted)).fetchall()
            return [Match(**row) for row in rows[:limit]]

    async def delete(self, index: str, ids: Collection[str]) -> None:
        if await self._exists(index):
            await self._database.rows(DELETE.format(table=_table(index)), {"ids": list(ids)})

    async def scan(self, index: str) -> AsyncIterator[list[str]]:
        after = ""
        while rows := await self._database.rows(SCAN.format(table=_table(index)), {"after": after}):
            yield [row["chunk_id"] for row in rows]
            after = rows[-1]["chunk_id"]

    async def count(self, index: str) -> int:
        if not await self._exists(index):
            return 0
        row = await self._database.row(COUNT.format(table=_table(index)))
        return row["points"] if row else 0

    async def _exists(self, index: str) -> bool:
        return await self._database.row(WIDTH, {"table": _table(index)}) is not None

    async def drop(self, index: str) -> None:
        await self._database.rows(DROP.format(table=_table(index)))

    async def ping(self) -> None:
        await self._database.rows("SELECT 1")

    async def close(self) -> None:
        await self._database.close()


async def _extend(connection: AsyncConnection[Any]) -> None:
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except (psycopg.NotSupportedError, psycopg.errors.UndefinedFile, psycopg.errors.InsufficientPrivilege) as error:
        raise InvalidConfiguration(
            "PostgreSQL cannot enable the extension « vector »: install pgvector 0.8 or later on the server, and have "
            "an administrator run `CREATE EXTENSION vector` in this database"
        ) from error
    row = await (await connection.execute(PLACE)).fetchone()
    if row and not row["found"]:
        raise InvalidConfiguration(
            f"pgvector is in the schema {row['schema']}, which is not on the search path: add "
            f"?options=-csearch_path%3Dpublic,{row['schema']} to VECTOR_DB_URL, or to DATABASE_URL where that is unset"
        )


def _table(index: str) -> str:
    return '"vectors_' + index.replace('"', "") + '"'


def _literal(vector: Sequence[float]) -> str:
    return "[" + ",".join(map(repr, map(float, vector))) + "]"
