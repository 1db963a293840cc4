"""Services in memory, for tests of what is built on them: the same calls as the real ones, nothing behind.

tests/conformance/test_fakes.py holds them, and those of memory.py, to what PostgreSQL does.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from chatbot import settings
from chatbot.answering.answer import Cited, Done, Event, Sources, Spent, Token
from chatbot.answering.conversation import ChatService
from chatbot.bootstrap import Services
from chatbot.clients.fetch import Fetcher
from chatbot.domain import (
    Answer,
    ApiKey,
    Chunk,
    Citation,
    Consent,
    Conversation,
    Document,
    Feedback,
    InvalidConfiguration,
    Job,
    JobRequest,
    LimitReached,
    Message,
    NotFound,
    Outline,
    Passage,
    Question,
    Scope,
    Turn,
    Unavailable,
    UnreadableDocument,
    Usage,
)
from chatbot.ingestion.parsing.sandbox import Sandbox
from chatbot.ingestion.reconcile import Found
from chatbot.storage.documents import document_id
from chatbot.storage.limits import RateLimitStatus, Reservation, Subject
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
    usage = Usage(800, 3)

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
        yield Cited(CITATION)
        yield Spent(self.usage)
        yield Done(Answer("".join(self.words), [CITATION], True, question.language, "fake", self.usage))


class FakeRetriever:
    embedding_model = "fake"

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, Any]] = []

    async def search(self, text: str, limit: int, filters: Any) -> list[Passage]:
        self.calls.append((text, limit, filters))
        return [PASSAGE]


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


class FakeModel(FakeResource):
    """Rewrites every question to `rewritten`, if there is one; `error` is raised."""

    def __init__(self, rewritten: str = "", error: Exception | None = None, pause: float = 0) -> None:
        super().__init__()
        self.rewritten, self.error, self.pause = rewritten, error, pause
        self.turns: list[Sequence[Turn]] = []

    async def rewrite(self, question: Question, turns: Sequence[Turn]) -> tuple[str, Usage]:
        self.turns.append(turns)
        await asyncio.sleep(self.pause)
        if self.error:
            raise self.error
        return self.rewritten, Usage(40, 9)


class FakeConversations:
    """By id: whose it is, and the conversation."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, Conversation]] = {}
        self.open: dict[str, str] = {}
        """Answers being written, by id: whose."""
        self.erased: dict[str, datetime] = {}
        """Callers, and when all that was kept of them was erased."""
        self.error: Exception | None = None
        self.until: dict[str, datetime] = {}
        """By the token of a link: until when it shows what was said."""

    def of(self, caller_id: str) -> list[Conversation]:
        return [conversation for owner, conversation in self.rows.values() if owner == caller_id]

    async def keep(
        self,
        caller_id: str,
        conversation_id: str,
        message: Message,
        title: str | None = None,
        age: float = 0,
        replaces: str | None = None,
    ) -> None:
        if self.error:
            raise self.error
        now = datetime.now(UTC)
        if title is not None:
            if caller_id in self.erased and self.erased[caller_id] > now - timedelta(seconds=age):
                raise NotFound("There is no conversation of this id.")
            self.rows[conversation_id] = caller_id, Conversation(conversation_id, title, now, now)
        known = await self.get(conversation_id, caller_id)
        if known is None:
            raise NotFound("There is no conversation of this id.")
        self.open.pop(message.id, None)
        answer = replace(message.answer, text=message.answer.text.replace("\0", ""))
        former = itertools.takewhile(lambda each: each.id != replaces, known.messages)
        messages = [*former, replace(message, answer=answer, created_at=now)]
        self.rows[conversation_id] = caller_id, replace(known, updated_at=now, messages=messages)

    async def turns(self, id: str, caller_id: str, limit: int, before: str | None = None) -> list[Turn]:
        known = await self.get(id, caller_id)
        if known is None:
            raise NotFound("There is no conversation of this id.")
        former = itertools.takewhile(lambda each: each.id != before, known.messages)
        return [Turn(message.question, message.answer.text) for message in former][-limit:]

    async def list(
        self, caller_id: str, limit: int, before: tuple[datetime, str] | None = None, words: str = ""
    ) -> list[Conversation]:
        found = [each for each in self.of(caller_id) if before is None or (each.updated_at, each.id) < before]
        found = [each for each in found if words.lower() in _said(each).lower()]
        found.sort(key=lambda each: (each.updated_at, each.id), reverse=True)
        return [replace(each, messages=()) for each in found[:limit]]

    async def get(self, id: str, caller_id: str) -> Conversation | None:
        owner, conversation = self.rows.get(id, (None, None))
        return conversation if owner == caller_id else None

    async def find(self, message_id: str, caller_id: str) -> tuple[str, Message] | None:
        found = ((each.id, replace(m, feedback=None)) for each in self.of(caller_id) for m in each.messages)
        return next((each for each in found if each[1].id == message_id), None)

    async def delete(self, id: str, caller_id: str) -> bool:
        return await self.get(id, caller_id) is not None and bool(self.rows.pop(id))

    async def rename(self, id: str, caller_id: str, title: str) -> bool:
        return await self._change(id, caller_id, title=title)

    async def share(self, id: str, caller_id: str) -> str | None:
        known = await self.get(id, caller_id)
        token = known and (known.share or f"token-{id}")
        self.until |= {token or "": datetime.now(UTC)}
        return token if await self._change(id, caller_id, share=token) else None

    async def unshare(self, id: str, caller_id: str) -> bool:
        known = await self.get(id, caller_id)
        return known is not None and known.share is not None and await self._change(id, caller_id, share=None)

    async def shared(self, token: str) -> Conversation | None:
        found = next((each for _, each in self.rows.values() if each.share == token), None)
        if found is None:
            return None
        kept = [replace(each, feedback=None) for each in found.messages if _before(each, self.until[token])]
        return replace(found, messages=kept)

    async def _change(self, id: str, caller_id: str, **values: Any) -> bool:
        known = await self.get(id, caller_id)
        if known:
            self.rows[id] = caller_id, replace(known, **values)
        return known is not None

    async def rate(self, message_id: str, caller_id: str, feedback: Feedback) -> bool:
        for conversation in self.of(caller_id):
            if message_id in [message.id for message in conversation.messages]:
                rated = [replace(m, feedback=feedback) if m.id == message_id else m for m in conversation.messages]
                self.rows[conversation.id] = caller_id, replace(conversation, messages=rated)
                return True
        return False


