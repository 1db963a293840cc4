"""A question in a conversation: understood from what was said before, answered, and kept once its answer is complete.

    exchange = await chat.begin(caller.id, "And in France?", conversation_id=id)
    async for event in exchange.events:
        ...     those of the answerer; when Done comes, question and answer have been kept

Every surface that answers goes through here. Nothing is kept of an answer that fails, or that nobody waits for.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from chatbot.answering import history
from chatbot.answering.answer import Answerer, Done, Event, Spent, spent
from chatbot.answering.courtesy import plain
from chatbot.domain import Filters, Language, Message, Question, Turn, Unavailable, Usage
from chatbot.observability import tracing
from chatbot.ports import LanguageModel
from chatbot.text.analysis import detect_language

TURNS = 6
"""The latest turns of a conversation that a question is understood from."""
PATIENCE = 10.0
"""Seconds that the model may take to rewrite a question."""
LONGEST_QUESTION = 1000
"""Characters of a rewritten question: a longer text is no question."""

logger = logging.getLogger(__name__)


class ConversationStore(Protocol):
    """Where conversations are kept (storage/conversations.py)."""

    async def turns(self, id: str, caller_id: str, limit: int, before: str | None = None) -> Sequence[Turn]: ...

    async def keep(
        self,
        caller_id: str,
        conversation_id: str,
        message: Message,
        title: str | None = None,
        age: float = 0,
        replaces: str | None = None,
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question that is being answered. The ids are known before the answer is, and hold once it is complete."""

    events: AsyncGenerator[Event, None]
    conversation_id: str | None
    message_id: str | None
    """None when nothing is kept."""


class ChatService:
    def __init__(self, answerer: Answerer, model: LanguageModel, store: ConversationStore) -> None:
        self._answerer = answerer
        self._model = model
        self._store = store

    async def begin(
        self,
        caller_id: str,
        text: str,
        *,
        language: Language | None = None,
        filters: Filters | None = None,
        extractive: bool = False,
        conversation_id: str | None = None,
        replaces: str | None = None,
        store: bool = True,
        turns: Sequence[Turn] = (),
    ) -> Exchange:
        """Ask in that conversation of the caller's, or in a new one. NotFound when it is not theirs.

        With `replaces`, a message of that conversation, the answer takes its place, and that of all that came after it,
        once it is complete. Without `store` nothing is kept. `turns` is what was said before, where the client and not
        this service keeps the conversation. `language` is that of the answer; None: the question's. `extractive` asks
        for quotes.
        """
        if conversation_id is not None:
            turns = await self._store.turns(conversation_id, caller_id, TURNS, replaces)
        spoken = detect_language(turns[-1].question) if turns else "en"
        question = Question(text, language or detect_language(text, spoken), filters or {}, extractive)
        if not store:
            return Exchange(self._answered(question, turns), conversation_id, None)
        title = history.title(text) if conversation_id is None else None
        id, message_id = conversation_id or uuid.uuid4().hex, uuid.uuid4().hex
        answering = self._answered(question, turns)
        events = self._kept_when_done(caller_id, id, message_id, title, text, answering, replaces)
        return Exchange(events, id, message_id)

    async def _kept_when_done(
        self,
        caller_id: str,
        conversation_id: str,
        message_id: str,
        title: str | None,
        text: str,
        answering: AsyncGenerator[Event, None],
        replaces: str | None,
    ) -> AsyncGenerator[Event, None]:
        asked = time.monotonic()
        async with aclosing(answering) as events:
            async for event in events:
                if isinstance(event, Done):
                    message = Message(message_id, text, event.answer)
                    age = time.monotonic() - asked
                    await self._store.keep(caller_id, conversation_id, message, title, age, replaces)
                yield event

    async def _answered(self, question: Question, turns: Sequence[Turn]) -> AsyncGenerator[Event, None]:
        """The answerer's events, with what understanding the question cost added to the usage."""
        understood, cost = await self._understood(question, turns[-TURNS:])
        async with aclosing(self._answerer.stream(understood)) as events:
            async for event in events:
                match event:
                    case Spent(usage=usage):
                        yield Spent(usage + cost)
                    case Done(answer=answer):
                        yield Done(replace(answer, usage=answer.usage + cost))
                    case _:
                        yield event

    async def _understood(self, question: Question, turns: Sequence[Turn]) -> tuple[Question, Usage]:
        """The question as it is to be answered: rewritten by the model, or with the search terms that it lacks."""
        if not turns:
            return question, Usage()
        text, usage = ("", Usage()) if question.extractive else await self._rewritten(question, turns)
        if 0 < len(text) <= LONGEST_QUESTION:
            return replace(question, text=text), usage
        asked = plain(question.text)
        search = history.query(asked, [plain(turn.question) for turn in turns])
        return replace(question, search="" if search == asked else search), usage

    async def _rewritten(self, question: Question, turns: Sequence[Turn]) -> tuple[str, Usage]:
        """By the model; "" when it cannot."""
        try:
            with tracing.span("understand") as span:
                async with asyncio.timeout(PATIENCE):
                    text, usage = await self._model.rewrite(question, turns)
                span.set(spent(usage))
            return text, usage
        except (Unavailable, TimeoutError):
            logger.warning("the model did not rewrite a question: its history is searched for as words")
            return "", Usage()
