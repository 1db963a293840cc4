"""Which vector indexes there are, and which of them is the active one.

    await indexes.begin(name, model, dimension)      # from now on it is filled, beside the active one
    await indexes.activate(name)                     # True: every chunk is in it, and it is the active one

Each process searches the index of its own model, by its name; "active" says which one has to be complete. One that was
replaced stays for a while, for processes that still run with its model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chatbot.storage.database import Database

# Retired at -infinity: nobody uses it any more, and it is being dropped.
INDEXES = "SELECT name, model, dimension, active FROM indexes WHERE retired_at IS DISTINCT FROM '-infinity'"
BEGIN = """
INSERT INTO indexes (name, model, dimension, active) VALUES (%(name)s, %(model)s, %(dimension)s, false)
ON CONFLICT (name) DO UPDATE SET retired_at = NULL
"""
FIRST = """
UPDATE indexes SET active = true, retired_at = NULL
WHERE name = %(name)s AND NOT EXISTS (SELECT FROM indexes WHERE active)
"""
UNEMBEDDED = """
FROM chunks LEFT JOIN document_versions AS versions USING (document_id)
WHERE NOT EXISTS (
    SELECT FROM embeddings WHERE chunk_key = chunks.key AND index_name = %(index)s AND stored_at IS NOT NULL
        AND version >= coalesce(described, 0)
)
"""
"""Chunks without a vector in that index, or with one that carries former metadata."""


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """A vector index and the model whose vectors it holds."""

    name: str
    model: str
    dimension: int
    active: bool


def index_name(model: str, dimension: int) -> str:
    """A name that every vector database takes: [a-z0-9_-], 3 to 50 characters, e.g. multilingual-e5-small_384."""
    suffix = f"_{dimension}"
    plain = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-") or "model"
    return plain[: 50 - len(suffix)] + suffix


class Indexes:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> Sequence[IndexRecord]:
        rows = await self._database.rows(f"{INDEXES} ORDER BY name")
        return [IndexRecord(**row) for row in rows]

    async def find(self, name: str) -> IndexRecord | None:
        row = await self._database.row(f"{INDEXES} AND name = %(name)s", {"name": name})
        return None if row is None else IndexRecord(**row)

    async def active(self) -> IndexRecord | None:
        return next((index for index in await self.list() if index.active), None)

    async def begin(self, name: str, model: str, dimension: int) -> None:
        """Keep an index that is to be filled; the first one of all is the active one."""
        values = {"name": name, "model": model, "dimension": dimension}
        async with self._database.transaction() as connection:
            # Two first uses at once would otherwise meet on the unique index over the active row.
            await connection.execute("LOCK TABLE indexes IN SHARE ROW EXCLUSIVE MODE")
            await connection.execute(BEGIN, values)
            await connection.execute(FIRST, values)

    async def activate(self, name: str) -> bool:
        """Make this index the active one; False, and nothing is changed, while it lacks a chunk.

        No document changes what is found of it while this is looked at.
        """
        async with self._database.transaction() as connection:
            await connection.execute("LOCK TABLE indexes IN SHARE ROW EXCLUSIVE MODE")
            await connection.execute("LOCK TABLE chunks IN SHARE MODE")
            lacking = await connection.execute(f"SELECT true AS lacking {UNEMBEDDED} LIMIT 1", {"index": name})
            if await lacking.fetchone():
                return False
            await connection.execute(
                "UPDATE indexes SET active = false, retired_at = now() WHERE active AND name <> %s", [name]
            )
            await connection.execute("UPDATE indexes SET active = true, retired_at = NULL WHERE name = %s", [name])
            return True

    async def retired(self, seconds: float) -> Sequence[str]:
        """Indexes that were replaced so many seconds ago, or longer."""
        old = "SELECT name FROM indexes WHERE retired_at <= now() - %(seconds)s * interval '1 second'"
        return [row["name"] for row in await self._database.rows(old, {"seconds": seconds})]

    async def close(self, name: str) -> None:
        """Let nobody search or fill a replaced index any more: it is about to be dropped."""
        closed = "UPDATE indexes SET retired_at = '-infinity' WHERE name = %(name)s AND retired_at IS NOT NULL"
        await self._database.rows(closed, {"name": name})

    async def forget(self, name: str) -> None:
        """Keep no record of a replaced index, nor of what was in it."""
        await self._database.rows(
            "DELETE FROM indexes WHERE name = %(name)s AND retired_at IS NOT NULL", {"name": name}
        )
