"""Documents, vectors and jobs in memory, and an embedder that counts: enough for an Ingester to work for real."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chatbot.domain import Chunk, Document, Job, Metadata, ParsedDocument, Point, Unavailable, UnreadableDocument
from chatbot.ingestion.parsing.parse import parse
from chatbot.storage.documents import IndexRecord, document_id


@dataclass
class MemoryDocuments:
    rows: dict[str, Document] = field(default_factory=dict)
    originals: dict[str, bytes] = field(default_factory=dict)
    held: dict[str, list[Chunk]] = field(default_factory=dict)
    records: list[IndexRecord] = field(default_factory=list)

    async def register(
        self, source: str, title: str, media_type: str, language: Any, metadata: Metadata, content: bytes
    ) -> Document:
        id = document_id(source)
        known = self.rows.get(id)
        content_hash, chunks = (known.content_hash, known.chunks) if known else (None, 0)
        self.rows[id] = Document(id, source, title, media_type, language, metadata, content_hash, chunks)
        self.originals[id] = content
        return self.rows[id]

    async def announce(self, source: str, title: str, metadata: Metadata) -> Document:
        id = document_id(source)
        known = self.rows.get(id) or Document(id, source, title, "", "en", {}, None)
        same = metadata.items() <= dict(known.metadata).items()
        merged = {**known.metadata, **metadata}
        self.rows[id] = replace(known, metadata=merged, content_hash=known.content_hash if same else None)
        return self.rows[id]

    async def keep(self, id: str, media_type: str, content: bytes) -> bool:
        if id in self.rows:
            self.rows[id] = replace(self.rows[id], media_type=media_type)
            self.originals[id] = content
        return id in self.rows

    async def same_content(self, digest: str, id: str) -> Document | None:
        return next((row for row in self.rows.values() if row.content_hash == digest and row.id != id), None)

    async def get(self, id: str) -> Document | None:
        return self.rows.get(id)

    async def find(self, source: str) -> Document | None:
        return self.rows.get(document_id(source))

    async def list(self, limit: int, after: str | None = None) -> list[Document]:
        return [self.rows[id] for id in sorted(self.rows) if id > (after or "")][:limit]

    async def original(self, id: str) -> bytes | None:
        return self.originals.get(id)

    async def describe(self, id: str, **found: Any) -> None:
        self.rows[id] = replace(self.rows[id], **found)

    async def chunk_ids(self, id: str) -> set[str]:
        return {chunk.id for chunk in self.held.get(id, [])}

    async def chunks(self, id: str) -> Sequence[Chunk]:
        return self.held.get(id, [])

    async def replace_chunks(self, id: str, chunks: Sequence[Chunk], content_hash: str) -> None:
        if id not in self.rows:
            raise UnreadableDocument("The document was removed while it was being read.")
        self.held[id] = sorted(chunks, key=lambda each: each.position)
        self.rows[id] = replace(self.rows[id], content_hash=content_hash, chunks=len(chunks))

    async def delete(self, id: str) -> bool:
        self.held.pop(id, None)
        self.originals.pop(id, None)
        return self.rows.pop(id, None) is not None

    async def count(self) -> tuple[int, int]:
        return len(self.rows), sum(map(len, self.held.values()))

    async def indexes(self) -> Sequence[IndexRecord]:
        return self.records

    async def active_index(self) -> IndexRecord | None:
        return next((record for record in self.records if record.active), None)

    async def activate_index(self, name: str, model: str, dimension: int) -> None:
        others = [replace(record, active=False) for record in self.records if record.name != name]
        self.records = [*others, IndexRecord(name, model, dimension, True)]


@dataclass
class MemoryVectors:
    indexes: dict[str, dict[str, Point]] = field(default_factory=dict)
    down: bool = False

    async def create(self, index: str, dimension: int) -> None:
        self.indexes.setdefault(index, {})

    async def upsert(self, index: str, points: Sequence[Point]) -> None:
        if self.down:
            raise Unavailable("The vector database", "start it.")
        self.indexes[index].update({point.chunk_id: point for point in points})

    async def delete(self, index: str, document_id: str, keep: Collection[str] = ()) -> None:
        points = self.indexes[index].values()
        gone = [p.chunk_id for p in points if p.document_id == document_id and p.chunk_id not in keep]
        for chunk_id in gone:
            del self.indexes[index][chunk_id]

    async def drop(self, index: str) -> None:
        self.indexes.pop(index, None)


@dataclass
class CountingEmbedder:
    model: str = "tiny"
    dimension: int = 2
    texts: list[str] = field(default_factory=list)

    async def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        self.texts += texts
        return [[1.0, 0.0] for _ in texts]


async def parse_here(content: bytes, name: str) -> ParsedDocument:
    """Without the sandbox."""
    return parse(content, name)


@dataclass
class MemoryJobs:
    rows: dict[str, Job] = field(default_factory=dict)

    async def create(self, kind: str, document_id: str | None, idempotency_key: str | None = None) -> Job:
        job = Job(f"j{len(self.rows)}", kind, document_id, "pending")
        self.rows[job.id] = job
        return job

    async def get(self, id: str) -> Job | None:
        return self.rows.get(id)

    async def start(self, id: str) -> Job | None:
        ready = self.rows[id].state in ("pending", "queued", "running")
        return self._set(id, state="running", attempts=self.rows[id].attempts + 1) if ready else None

    async def progress(self, id: str, fraction: float) -> None:
        self._set_running(id, progress=fraction)

    async def succeed(self, id: str, note: str = "") -> None:
        self._set_running(id, state="succeeded", progress=1.0, note=note or None)

    async def fail(self, id: str, error: str) -> None:
        self._set_running(id, state="failed", error=error)

    async def list(self, state: str | None, limit: int) -> list[Job]:
        return [job for job in reversed(self.rows.values()) if state in (None, job.state)][:limit]

    async def requeue(self, id: str) -> bool:
        stopped = id in self.rows and self.rows[id].state in ("dead", "failed")
        if stopped:
            self._set(id, state="pending", attempts=0, progress=0.0, error=None)
        return stopped

    def _set_running(self, id: str, **values: Any) -> None:
        if self.rows[id].state == "running":
            self._set(id, **values)

    def _set(self, id: str, **values: Any) -> Job:
        self.rows[id] = replace(self.rows[id], **values)
        return self.rows[id]
