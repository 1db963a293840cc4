"""What the chatbot needs of the outside world, in its own words. Every adapter module fulfils one of these.

store = vector_store.connect("postgresql://…")
await store.create("e5_384", dimension=384)
await store.upsert("e5_384", [Point("p1", "d1", vector, {"year": 2024})])
matches = await store.search("e5_384", vector, limit=5, filters={"year": [2023, 2024]})
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol, TypedDict

from chatbot.domain import Filters, Match, Passage, Point, Question, Turn, Usage

Handle = Callable[[str], Awaitable[None]]
"""Does the job whose id it is given. Returning acknowledges the message; raising leaves it for redelivery."""


class VectorStore(Protocol):
    """Points: dense vectors by id, in named indexes. Scores are cosine similarities, -1 to 1.

    The module of an adapter exports `connect(url: str) -> VectorStore`, which opens nothing: the first call does.
    Importing the module does not import the vendor's SDK. Every method raises `Unavailable` when the server does not
    answer.
    """

    async def create(self, index: str, dimension: int) -> None:
        """Make the index if it is not there; many may at once. InvalidConfiguration if its dimension differs."""

    async def upsert(self, index: str, points: Sequence[Point]) -> None:
        """Insert or replace by id; findable when this returns."""

    async def search(self, index: str, vector: Sequence[float], limit: int, filters: Filters) -> list[Match]:
        """The nearest points, best first."""

    async def delete(self, index: str, ids: Collection[str]) -> None:
        """Remove the points of these ids. No error when they are not there, or the index is not."""

    def scan(self, index: str) -> AsyncIterator[list[str]]:
        """The ids of all points, some at a time, in any order; what comes or goes meanwhile may be left out."""

    async def count(self, index: str) -> int:
        """How many points the index holds; 0 when it does not exist."""

    async def drop(self, index: str) -> None:
        """Remove the index and all its points. No error when it is not there."""

    async def ping(self) -> None:
        """Return when the server answers."""

    async def close(self) -> None: ...


class Queue(Protocol):
    """Carries job ids from whoever asks to the workers: at least once, each under a lease while it is worked on.

    A queue only delivers. Attempts, backoff, delay and dead letters live in the job's record (storage/jobs.py), so that
    they are the same with every broker. The module exports `connect(url: str, lease: float) -> Queue` (lease in
    seconds). Every method raises `Unavailable` when the broker does not answer.
    """

    async def create(self) -> None:
        """Make what the broker needs (table, stream, consumer group), if it is not there."""

    async def send(self, job_id: str) -> None:
        """Hand over one job; the broker has it safely when this returns."""

    async def run(self, handle: Handle, concurrency: int, stop: asyncio.Event) -> None:
        """Handle messages, `concurrency` at a time, until `stop` is set; then finish those under way and return.

        A message is acknowledged after `handle` returned. While `handle` runs its lease is renewed; when the process
        dies, the message is handled again by another one once the lease has run out. Outages of the broker are
        waited out, with growing pauses, not raised.
        """

    async def depth(self) -> int:
        """Messages not yet acknowledged, an estimate where the broker has no exact figure."""

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    model: str
    dimension: int
    """0 until the first text was embedded, where only an API knows."""

    async def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of `dimension` floats a text, in order. Never blocks the event loop."""

    async def embed_query(self, text: str) -> list[float]: ...

    async def close(self) -> None: ...


class ChatMessage(TypedDict):
    """One message to a chat model."""

    role: Literal["system", "user", "assistant"]
    content: str


class Completion(Protocol):
    """What a chat model writes, in pieces."""

    def __aiter__(self) -> AsyncIterator[str]: ...

    @property
    def usage(self) -> Usage:
        """What it took so far."""


class ChatModel(Protocol):
    """Completes a chat. Leaving the context stops the writing. Raises `Unavailable`, there and between pieces."""

    model: str

    def complete(self, messages: Sequence[ChatMessage]) -> AbstractAsyncContextManager[Completion]: ...

    async def ping(self) -> None:
        """Return when it answers, without spending a token. Raises `Unavailable`."""

    async def close(self) -> None: ...


class LanguageModel(Protocol):
    """Writes the answer to a question from passages, citing them as [1], [2]… in the order given."""

    model: str

    def stream(self, question: Question, passages: Sequence[Passage]) -> AsyncGenerator[str | Usage, None]:
        """The answer's text in pieces, and at the end what it cost. Raises `Unavailable`.

        Text without any citation means that the passages hold no answer. Closing it stops the writing.
        """

    async def rewrite(self, question: Question, turns: Sequence[Turn]) -> tuple[str, Usage]:
        """The question, understood without the turns before it; "" from whoever cannot do it. Raises `Unavailable`."""

    async def ping(self) -> None:
        """Return when it answers, without spending a token. Raises `Unavailable`."""

    async def close(self) -> None: ...
