"""Services in memory, for tests of what is built on them: the same calls as the real ones, nothing behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2

from chatbot import settings
from chatbot.adapters.documents import document_id
from chatbot.adapters.fetch import Fetcher
from chatbot.adapters.limits import Pace, Subject
from chatbot.bootstrap import Services
from chatbot.domain import (
    Answer,
    ApiKey,
    Chunk,
    Citation,
    Document,
    InvalidConfiguration,
    Job,
    LimitReached,
    Passage,
    Question,
    Scope,
    Unavailable,
    UnreadableDocument,
    Usage,
)
from chatbot.rag.answer import Cited, Done, Event, Sources, Spent, Token
from chatbot.web.app import create_app
from tests.processes import NOWHERE

DOWN = Unavailable("the model", "try again later")

PASSAGE = Passage(
    chunk=Chunk("c1", "d1", 0, "A carbon tax weighs on poor households.", "Results", 12, "en"),
    title="Carbon pricing",
    source="carbon.pdf",
    score=0.9,
)
CITATION = Citation(1, "c1", "d1", "Carbon pricing", "carbon.pdf", 12, "Results", "weighs on poor households")


class FakeAnswerer:
    """Says WORDS [1]; `pause` seconds between pieces; `error` is raised after `after` pieces of text."""

    words = ("It weighs ", "on poor households ", "[1].")

    def __init__(self, pause: float = 0, error: Exception | None = None, after: int = 0) -> None:
        self.pause, self.error, self.after = pause, error, after
        self.questions: list[Question] = []

    async def stream(self, question: Question) -> AsyncIterator[Event]:
        self.questions.append(question)
        yield Sources([PASSAGE])
        for number, word in enumerate(self.words):
            if self.error and number == self.after:
                raise self.error
            await asyncio.sleep(self.pause)
            yield Token(word)
        usage = Usage(800, 3)
        yield Cited(CITATION)
        yield Spent(usage)
        yield Done(Answer("".join(self.words), [CITATION], True, question.language, "fake", usage))


class FakeRetriever:
    embedding_model = "fake"

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, Any]] = []

    async def search(self, text: str, limit: int, filters: Any) -> list[Passage]:
        self.calls.append((text, limit, filters))
        return [PASSAGE]


class FakeDocuments:
    def __init__(self) -> None:
        self.rows: dict[str, Document] = {}

    async def get(self, id: str) -> Document | None:
        return self.rows.get(id)

    async def list(self, limit: int, after: str | None = None) -> list[Document]:
        return [self.rows[id] for id in sorted(self.rows) if id > (after or "")][:limit]

    async def count(self) -> tuple[int, int]:
        return len(self.rows), sum(row.chunks for row in self.rows.values())


class FakeIngester:
    """Content is "searchable" as soon as it is registered; `.xyz` is a type that cannot be read."""

    def __init__(self, documents: FakeDocuments) -> None:
        self.documents, self.contents = documents, dict[str, bytes]()

    async def register(self, source: str, name: str, content: bytes, metadata: Any = None) -> tuple[Document, bool]:
        if name.endswith(".xyz"):
            raise UnreadableDocument("Files of type .xyz cannot be read.")
        id = document_id(source)
        changed = self.contents.get(id) != content
        self.contents[id] = content
        self.documents.rows[id] = Document(id, source, name, "text/plain", "en", metadata or {}, None)
        return self.documents.rows[id], changed

    async def duplicate(self, source: str, content: bytes) -> Document | None:
        same = (id for id, each in self.contents.items() if each == content and id != document_id(source))
        return self.documents.rows.get(next(same, ""))

    async def announce(self, url: str, metadata: Any = None) -> Document:
        source = Fetcher(max_bytes=0, seconds=0).check(url)
        document = Document(document_id(source), source, source, "", "en", metadata or {}, None)
        self.documents.rows[document.id] = document
        return document

    async def remove(self, id: str) -> bool:
        return self.documents.rows.pop(id, None) is not None


class FakeJobs:
    def __init__(self) -> None:
        self.rows: dict[str, Job] = {}

    async def create(self, kind: str, document_id: str | None, idempotency_key: str | None = None) -> Job:
        for row in self.rows.values():
            if idempotency_key and row.idempotency_key == idempotency_key:
                return row
        job = Job(f"j{len(self.rows)}", kind, document_id, "pending", idempotency_key=idempotency_key)
        self.rows[job.id] = job
        return job

    async def get(self, id: str) -> Job | None:
        return self.rows.get(id)

    async def counts(self) -> dict[str, int]:
        return Counter(row.state for row in self.rows.values())

    async def hand_over(self, send: Callable[[str], Awaitable[None]], limit: int, id: str | None = None) -> int:
        pending = [row for row in self.rows.values() if row.state == "pending" and id in (None, row.id)][:limit]
        for row in pending:
            await send(row.id)
            self.rows[row.id] = replace(row, state="queued")
        return len(pending)


class FakeKeys:
    """Keys in memory: cb_0…, cb_1…, of the right form."""

    def __init__(self) -> None:
        self.rows: dict[str, ApiKey] = {}
        self.down = False

    async def create(self, name: str, scopes: frozenset[Scope]) -> tuple[ApiKey, str]:
        secret = f"cb_{len(self.rows):A<43}"
        self.rows[secret] = ApiKey(f"k{len(self.rows)}", name, secret[:9], scopes, datetime.now(UTC))
        return self.rows[secret], secret

    async def find(self, secret: str) -> ApiKey | None:
        if self.down:
            raise DOWN
        key = self.rows.get(secret)
        return None if key is None or key.revoked_at else key

    async def list(self) -> list[ApiKey]:
        return [*self.rows.values()]

    async def revoke(self, id: str) -> bool:
        for secret, key in self.rows.items():
            if key.id == id and not key.revoked_at:
                self.rows[secret] = replace(key, revoked_at=datetime.now(UTC))
                return True
        return False


class FakeLimits:
    """Counts for ever: nothing comes back with time."""

    def __init__(self, per_minute: int = 0, daily_tokens: int = 0) -> None:
        self.per_minute, self.daily_tokens = per_minute, daily_tokens
        self.requests, self.tokens = Counter[str](), Counter[str]()
        self.down = False

    async def take(self, subjects: Sequence[Subject]) -> Pace | None:
        if self.down:
            raise DOWN
        for subject in subjects:
            if self.requests[subject.name] >= self.per_minute * subject.share:
                raise LimitReached("There were too many requests in a minute; wait a moment.", 7)
            self.requests[subject.name] += 1
        return Pace(self.per_minute, self.per_minute - self.requests[subjects[-1].name], 30)

    async def afford(self, subjects: Sequence[Subject]) -> None:
        if self.daily_tokens and any(self.tokens[s.name] >= self.daily_tokens * s.share for s in subjects):
            raise LimitReached("The tokens of this day are used up.", 3600)

    async def spend(self, subjects: Sequence[Subject], tokens: int) -> None:
        self.tokens.update({subject.name: tokens for subject in subjects})


class FakeResource:
    """A vector store or a queue that answers, unless it is told to be `down`, or `silent`."""

    def __init__(self) -> None:
        self.down = self.silent = self.closed = False
        self.sent: list[str] = []

    async def ping(self) -> None:
        if self.silent:
            await asyncio.sleep(60)
        if self.down:
            raise Unavailable("it", "start it")

    async def send(self, job_id: str) -> None:
        await self.ping()
        self.sent.append(job_id)

    async def depth(self) -> int:
        await self.ping()
        return len(self.sent)

    async def close(self) -> None:
        self.closed = True


class FakeDatabase:
    """A database that answers a ping; `tables` False: nothing was migrated yet."""

    def __init__(self) -> None:
        self.tables = True
        self.closed = False

    async def ping(self) -> None:
        if not self.tables:
            raise InvalidConfiguration("The database has no tables yet: run `chatbot run migrate`")

    async def close(self) -> None:
        self.closed = True


def fake_services(answerer: FakeAnswerer | None = None, **variables: Any) -> Services:
    """Services with nothing behind; `variables` are settings."""
    documents = FakeDocuments()
    urls = {**NOWHERE, "DATABASE_URL": "postgresql://user:secret-password@127.0.0.1:1/none"}
    given = {**{name.lower(): url for name, url in urls.items()}, "max_document_mb": 0.5, **variables}
    return Services(
        settings=settings.load(**given),
        database=FakeDatabase(),
        documents=documents,
        jobs=FakeJobs(),
        lexical=None,
        vectors=FakeResource(),
        queue=FakeResource(),
        embedder=FakeResource(),
        model=FakeResource(),
        retriever=FakeRetriever(),
        answerer=answerer or FakeAnswerer(),
        ingester=FakeIngester(documents),
        keys=FakeKeys(),
        limits=FakeLimits(given.get("rate_limit_per_minute", 0), given.get("daily_tokens", 0)),
        issuer=None,
    )


def client_of(services: Services) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(create_app(services)), base_url="http://bot")
