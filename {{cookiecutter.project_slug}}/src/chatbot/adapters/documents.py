"""Documents, their originals, chunks and postings in PostgreSQL, and which vector index is searched.

    document = await documents.register("docs/start.md", "Start", "text/markdown", "en", {}, content)
    await documents.replace_chunks(document.id, chunks, content_hash)
    passages = await documents.passages(hits)

The content hash of a document is set in the transaction that makes its chunks findable, and never before.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, RowMapping, Select, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chatbot.adapters import database as db
from chatbot.domain import Chunk, Document, Hit, Language, Metadata, Passage, UnreadableDocument
from chatbot.rag.analyse import terms


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """A vector index and the model whose vectors it holds; searches use the active one."""

    name: str
    model: str
    dimension: int
    active: bool


def document_id(source: str) -> str:
    """The same source is the same document: 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(source.encode()).hexdigest()[:32]


def index_name(model: str, dimension: int) -> str:
    """A name that every vector database takes: [a-z0-9_-], 3 to 50 characters, e.g. multilingual-e5-small_384."""
    suffix = f"_{dimension}"
    plain = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-") or "model"
    return plain[: 50 - len(suffix)] + suffix


class Documents:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def register(
        self, source: str, title: str, media_type: str, language: Language, metadata: Metadata, content: bytes
    ) -> Document:
        """Keep the document and its original; what can be found of it stays as it was until `replace_chunks`."""
        id = document_id(source)
        described = {"title": title, "media_type": media_type, "language": language, "metadata": dict(metadata)}
        original = insert(db.originals).values(document_id=id, content=content)
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(db.documents)
                .values(id=id, source=source, **described)
                .on_conflict_do_update(index_elements=["id"], set_={**described, "updated_at": func.now()})
            )
            await connection.execute(
                original.on_conflict_do_update(
                    index_elements=["document_id"], set_={"content": original.excluded.content}
                )
            )
            return _document((await connection.execute(_documents().where(db.documents.c.id == id))).one())

    async def get(self, id: str) -> Document | None:
        return await self._one(_documents().where(db.documents.c.id == id))

    async def find(self, source: str) -> Document | None:
        return await self._one(_documents().where(db.documents.c.source == source))

    async def list(self, limit: int, after: str | None = None) -> list[Document]:
        """Up to `limit` documents in the order of their ids, from the one that follows `after`."""
        page = _documents().where(db.documents.c.id > (after or "")).order_by(db.documents.c.id).limit(limit)
        async with self._engine.connect() as connection:
            return [_document(row) for row in await connection.execute(page)]

    async def original(self, id: str) -> bytes | None:
        async with self._engine.connect() as connection:
            return await connection.scalar(select(db.originals.c.content).where(db.originals.c.document_id == id))

    async def describe(self, id: str, *, title: str, language: Language, metadata: Metadata) -> None:
        """Record what parsing found out."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(db.documents)
                .where(db.documents.c.id == id)
                .values(title=title, language=language, metadata=dict(metadata), updated_at=func.now())
            )

    async def chunk_ids(self, id: str) -> set[str]:
        async with self._engine.connect() as connection:
            return set(await connection.scalars(select(db.chunks.c.id).where(db.chunks.c.document_id == id)))

    async def chunks(self, id: str) -> Sequence[Chunk]:
        """The document's chunks in reading order."""
        wanted = select(db.chunks).where(db.chunks.c.document_id == id).order_by(db.chunks.c.position)
        async with self._engine.connect() as connection:
            return [_chunk(row._mapping) for row in await connection.execute(wanted)]

    async def replace_chunks(self, id: str, chunks: Sequence[Chunk], content_hash: str) -> None:
        """Make exactly these chunks findable, in one transaction, then vouch for it with `content_hash`.

        Repeating it changes nothing. UnreadableDocument when the document was removed meanwhile.
        """
        async with self._engine.begin() as connection:
            locked = select(db.documents.c.title).where(db.documents.c.id == id).with_for_update()
            title = await connection.scalar(locked)
            if title is None:
                raise UnreadableDocument("The document was removed while it was being read.")
            counts = await asyncio.to_thread(_counts, title, chunks)
            kept = [chunk.id for chunk in chunks]
            await connection.execute(
                delete(db.chunks).where(db.chunks.c.document_id == id, db.chunks.c.id.not_in(kept))
            )
            if chunks:
                await _write_postings(connection, await _write_chunks(connection, chunks, counts), counts)
            await connection.execute(
                update(db.documents)
                .where(db.documents.c.id == id)
                .values(content_hash=content_hash, updated_at=func.now())
            )

    async def delete(self, id: str) -> bool:
        """Remove the document with all that was made of it; False when it was not there."""
        async with self._engine.begin() as connection:
            return bool((await connection.execute(delete(db.documents).where(db.documents.c.id == id))).rowcount)

    async def passages(self, hits: Sequence[Hit]) -> Sequence[Passage]:
        """The hits with all that a citation needs, in their order, without those whose chunk is gone."""
        found = (
            select(db.chunks, db.documents.c.title, db.documents.c.source, db.documents.c.metadata)
            .join(db.documents)
            .where(db.chunks.c.id.in_([hit.chunk_id for hit in hits]))
        )
        async with self._engine.connect() as connection:
            rows = {row.id: row._mapping for row in await connection.execute(found)}
        return [_passage(rows[hit.chunk_id], hit.score) for hit in hits if hit.chunk_id in rows]

    async def count(self) -> tuple[int, int]:
        """How many documents, how many chunks."""
        totals = [select(func.count()).select_from(table).scalar_subquery() for table in (db.documents, db.chunks)]
        async with self._engine.connect() as connection:
            documents, chunks = (await connection.execute(select(*totals))).one()
            return documents, chunks

    async def indexes(self) -> Sequence[IndexRecord]:
        columns = (db.indexes.c.name, db.indexes.c.model, db.indexes.c.dimension, db.indexes.c.active)
        async with self._engine.connect() as connection:
            return [IndexRecord(*row) for row in await connection.execute(select(*columns).order_by(columns[0]))]

    async def active_index(self) -> IndexRecord | None:
        return next((index for index in await self.indexes() if index.active), None)

    async def activate_index(self, name: str, model: str, dimension: int) -> None:
        """Search this index from now on, and no other."""
        values = {"model": model, "dimension": dimension, "active": True}
        async with self._engine.begin() as connection:
            # Two first uses at once would otherwise meet on the unique index over the active row.
            await connection.execute(text("LOCK TABLE indexes IN SHARE ROW EXCLUSIVE MODE"))
            await connection.execute(update(db.indexes).where(db.indexes.c.name != name).values(active=False))
            activated = insert(db.indexes).values(name=name, **values)
            await connection.execute(activated.on_conflict_do_update(index_elements=["name"], set_=values))

    async def _one(self, statement: Select[Any]) -> Document | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
            return None if row is None else _document(row)