def _said(conversation: Conversation) -> str:
    return "\n".join([conversation.title, *(f"{each.question}\n{each.answer.text}" for each in conversation.messages)])


def _before(message: Message, moment: datetime) -> bool:
    return message.created_at is not None and message.created_at <= moment


class FakeOpenAnswers:
    """Those of conversations in memory; `wanted` lasts until they are done."""

    def __init__(self, conversations: FakeConversations) -> None:
        self.rows, self.wanted = conversations.open, set[str]()

    async def add(self, message_id: str, caller_id: str) -> None:
        self.rows[message_id] = caller_id

    async def beat(self, message_id: str) -> bool:
        return message_id in self.rows and message_id in self.wanted

    async def want(self, message_id: str, caller_id: str) -> bool:
        if self.rows.get(message_id) == caller_id:
            self.wanted.add(message_id)
            return True
        return False

    async def remove(self, message_id: str) -> None:
        self.rows.pop(message_id, None)


class FakePersonal:
    def __init__(self, conversations: FakeConversations) -> None:
        self._conversations = conversations
        self.consents: dict[str, Consent] = {}

    async def conversations(self, caller_id: str) -> AsyncIterator[Conversation]:
        for each in self._conversations.of(caller_id):
            yield each

    async def erase(self, caller_id: str) -> dict[str, int]:
        gone = self._conversations.of(caller_id)
        messages = [message for conversation in gone for message in conversation.messages]
        for conversation in gone:
            del self._conversations.rows[conversation.id]
        self._conversations.erased[caller_id] = datetime.now(UTC)
        return {
            "conversations": len(gone),
            "messages": len(messages),
            "feedback": sum(message.feedback is not None for message in messages),
            "consents": int(self.consents.pop(caller_id, None) is not None),
        }

    async def consent(self, caller_id: str) -> Consent:
        return self.consents.get(caller_id, Consent(analytics=False))

    async def agree(self, caller_id: str, analytics: bool) -> None:
        self.consents[caller_id] = Consent(analytics, datetime.now(UTC))


