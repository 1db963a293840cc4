"""PostgreSQL, a vector store and an embedder in memory: what ingestion and its jobs need, with the same rules.

`Tables` are what all repositories share. Each of their methods is one transaction: it happens at once, after `pause`,
so that a test can stop whoever calls it there, let others go on, or never wake it up again (tests/histories).
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from chatbot.domain import (
    WHOLE,
    Chunk,
    Claim,
    ClaimLost,
    Document,
    Filters,
    Hit,
    Job,
    JobRequest,
    Match,
    Metadata,
    ParsedDocument,
    Passage,
    Point,
    Reading,
    Scalar,
    Unavailable,
    UnreadableDocument,
)
from chatbot.ingestion.parsing.parse import parse
from chatbot.storage.documents import AlreadyAccepted, Description, NewVersion, Wanted, digest, document_id
from chatbot.storage.embeddings import Reserved
from chatbot.storage.indexes import IndexRecord

Pause = Callable[[str], Awaitable[None]]


async def at_once(_: str) -> None: ...


@dataclass
class Row:
    """A document, and the version accepted last."""

    id: str
    source: str
    title: str
    media_type: str
    language: Any
    metadata: Metadata
    accepted: int
    wanted_media_type: str
    given: Metadata
    content_hash: str | None = None
    digest: str | None = None
    content: bytes | None = None
    reading: Reading = WHOLE
    current: int | None = None
    described: int = 0
    changed_at: float = 0.0

    @property
    def up_to_date(self) -> bool:
        return self.current == self.accepted and self.content_hash is not None and self.content_hash == self.digest


@dataclass
class Embedding:
    index: str
    chunk_key: int | None
    version: int
    reserved_at: float
    stored_at: float | None = None


@dataclass
class Tables:
    pause: Pause = at_once
    clock: float = 1_000_000.0
    """Seconds; a test lets them pass."""
    documents: dict[str, Row] = field(default_factory=dict)
    chunks: dict[int, Chunk] = field(default_factory=dict)
    """By key, which is never used again."""
    embeddings: dict[str, Embedding] = field(default_factory=dict)
    indexes: dict[str, IndexRecord] = field(default_factory=dict)
    retired: dict[str, float] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    claims: list[tuple[Claim | None, str | None]] = field(default_factory=list)
    """With what claim each fenced write came, and the token that was the latest then."""

    def tick(self) -> float:
        """No two things happen at the same moment."""
        self.clock += 1e-6
        return self.clock

    def require(self, claim: Claim | None) -> None:
        job = self.jobs.get(claim.job_id) if claim else None
        if claim and (job is None or job.state != "running" or job.token != claim.token):
            raise ClaimLost
        self.claims.append((claim, job.token if job else None))

    def of(self, document_id: str) -> dict[int, Chunk]:
        found = {key: chunk for key, chunk in self.chunks.items() if chunk.document_id == document_id}
        return dict(sorted(found.items(), key=lambda item: item[1].position))

    def remove_chunk(self, key: int) -> None:
        del self.chunks[key]
        for embedding in self.embeddings.values():
            if embedding.chunk_key == key:
                embedding.chunk_key = None

    def unembedded(self, index: str) -> list[int]:
        there = {
            each.chunk_key
            for each in self.embeddings.values()
            if each.chunk_key is not None
            and each.index == index
            and each.stored_at is not None
            and each.version >= self.documents[self.chunks[each.chunk_key].document_id].described
        }
        return [key for key in self.chunks if key not in there]

    def insert_job(self, request: JobRequest, document_id: str | None) -> Job | None:
        key = request.idempotency_key
        if key and any(job.idempotency_key == key for job in self.jobs.values()):
            return None
        id = f"j{len(self.jobs)}"
        begun: dict[str, Any] = {"state": "running", "token": uuid.uuid4().hex, "attempts": 1} if request.begun else {}
        given: dict[str, Any] = {"state": "pending", "idempotency_key": key, "fingerprint": request.fingerprint}
        self.jobs[id] = Job(id=id, kind=request.kind, document_id=document_id, **given | begun)
        self.due[id] = self.heard[id] = self.tick()
        return self.jobs[id]


class Repository:
    def __init__(self, tables: Tables | None = None) -> None:
        self.tables = tables or Tables()


class MemoryDocuments(Repository):
    @property
    def rows(self) -> dict[str, Document]:
        return {id: self._document(row) for id, row in self.tables.documents.items()}

    async def accept(self, source: str, new: NewVersion, request: JobRequest | None) -> tuple[Document, Job | None]:
        await self.tables.pause("accept")
        t, id = self.tables, document_id(source)
        key = request.idempotency_key if request else None
        if key and any(job.idempotency_key == key for job in t.jobs.values()):
            raise AlreadyAccepted
        row, given = t.documents.get(id), dict(new.metadata)
        version = next(t.numbers)
        if row is None:
            row = Row(id, source, new.title, new.media_type, new.language, given, version, new.media_type, given)
            t.documents[id] = row
        elif new.content is None:
            if not given.items() <= dict(row.given).items():
                row.accepted, row.given = version, {**row.given, **given}
        else:
            row.accepted, row.given, row.wanted_media_type = version, given, new.media_type
        if new.content is not None:
            row.content, row.digest = new.content, digest(new.content)
        row.changed_at = t.tick()
        return self._document(row), t.insert_job(request, id) if request else None

    async def fetched(self, id: str, media_type: str, content: bytes, claim: Claim | None = None) -> bool:
        await self.tables.pause("fetched")
        self.tables.require(claim)
        row = self.tables.documents.get(id)
        if row is None:
            return False
        if (row.digest, row.wanted_media_type) != (digest(content), media_type):
            row.accepted = next(self.tables.numbers)
        row.digest, row.content, row.wanted_media_type = digest(content), content, media_type
        return True

    async def wanted(self, id: str) -> Wanted | None:
        await self.tables.pause("wanted")
        row = self.tables.documents.get(id)
        if row is None or row.content is None:
            return None
        return Wanted(id, row.source, row.accepted, row.wanted_media_type, row.given, row.content)

    async def switch(
        self, wanted: Wanted, chunks: Sequence[Chunk], description: Description, claim: Claim | None = None
    ) -> bool:
        await self.tables.pause("switch")
        t = self.tables
        t.require(claim)
        row = t.documents.get(wanted.id)
        if row is None:
            raise UnreadableDocument("The document was removed while it was being read.")
        if row.accepted != wanted.version:
            return False
        if (row.metadata, row.language) != (description.metadata, description.language):
            row.described = row.accepted
        row.title, row.language, row.metadata = description.title, description.language, description.metadata
        row.reading = description.reading
        row.media_type, row.current, row.content_hash = wanted.media_type, row.accepted, digest(wanted.content)
        row.digest, row.changed_at = row.content_hash, t.tick()
        former = {chunk.id: key for key, chunk in t.of(row.id).items()}
        for id in former.keys() - {chunk.id for chunk in chunks}:
            t.remove_chunk(former[id])
        for chunk in chunks:
            t.chunks[former.get(chunk.id) or next(t.numbers)] = chunk
        return True

    async def same_content(self, digest: str, id: str) -> Document | None:
        return next((row for row in self.rows.values() if row.content_hash == digest and row.id != id), None)

    async def get(self, id: str) -> Document | None:
        await self.tables.pause("get")
        return self.rows.get(id)

    async def find(self, source: str) -> Document | None:
        return await self.get(document_id(source))

    async def list(self, limit: int, after: str | None = None) -> list[Document]:
        return [self.rows[id] for id in sorted(self.rows) if id > (after or "")][:limit]

    async def original(self, id: str) -> bytes | None:
        row = self.tables.documents.get(id)
        return row.content if row else None

    async def unattended(self) -> Sequence[tuple[str, bool]]:
        await self.tables.pause("unattended")
        return [
            (row.id, row.content is not None)
            for row in self.tables.documents.values()
            if not row.up_to_date and not self._attended(row)
        ]

    def _attended(self, row: Row) -> bool:
        of = [job for job in self.tables.jobs.values() if job.document_id == row.id]
        return any(
            job.state in ("pending", "queued", "running")
            or (job.state in ("failed", "dead") and self.tables.heard[job.id] >= row.changed_at)
            for job in of
        )

    async def chunk_ids(self, id: str) -> set[str]:
        await self.tables.pause("chunk_ids")
        return {chunk.id for chunk in self.tables.of(id).values()}

    async def chunks(self, id: str, start: int = 0, limit: int | None = None) -> Sequence[Chunk]:
        return [*self.tables.of(id).values()][start:][:limit]

    async def passages(self, hits: Sequence[Hit]) -> Sequence[Passage]:
        known = {chunk.id: chunk for chunk in self.tables.chunks.values()}
        found = [(known[hit.chunk_id], hit.score) for hit in hits if hit.chunk_id in known]
        rows = self.tables.documents
        return [Passage(c, rows[c.document_id].title, rows[c.document_id].source, score) for c, score in found]

    async def delete(self, id: str) -> bool:
        await self.tables.pause("delete")
        for key in self.tables.of(id):
            self.tables.remove_chunk(key)
        return self.tables.documents.pop(id, None) is not None

    async def count(self) -> tuple[int, int]:
        return len(self.tables.documents), len(self.tables.chunks)

    def _document(self, row: Row) -> Document:
        t, keys = self.tables, set(self.tables.of(row.id))
        active = next((each.name for each in t.indexes.values() if each.active), "")
        embedded = len(keys - set(t.unembedded(active))) if active else 0
        return Document(
            row.id,
            row.source,
            row.title,
            row.media_type,
            row.language,
            row.metadata,
            row.content_hash,
            len(keys),
            version=row.accepted,
            up_to_date=row.up_to_date,
            accepted_hash=row.digest,
            given=row.given,
            embedded=embedded,
            reading=row.reading,
        )


class MemoryIndexes(Repository):
    async def list(self) -> Sequence[IndexRecord]:
        await self.tables.pause("indexes")
        return [self.tables.indexes[name] for name in sorted(self.tables.indexes) if not self._closed(name)]

    async def find(self, name: str) -> IndexRecord | None:
        return None if self._closed(name) else self.tables.indexes.get(name)

    def _closed(self, name: str) -> bool:
        return self.tables.retired.get(name) == float("-inf")

    async def active(self) -> IndexRecord | None:
        return next((each for each in self.tables.indexes.values() if each.active), None)

    async def begin(self, name: str, model: str, dimension: int) -> None:
        await self.tables.pause("begin")
        first = not any(each.active for each in self.tables.indexes.values())
        self.tables.retired.pop(name, None)
        self.tables.indexes.setdefault(name, IndexRecord(name, model, dimension, first))

    async def activate(self, name: str) -> bool:
        await self.tables.pause("activate")
        t = self.tables
        if t.unembedded(name):
            return False
        t.retired |= {each.name: t.tick() for each in t.indexes.values() if each.active and each.name != name}
        t.retired.pop(name, None)
        t.indexes = {each.name: replace(each, active=each.name == name) for each in t.indexes.values()}
        return True

    async def retired(self, seconds: float) -> Sequence[str]:
        await self.tables.pause("retired")
        return [name for name, since in self.tables.retired.items() if since <= self.tables.clock - seconds]

    async def close(self, name: str) -> None:
        await self.tables.pause("close index")
        if name in self.tables.retired:
            self.tables.retired[name] = float("-inf")

    async def forget(self, name: str) -> None:
        await self.tables.pause("forget index")
        t = self.tables
        if t.retired.pop(name, None) is not None:
            del t.indexes[name]
            t.embeddings = {id: each for id, each in t.embeddings.items() if each.index != name}


class MemoryEmbeddings(Repository):
    reservation = 600.0

    async def reserve(self, index: str, document_id: str, limit: int) -> Sequence[Reserved]:
        await self.tables.pause("reserve")
        t = self.tables
        row = t.documents.get(document_id)
        if row is None:
            return []
        lacking = set(t.unembedded(index))
        reserved = []
        for key, chunk in t.of(document_id).items():
            if key in lacking and len(reserved) < limit:
                id = f"p{next(t.numbers)}"
                t.embeddings[id] = Embedding(index, key, row.described, t.tick())
                reserved.append(Reserved(id, chunk, row.title, {**row.metadata, "language": row.language}))
        return reserved

    async def record(self, document_id: str, ids: Collection[str], claim: Claim | None = None) -> set[str]:
        await self.tables.pause("record")
        t = self.tables
        t.require(claim)
        mine = {id: t.embeddings[id] for id in ids if id in t.embeddings and t.embeddings[id].chunk_key is not None}
        recorded = set[str]()
        for id, each in mine.items():
            others = [
                other
                for key, other in t.embeddings.items()
                if key != id and (other.chunk_key, other.index) == (each.chunk_key, each.index)
            ]
            if any(other.stored_at is not None and other.version > each.version for other in others):
                each.chunk_key = None
                continue
            each.stored_at = t.tick()
            recorded.add(id)
            for other in others:
                if other.version <= each.version:
                    other.chunk_key = None
        return set(ids) - recorded

    async def chunks(self, index: str, matches: Sequence[Match], filters: Filters) -> list[Hit]:
        t, best = self.tables, dict[str, Hit]()
        for match in matches:
            each = t.embeddings.get(match.point_id)
            if each and each.chunk_key is not None and each.index == index and each.stored_at is not None:
                chunk = t.chunks[each.chunk_key]
                row = t.documents[chunk.document_id]
                if _passes({**row.metadata, "language": row.language}, filters):
                    best.setdefault(chunk.id, Hit(chunk.id, match.score))
        return [*best.values()]

    async def incomplete(self, index: str, limit: int) -> Sequence[str]:
        await self.tables.pause("incomplete")
        t = self.tables
        return [*dict.fromkeys(t.chunks[key].document_id for key in t.unembedded(index))][:limit]

    async def unattended(self, index: str, limit: int) -> Sequence[str]:
        t, found = self.tables, await self.incomplete(index, limit)
        at_it = {job.document_id for job in t.jobs.values() if job.state in ("pending", "queued", "running")}
        return [id for id in found if id not in at_it]

    async def garbage(self, limit: int) -> dict[str, list[str]]:
        await self.tables.pause("garbage")
        found: dict[str, list[str]] = {}
        old = self.tables.clock - self.reservation
        for id, each in [*self.tables.embeddings.items()]:
            if each.chunk_key is None and (each.stored_at is not None or each.reserved_at < old):
                found.setdefault(each.index, []).append(id)
        return found

    async def forget(self, ids: Collection[str]) -> None:
        await self.tables.pause("forget")
        for id in ids:
            if id in self.tables.embeddings and self.tables.embeddings[id].chunk_key is None:
                del self.tables.embeddings[id]

    async def unknown(self, index: str, ids: Collection[str]) -> Sequence[str]:
        await self.tables.pause("unknown")
        known = self.tables.embeddings
        return [id for id in ids if id not in known or known[id].index != index]

    async def stored(self, index: str, before: datetime, after: str) -> Sequence[str]:
        await self.tables.pause("stored")
        return sorted(
            id
            for id, each in self.tables.embeddings.items()
            if each.index == index
            and each.chunk_key is not None
            and each.stored_at is not None
            and each.stored_at < before.timestamp()
            and id > after
        )

    async def missing(self, ids: Collection[str]) -> None:
        await self.tables.pause("missing")
        for id in ids:
            if id in self.tables.embeddings:
                self.tables.embeddings[id].chunk_key = None

    async def now(self) -> datetime:
        return datetime.fromtimestamp(self.tables.tick(), UTC)


class MemoryVectors(Repository):
    def __init__(self, tables: Tables | None = None) -> None:
        super().__init__(tables)
        self.indexes: dict[str, dict[str, Point]] = {}
        self.down = False

    async def create(self, index: str, dimension: int) -> None:
        await self._reached("create")
        self.indexes.setdefault(index, {})

    async def upsert(self, index: str, points: Sequence[Point]) -> None:
        for point in points:  # not all at once: whoever writes may die half-way
            await self._reached("upsert")
            self.indexes[index][point.id] = point

    async def search(self, index: str, vector: Sequence[float], limit: int, filters: Filters) -> list[Match]:
        await self._reached("search")
        points = self.indexes[index].values()
        return [Match(point.id, 1.0) for point in points if _passes(point.metadata, filters)][:limit]

    async def delete(self, index: str, ids: Collection[str]) -> None:
        for id in ids:
            await self._reached("delete point")
            self.indexes.get(index, {}).pop(id, None)

    async def scan(self, index: str) -> AsyncIterator[list[str]]:
        ids = sorted(self.indexes[index])
        for start in range(0, len(ids), 3):
            await self._reached("scan")
            yield ids[start : start + 3]

    async def drop(self, index: str) -> None:
        await self._reached("drop")
        self.indexes.pop(index, None)

    async def _reached(self, name: str) -> None:
        await self.tables.pause(name)
        if self.down:
            raise Unavailable("The vector database", "start it.")


class CountingEmbedder(Repository):
    def __init__(self, model: str = "tiny", dimension: int = 2, tables: Tables | None = None) -> None:
        super().__init__(tables)
        self.model, self.dimension = model, dimension
        self.texts: list[str] = []

    async def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        await self.tables.pause("embed")
        self.texts += texts
        return [[1.0] + [0.0] * (self.dimension - 1) for _ in texts]

    async def embed_query(self, text: str) -> list[float]:
        return [1.0] + [0.0] * (self.dimension - 1)


async def parse_here(content: bytes, name: str) -> ParsedDocument:
    """Without the sandbox."""
    return parse(content, name)


class MemoryJobs(Repository):
    max_attempts = 3
    lease = 60.0
    outage_budget = 86_400.0

    @property
    def rows(self) -> dict[str, Job]:
        return self.tables.jobs

    async def create(self, request: JobRequest, document_id: str | None) -> Job:
        await self.tables.pause("create job")
        made = self.tables.insert_job(request, document_id)
        return made or next(j for j in self.rows.values() if j.idempotency_key == request.idempotency_key)

    async def attend(self, request: JobRequest, document_id: str) -> bool:
        await self.tables.pause("attend")
        under_way = (
            j.document_id == document_id and j.state in ("pending", "queued", "running") for j in self.rows.values()
        )
        if document_id not in self.tables.documents or any(under_way):
            return False
        return self.tables.insert_job(request, document_id) is not None

    async def get(self, id: str) -> Job | None:
        return self.rows.get(id)

    async def find(self, idempotency_key: str) -> Job | None:
        return next((job for job in self.rows.values() if job.idempotency_key == idempotency_key), None)

    async def list(self, state: str | None, limit: int) -> list[Job]:
        return [job for job in reversed(self.rows.values()) if state in (None, job.state)][:limit]

    async def to_send(self, limit: int, id: str | None = None) -> Sequence[str]:
        await self.tables.pause("to_send")
        due = [
            job.id
            for job in self.rows.values()
            if job.state in ("pending", "queued") and self.tables.due[job.id] <= self.tables.clock
        ]
        claimed = [each for each in due if id in (None, each)][:limit]
        for each in claimed:
            self._set(each, state="queued")
            self.tables.due[each] = self.tables.clock + 30
        return claimed

    async def sent(self, ids: Sequence[str]) -> None:
        await self.tables.pause("sent")
        for id in ids:
            self.tables.due[id] = float("inf")

    async def unsent(self, ids: Sequence[str]) -> None:
        await self.tables.pause("unsent")
        for id in ids:
            if self.rows[id].state == "queued":
                self._set(id, state="pending")
                self.tables.due[id] = self.tables.clock

    async def start(self, id: str) -> Job | None:
        await self.tables.pause("start")
        job = self.rows.get(id)
        waits = job is None or (job.state == "pending" and self.tables.due[id] > self.tables.clock)
        if job is None or waits or job.state not in ("pending", "queued"):
            return None
        return self._set(id, state="running", token=uuid.uuid4().hex, attempts=job.attempts + 1)

    async def beat(self, claim: Claim, progress: float = 0.0) -> None:
        await self.tables.pause("beat")
        self.tables.require(claim)
        self._set(claim.job_id, progress=max(progress, self.rows[claim.job_id].progress))

    async def succeed(self, claim: Claim, note: str = "") -> str:
        await self._end(claim, state="succeeded", progress=1.0, error=None, note=note or None)
        return "succeeded"

    async def fail(self, claim: Claim, error: str) -> str:
        await self._end(claim, state="failed", error=error)
        return "failed"

    async def retry(self, claim: Claim, error: str) -> str:
        attempts = self.rows[claim.job_id].attempts
        await self._end(claim, state="dead" if attempts >= self.max_attempts else "pending", error=error)
        return self.rows[claim.job_id].state

    async def wait(self, claim: Claim, error: str) -> str:
        job = self.rows[claim.job_id]
        since = job.waiting_since or datetime.fromtimestamp(self.tables.clock, UTC)
        over = self.tables.clock - since.timestamp() > self.outage_budget
        values: dict[str, Any] = {"attempts": job.attempts - 1, "waiting_since": since, "error": error}
        await self._end(claim, state="dead" if over else "pending", **values)
        return self.rows[claim.job_id].state

    async def release(self, claim: Claim, attempted: bool = False) -> None:
        attempts = self.rows[claim.job_id].attempts - int(not attempted)
        await self._end(claim, state="pending", attempts=attempts)

    async def _end(self, claim: Claim, **values: Any) -> None:
        await self.tables.pause("end")
        self.tables.require(claim)
        self._set(claim.job_id, **values)
        self.tables.due[claim.job_id] = self.tables.clock

    async def requeue(self, id: str) -> bool:
        stopped = id in self.rows and self.rows[id].state in ("dead", "failed")
        if stopped:
            self._set(id, state="pending", attempts=0, progress=0.0, error=None, waiting_since=None)
            self.tables.due[id] = self.tables.clock
        return stopped

    async def recover_abandoned(self) -> int:
        await self.tables.pause("recover")
        silent = [
            job
            for job in self.rows.values()
            if job.state == "running" and self.tables.heard[job.id] < self.tables.clock - self.lease
        ]
        for job in silent:
            dead = job.attempts >= self.max_attempts
            self._set(job.id, state="dead" if dead else "pending", token=None)
            self.tables.due[job.id] = self.tables.clock
        return len(silent)

    async def recover_lost(self, empty: bool) -> int:
        return 0

    def _set(self, id: str, **values: Any) -> Job:
        self.rows[id] = replace(self.rows[id], **values)
        self.tables.heard[id] = self.tables.tick()
        return self.rows[id]


def _passes(known: Metadata, filters: Filters) -> bool:
    def values(value: Any) -> Sequence[Scalar]:
        return value if isinstance(value, list | tuple) else [value]

    return all(key in known and set(values(known[key])) & set(accepted) for key, accepted in filters.items())