def _documents() -> Select[Any]:
    chunks = select(func.count()).where(db.chunks.c.document_id == db.documents.c.id).scalar_subquery()
    return select(db.documents, chunks.label("chunks"))


def _document(row: Row[Any]) -> Document:
    return Document(**row._mapping)


def _chunk(row: RowMapping) -> Chunk:
    return Chunk(**{name: row[name] for name in Chunk.__slots__})


def _passage(row: RowMapping, score: float) -> Passage:
    return Passage(_chunk(row), row["title"], row["source"], score, metadata=row["metadata"])


def _counts(title: str, chunks: Sequence[Chunk]) -> list[Counter[str]]:
    """How often each chunk holds each term; the title counts, once, wherever the heading does not repeat it."""
    counts = []
    for chunk in chunks:
        above = chunk.heading if title in chunk.heading else f"{title}\n{chunk.heading}"
        counts.append(Counter(terms(f"{above}\n{chunk.text}", chunk.language)))
    return counts


async def _write_chunks(
    connection: AsyncConnection, chunks: Sequence[Chunk], counts: Sequence[Counter[str]]
) -> list[int]:
    """Insert or update the rows; their keys, in the order of `chunks`."""
    rows = [
        {**{name: getattr(chunk, name) for name in Chunk.__slots__}, "length": count.total()}
        for chunk, count in zip(chunks, counts, strict=True)
    ]
    statement = insert(db.chunks)
    changeable = ("position", "language", "length")
    statement = statement.on_conflict_do_update(
        index_elements=["id"], set_={name: statement.excluded[name] for name in changeable}
    )
    await connection.execute(statement, rows)
    stored = select(db.chunks.c.id, db.chunks.c.key).where(db.chunks.c.document_id == chunks[0].document_id)
    keys = {row.id: row.key for row in await connection.execute(stored)}
    return [keys[chunk.id] for chunk in chunks]


async def _write_postings(connection: AsyncConnection, keys: list[int], counts: Sequence[Counter[str]]) -> None:
    """Write the postings anew, those of kept chunks too: their title or language may be another one."""
    await connection.execute(delete(db.postings).where(db.postings.c.chunk_key.in_(keys)))
    rows = [
        (term, key, min(frequency, 32_767), count.total())
        for key, count in zip(keys, counts, strict=True)
        for term, frequency in count.items()
    ]
    columns = zip(*rows, strict=True) if rows else ([], [], [], [])
    await connection.execute(
        text(
            "INSERT INTO postings (term, chunk_key, frequency, length) SELECT * FROM unnest(CAST(:terms AS text[]),"
            " CAST(:keys AS bigint[]), CAST(:frequencies AS smallint[]), CAST(:lengths AS int[]))"
        ),
        dict(zip(("terms", "keys", "frequencies", "lengths"), map(list, columns), strict=True)),
    )