class FakeDocuments:
    def __init__(self) -> None:
        self.rows: dict[str, Document] = {}
        self.held: dict[str, list[Chunk]] = {}
        self.originals: dict[str, bytes] = {}

    async def get(self, id: str) -> Document | None:
        return self.rows.get(id)

    async def original(self, id: str) -> bytes | None:
        return self.originals.get(id)

    async def list(self, limit: int, after: str | None = None) -> list[Document]:
        return [self.rows[id] for id in sorted(self.rows) if id > (after or "")][:limit]

    async def chunks(self, id: str, start: int = 0, limit: int | None = None) -> list[Chunk]:
        return self.held.get(id, [])[start:][:limit]

    async def position(self, id: str, chunk_id: str) -> int | None:
        return next((each.position for each in self.held.get(id, []) if each.id == chunk_id), None)

    async def latest(self, limit: int, headings: int) -> list[Outline]:
        rows = list(self.rows.values())[:limit]
        of = {each.id: [chunk.heading for chunk in self.held.get(each.id, [])][:headings] for each in rows}
        return [Outline(each.title, each.language, each.metadata, of[each.id]) for each in rows]

    async def count(self) -> tuple[int, int]:
        return len(self.rows), sum(row.chunks for row in self.rows.values())


class FakeIngester:
    """Content is "searchable" as soon as it is registered; `.xyz` is a type that cannot be read."""

    def __init__(self, documents: FakeDocuments, jobs: FakeJobs) -> None:
        self.documents, self.jobs, self.contents = documents, jobs, dict[str, bytes]()

    async def register(
        self, source: str, name: str, content: bytes, metadata: Any = None, request: JobRequest | None = None
    ) -> tuple[Document, Job | None]:
        if name.endswith(".xyz"):
            raise UnreadableDocument("Files of type .xyz cannot be read.")
        id = document_id(source)
        changed = self.contents.get(id) != content
        self.contents[id] = content
        self.documents.rows[id] = Document(id, source, name, "text/plain", "en", metadata or {}, None)
        return self.documents.rows[id], await self._job(request, id) if changed else None

    async def duplicate(self, source: str, content: bytes) -> Document | None:
        same = (id for id, each in self.contents.items() if each == content and id != document_id(source))
        return self.documents.rows.get(next(same, ""))

    async def announce(self, url: str, metadata: Any = None, request: JobRequest | None = None) -> tuple[Document, Job]:
        source = Fetcher(max_bytes=0, seconds=0).check(url)
        document = Document(document_id(source), source, source, "", "en", metadata or {}, None)
        self.documents.rows[document.id] = document
        return document, await self._job(request, document.id)

    async def _job(self, request: JobRequest | None, id: str) -> Job:
        return await self.jobs.create(request or JobRequest("ingest"), id)

    async def remove(self, id: str) -> bool:
        return self.documents.rows.pop(id, None) is not None


class FakeReconciler:
    """Finds nothing."""

    async def attend(self) -> tuple[int, int]:
        return 0, 0

    async def run(self) -> Found:
        return Found()


