"""The day's tokens of whoever asks: looked at before an answer is begun, counted when it ends, however it ends.

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
from chatbot.storage.limits import Subject
from chatbot.web.auth.authentication import identify
from chatbot.web.auth.rate_limit import accounts
from chatbot.web.ops import request_metrics as metrics

CHARACTERS = 4
"""Of text to a token, roughly, where the model had no time to say."""

_counting = set[asyncio.Task[None]]()
"""What is being counted for clients that left; kept here, or it could be lost half-way."""


class Budget:
    """One caller's account."""

    def __init__(self, services: Services, subjects: list[Subject]) -> None:
        self._services = services
        self._subjects = subjects

    async def afford(self) -> None:
        """LimitReached, a 429, when nothing is left of it."""
        try:
            await self._services.limits.afford(self._subjects)
        except LimitReached:
            metrics.LIMITED.labels("tokens").inc()
            raise

    async def counted(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The same events. Where the model cannot say what it used, it is reckoned by the length of the texts."""
        read = written = 0
        owed = True
        try:
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Sources):
                        read = sum(len(passage.chunk.text) for passage in event.passages)
                    elif isinstance(event, Token):
                        written += len(event.text)
                    elif isinstance(event, Spent):
                        owed = False
                        await self._spend(event.usage)
                    yield event
        except Exception:
            owed = owed and written > 0  # a model that failed at once did nothing
            raise
        finally:
            if owed and self._services.settings.llm_url:
                self._spend_later(Usage(read // CHARACTERS, written // CHARACTERS))

    def _spend_later(self, usage: Usage) -> None:
        """In a task of its own: whoever left has cancelled this one."""
        task = asyncio.create_task(self._spend(usage))
        _counting.add(task)
        task.add_done_callback(_counting.discard)

    async def _spend(self, usage: Usage) -> None:
        await self._services.limits.spend(self._subjects, usage.prompt_tokens + usage.completion_tokens)


async def account(request: Request) -> Budget:
    """That of whoever sends the request."""
    services: Services = request.app.state.services
    return Budget(services, accounts(request, await identify(request)))


async def budget(account: Annotated[Budget, Depends(account)]) -> Budget:
    """The same; 429 when nothing is left of it."""
    await account.afford()
    return account


AccountParam = Annotated[Budget, Depends(account)]
BudgetParam = Annotated[Budget, Depends(budget)]
