"""The day's tokens of whoever asks: reserved before an answer is begun, settled when it ends, however it ends.

async def chat(…, budget: BudgetParam): …
    events = budget.counted(services.answerer.stream(question))
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import Depends, Request

from chatbot.answering.answer import Event, Sources, Spent, Token
from chatbot.bootstrap import Services
from chatbot.domain import LimitReached, Usage
from chatbot.storage.limits import Reservation, Subject
from chatbot.web.auth.authentication import identify
from chatbot.web.auth.rate_limit import accounts
from chatbot.web.ops import request_metrics as metrics

CHARACTERS = 4
"""Of text to a token, roughly, where the model had no time to say."""

RESERVED = 2_000
"""Tokens taken off the budget for an answer under way: some five passages, and what is written from them."""

_settling = set[asyncio.Task[None]]()
"""What is being settled; kept here, or it could be lost half-way."""


class Budget:
    """One caller's account."""

    def __init__(self, services: Services, subjects: list[Subject]) -> None:
        self._services = services
        self._subjects = subjects

    async def counted(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The same events. LimitReached, a 429, before the first one when nothing is left of the budget.

        Where the model cannot say what it used, it is reckoned by the length of the texts.
        """
        read = written = 0
        reservation: Reservation | None = None
        try:
            async with aclosing(events):
                reservation = await self._reserve()
                async for event in events:
                    if isinstance(event, Sources):
                        read = sum(len(passage.chunk.text) for passage in event.passages)
                    elif isinstance(event, Token):
                        written += len(event.text)
                    elif isinstance(event, Spent) and reservation:
                        await self._settle(reservation, event.usage)
                        reservation = None
                    yield event
        except Exception:
            read = read if written else 0  # a model that failed at once did nothing
            raise
        finally:
            if reservation:
                self._settle_later(reservation, Usage(read // CHARACTERS, written // CHARACTERS))

    async def _reserve(self) -> Reservation | None:
        """None without a model, which alone uses tokens."""
        if not self._services.settings.llm_url:
            return None
        try:
            return await self._services.limits.reserve(self._subjects, RESERVED)
        except LimitReached:
            metrics.LIMITED.labels("tokens").inc()
            raise

    async def _settle(self, reservation: Reservation, usage: Usage) -> None:
        await self._services.limits.settle(reservation, usage.prompt_tokens + usage.completion_tokens)

    def _settle_later(self, reservation: Reservation, usage: Usage) -> None:
        """In a task of its own: whoever left has cancelled this one."""
        task = asyncio.create_task(self._settle(reservation, usage))
        _settling.add(task)
        task.add_done_callback(_settling.discard)


async def budget(request: Request) -> Budget:
    """That of whoever sends the request."""
    services: Services = request.app.state.services
    return Budget(services, accounts(request, await identify(request)))


BudgetParam = Annotated[Budget, Depends(budget)]