class FakeJobs:
    def __init__(self) -> None:
        self.rows: dict[str, Job] = {}

    async def create(self, request: JobRequest, document_id: str | None) -> Job:
        key = {"idempotency_key": request.idempotency_key, "fingerprint": request.fingerprint}
        job = Job(f"j{len(self.rows)}", request.kind, document_id, "pending", **key)
        self.rows[job.id] = job
        return job

    async def find(self, idempotency_key: str) -> Job | None:
        return next((row for row in self.rows.values() if row.idempotency_key == idempotency_key), None)

    async def get(self, id: str) -> Job | None:
        return self.rows.get(id)

    async def recover_abandoned(self) -> int:
        return 0

    async def recover_lost(self, empty: bool) -> int:
        return 0

    async def counts(self) -> dict[str, int]:
        return Counter(row.state for row in self.rows.values())

    async def to_send(self, limit: int, id: str | None = None) -> list[str]:
        due = [row.id for row in self.rows.values() if row.state == "pending" and id in (None, row.id)][:limit]
        for each in due:
            self.rows[each] = replace(self.rows[each], state="queued")
        return due

    async def sent(self, ids: Sequence[str]) -> None: ...

    async def unsent(self, ids: Sequence[str]) -> None:
        for id in ids:
            self.rows[id] = replace(self.rows[id], state="pending")


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
        return [*self.rows.values()][::-1]

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

    async def take(self, subjects: Sequence[Subject]) -> RateLimitStatus | None:
        if self.down:
            raise DOWN
        if not self.per_minute:
            return None
        if any(self.requests[each.name] >= self.per_minute * each.share for each in subjects):
            raise LimitReached("There were too many requests in a minute; wait a moment.", 7)
        self.requests.update(each.name for each in subjects)
        return RateLimitStatus(self.per_minute, self.per_minute - self.requests[subjects[-1].name], 30)

    async def reserve(self, subjects: Sequence[Subject], tokens: int) -> Reservation:
        if not self.daily_tokens:
            return Reservation((), 0)
        left = min(self.daily_tokens * each.share - self.tokens[each.name] for each in subjects)
        if left <= 0:
            raise LimitReached("The tokens of this day are used up.", 3600)
        reservation = Reservation(tuple(each.name for each in subjects), min(tokens, left))
        self.tokens.update(dict.fromkeys(reservation.subjects, reservation.tokens))
        return reservation

    async def settle(self, reservation: Reservation, tokens: int) -> None:
        self.tokens.update(dict.fromkeys(reservation.subjects, tokens - reservation.tokens))


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


def fake_services(answerer: FakeAnswerer | None = None, model: FakeModel | None = None, **variables: Any) -> Services:
    """Services with nothing behind; `variables` are settings."""
    answerer, model, conversations = answerer or FakeAnswerer(), model or FakeModel(), FakeConversations()
    documents, jobs = FakeDocuments(), FakeJobs()
    urls = {**NOWHERE, "DATABASE_URL": "postgresql://user:secret-password@127.0.0.1:1/none"}
    given = {**{name.lower(): url for name, url in urls.items()}, "max_document_mb": 0.5, **variables}
    return Services(
        settings=settings.load(**given),
        database=FakeDatabase(),
        documents=documents,
        catalogue=None,
        indexes=None,
        embeddings=None,
        jobs=jobs,
        lexical=None,
        vectors=FakeResource(),
        queue=FakeResource(),
        embedder=FakeResource(),
        index=None,
        model=model,
        retriever=FakeRetriever(),
        answerer=answerer,
        sandbox=Sandbox(memory_mb=512, seconds=3, drawing_seconds=10),
        ingester=FakeIngester(documents, jobs),
        reconciler=FakeReconciler(),
        keys=FakeKeys(),
        limits=FakeLimits(given.get("rate_limit_per_minute", 0), given.get("daily_tokens", 0)),
        issuer=None,
        conversations=conversations,
        open_answers=FakeOpenAnswers(conversations),
        personal=FakePersonal(conversations),
        reviews=None,
        chat=ChatService(answerer, model, conversations),
        fetcher=FakeResource(),
    )


def client_of(services: Services) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(create_app(services)), base_url="http://bot")
