"""Which chunk is embedded in which vector index: a record of each point, from before it is written until it is removed.

    reserved = await embeddings.reserve(index, document_id, 16)
    await vectors.upsert(index, [… for each in reserved])
    lost = await embeddings.record(document_id, [each.point_id for each in reserved], claim)

A point's id is never used again, and there is a row of it before there is a point. So whatever the store holds without
a row can be removed at any time, and a row that lost its chunk is a point to be removed: nothing that can be found is
ever hit. What is found by meaning is decided here: a match counts only while its row leads to a chunk.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from chatbot.domain import Chunk, Claim, Filters, Hit, Match, Metadata
from chatbot.storage import jobs
from chatbot.storage.database import Database, matching
from chatbot.storage.documents import chunk_of
from chatbot.storage.indexes import UNEMBEDDED

RESERVATION = 600.0
"""Seconds within which a reserved point is written, or not at all."""

RESERVE = f"""
WITH wanted AS (
    SELECT key, coalesce(described, 0) AS version {UNEMBEDDED} AND document_id = %(id)s
    ORDER BY position LIMIT %(limit)s
), made AS (
    INSERT INTO embeddings (index_name, chunk_key, version) SELECT %(index)s, key, version FROM wanted
    RETURNING id AS point_id, chunk_key
)
SELECT point_id, chunks.*, title, metadata || jsonb_build_object('language', documents.language) AS payload
FROM made JOIN chunks ON key = chunk_key JOIN documents ON documents.id = document_id ORDER BY position
"""
RECORD = """
UPDATE embeddings AS mine SET stored_at = clock_timestamp()
WHERE id = ANY(%(ids)s) AND chunk_key IS NOT NULL AND NOT EXISTS (
    SELECT FROM embeddings AS newer WHERE newer.chunk_key = mine.chunk_key AND newer.index_name = mine.index_name
        AND newer.stored_at IS NOT NULL AND newer.version > mine.version
) RETURNING id
"""
SUPERSEDE = """
UPDATE embeddings AS former SET chunk_key = NULL FROM embeddings AS mine
WHERE mine.id = ANY(%(recorded)s) AND former.chunk_key = mine.chunk_key AND former.index_name = mine.index_name
    AND former.id <> ALL(%(recorded)s) AND former.version <= mine.version
"""
UNRECORDED = "UPDATE embeddings SET chunk_key = NULL WHERE id = ANY(%(ids)s) AND stored_at IS NULL"
FOUND = """
SELECT embeddings.id AS point_id, chunks.id AS chunk_id FROM embeddings JOIN chunks ON chunks.key = chunk_key
JOIN (SELECT id, metadata || jsonb_build_object('language', language) AS known FROM documents) AS described
    ON described.id = document_id
WHERE embeddings.id = ANY(%(ids)s) AND index_name = %(index)s AND stored_at IS NOT NULL AND {conditions}
"""
GARBAGE = """
SELECT index_name, id FROM embeddings
WHERE chunk_key IS NULL AND (stored_at IS NOT NULL OR reserved_at < now() - %(reservation)s * interval '1 second')
ORDER BY reserved_at LIMIT %(limit)s
"""
UNKNOWN = """
SELECT id FROM unnest(%(ids)s::text[]) AS there (id)
WHERE NOT EXISTS (SELECT FROM embeddings WHERE embeddings.id = there.id AND index_name = %(index)s)
"""
STORED = """
SELECT id FROM embeddings WHERE index_name = %(index)s AND chunk_key IS NOT NULL
    AND stored_at < %(before)s AND id > %(after)s ORDER BY id LIMIT 10000
"""
# No order: what is left out this time is found the next time.
INCOMPLETE = f"SELECT DISTINCT document_id {UNEMBEDDED} LIMIT %(limit)s"
UNATTENDED = f"""
{INCOMPLETE.removesuffix("LIMIT %(limit)s")} AND NOT EXISTS (
    SELECT FROM jobs WHERE jobs.document_id = chunks.document_id AND state IN ('pending', 'queued', 'running')
) LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Reserved:
    """A chunk to embed, and the point that it may become."""

    point_id: str
    chunk: Chunk
    title: str
    payload: Metadata
    """What searches may filter on."""


