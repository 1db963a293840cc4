"""A stream whose connection broke goes on over another one, at any process: `Last-Event-ID` says from where.

An event's id is a position in the answer: the message's id, how many characters and citations were sent, and whether
the usage was. No event is kept: what follows a position is made from the answer as its conversation keeps it.

The server cannot tell a connection that broke from one that was closed. So the answer is written on for RESUME_GRACE
seconds, and then for as long as another request waits for it; else the model is stopped, within a second in all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

from chatbot.answering.answer import Cited, Done, Event, Spent, Token
from chatbot.bootstrap import Services
from chatbot.deadline import cancel_and_wait
from chatbot.domain import Message, NotFound
from chatbot.storage.streams import ALIVE, OpenAnswers

ID = r"^([0-9a-f]{32}-\d{1,7}-\d{1,3}-[01])?$"
"""Clients that have no id yet may send an empty one."""
BEAT = ALIVE / 3
"""Seconds between two signs of life."""
PAUSE = 0.15
"""Seconds between two looks at whether the other one is still there."""
PATIENCE = 0.25
"""Seconds that the database may take for one, before a model that nobody may wait for is stopped."""

_attending = set[asyncio.Task[None]]()
"""Kept here, or they could be lost half-way."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far an answer was sent; as text, the id of the last event that was."""

    message_id: str
    characters: int = 0
    citations: int = 0
    usages: int = 0

    def __str__(self) -> str:
        return f"{self.message_id}-{self.characters}-{self.citations}-{self.usages}"

    @classmethod
    def of(cls, id: str) -> Position:
        message_id, *counts = id.split("-")
        return cls(message_id, *map(int, counts))

    def after(self, event: Event) -> Position:
        match event:
            case Token(text=text):
                return replace(self, characters=self.characters + len(text.replace("\0", "")))  # as it is kept
            case Cited():
                return replace(self, citations=self.citations + 1)
            case Spent():
                return replace(self, usages=1)
            case _:
                return self


def rest(message: Message, position: Position) -> Iterator[Event]:
    """The events after that position; what is left of the text comes in one piece."""
    answer = message.answer
    if text := answer.text[position.characters :]:
        yield Token(text)
    for citation in answer.citations[position.citations :]:
        yield Cited(citation)
    if not position.usages:
        yield Spent(answer.usage)
    yield Done(answer)


async def finished(services: Services, caller_id: str, message_id: str) -> tuple[str, Message]:
    """The answer and its conversation's id, once it is complete. NotFound when it was given up, or is not theirs."""
    while await services.open_answers.want(message_id, caller_id):  # noqa: ASYNC110 - of another process, perhaps
        await asyncio.sleep(PAUSE)
    found = await services.conversations.find(message_id, caller_id)
    if found is None:
        raise NotFound("There is no answer of this id: it was given up, or deleted. Ask again without Last-Event-ID.")
    return found


class DetachedStream:
    """The same events, of an answer that was added to `answers`; closing it does not stop them at once."""

    def __init__(
        self, events: AsyncGenerator[Event, None], answers: OpenAnswers, message_id: str, grace: float
    ) -> None:
        self._written = asyncio.Queue[Event | Exception | None]()
        self._left = asyncio.Event()
        writing = asyncio.create_task(_write(events, self._written))
        attending = asyncio.create_task(_attend(writing, self._left, answers, message_id, grace))
        _attending.add(attending)
        attending.add_done_callback(_attending.discard)

    def __aiter__(self) -> DetachedStream:
        return self

    async def __anext__(self) -> Event:
        event = await self._written.get()
        if event is None:
            raise StopAsyncIteration
        if isinstance(event, Exception):
            raise event
        return event

    async def aclose(self) -> None:
        """The reader has left."""
        self._left.set()


async def _write(events: AsyncGenerator[Event, None], written: asyncio.Queue[Event | Exception | None]) -> bool:
    """Whether it was completed."""
    try:
        async with aclosing(events):
            async for event in events:
                written.put_nowait(event)
        return True
    except Exception as error:
        written.put_nowait(error)
        return False
    finally:
        written.put_nowait(None)


async def _attend(
    writing: asyncio.Task[bool], left: asyncio.Event, answers: OpenAnswers, message_id: str, grace: float
) -> None:
    """Let others know that it is being written, and stop that when nobody waits for it any more."""
    leaving = asyncio.create_task(left.wait())
    try:
        while not (writing.done() or left.is_set()):
            if not (await asyncio.wait({writing, leaving}, timeout=BEAT, return_when=asyncio.FIRST_COMPLETED))[0]:
                await _beat(answers, message_id)
        await asyncio.wait({writing}, timeout=grace)
        while not writing.done() and await _beat(answers, message_id):
            await asyncio.wait({writing}, timeout=PAUSE)
    finally:
        await cancel_and_wait(leaving, writing)
        if writing.cancelled() or not writing.result():
            with suppress(Exception):
                await answers.remove(message_id)


async def _beat(answers: OpenAnswers, message_id: str) -> bool:
    """Whether somebody waits; nobody, as far as a database tells that does not answer at once."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await answers.beat(message_id)
    except Exception:
        return False