class Embeddings:
    def __init__(self, database: Database, reservation: float = RESERVATION) -> None:
        self._database = database
        self.reservation = reservation

    async def reserve(self, index: str, document_id: str, limit: int) -> Sequence[Reserved]:
        """Up to so many of the document's chunks that are not in that index, in reading order; none: all are."""
        async with self._database.transaction() as connection:
            # Its chunks stay until the reservations are there.
            locked = await connection.execute("SELECT FROM documents WHERE id = %s FOR SHARE", [document_id])
            if await locked.fetchone() is None:
                return []
            made = await connection.execute(RESERVE, {"index": index, "id": document_id, "limit": limit})
            rows = await made.fetchall()
        return [Reserved(row["point_id"], chunk_of(row), row["title"], row["payload"]) for row in rows]

    async def record(self, document_id: str, ids: Collection[str], claim: Claim | None = None) -> set[str]:
        """The store holds these points: let them be found, in place of former ones of their chunks.

        Returns those that will not be: their chunk is gone, or another attempt was there first. They are for the caller
        to remove. ClaimLost: none will be found.
        """
        async with self._database.transaction() as connection:
            await jobs.require(connection, claim)
            # One at a time for each document; whoever removes or switches it takes the same lock first.
            await connection.execute("SELECT FROM documents WHERE id = %s FOR UPDATE", [document_id])
            kept = await (await connection.execute(RECORD, {"ids": list(ids)})).fetchall()
            recorded = {row["id"] for row in kept}
            await connection.execute(SUPERSEDE, {"recorded": list(recorded)})
            await connection.execute(UNRECORDED, {"ids": list(ids)})
        return set(ids) - recorded

    async def chunks(self, index: str, matches: Sequence[Match], filters: Filters) -> list[Hit]:
        """The chunks that the matches lead to, best first, each once: those that are current and pass the filters."""
        conditions, values = matching("known", filters)
        values |= {"ids": [match.point_id for match in matches], "index": index}
        rows = await self._database.rows(FOUND.format(conditions=conditions), values)
        chunk_ids = {row["point_id"]: row["chunk_id"] for row in rows}
        best: dict[str, Hit] = {}
        for match in matches:
            if chunk_id := chunk_ids.get(match.point_id):
                best.setdefault(chunk_id, Hit(chunk_id, match.score))
        return list(best.values())

    async def incomplete(self, index: str, limit: int) -> Sequence[str]:
        """Documents with a chunk that is not in the index."""
        return [row["document_id"] for row in await self._database.rows(INCOMPLETE, {"index": index, "limit": limit})]

    async def unattended(self, index: str, limit: int) -> Sequence[str]:
        """Those of them for which no job is there to change that."""
        return [row["document_id"] for row in await self._database.rows(UNATTENDED, {"index": index, "limit": limit})]

    async def garbage(self, limit: int) -> dict[str, list[str]]:
        """Points that can be found no more, by their index: to be removed from the store, then forgotten."""
        found: dict[str, list[str]] = {}
        for row in await self._database.rows(GARBAGE, {"reservation": self.reservation, "limit": limit}):
            found.setdefault(row["index_name"], []).append(row["id"])
        return found

    async def forget(self, ids: Collection[str]) -> None:
        """The store has removed these points."""
        await self._database.rows(
            "DELETE FROM embeddings WHERE id = ANY(%(ids)s) AND chunk_key IS NULL", {"ids": list(ids)}
        )

    async def unknown(self, index: str, ids: Collection[str]) -> Sequence[str]:
        """Those points of a store that nothing leads to: orphans."""
        return [row["id"] for row in await self._database.rows(UNKNOWN, {"index": index, "ids": list(ids)})]

    async def stored(self, index: str, before: datetime, after: str) -> Sequence[str]:
        """Up to 10,000 points that the store should hold since `before`, in the order of ids, from `after` on."""
        return [
            row["id"] for row in await self._database.rows(STORED, {"index": index, "before": before, "after": after})
        ]

    async def missing(self, ids: Collection[str]) -> None:
        """The store has lost these points: their chunks are to be embedded again."""
        await self._database.rows("UPDATE embeddings SET chunk_key = NULL WHERE id = ANY(%(ids)s)", {"ids": list(ids)})

    async def now(self) -> datetime:
        """By the clock of PostgreSQL."""
        row = await self._database.row("SELECT clock_timestamp() AS now")
        assert row
        now: datetime = row["now"]
        return now
