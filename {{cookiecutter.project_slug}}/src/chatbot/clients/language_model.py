"""A language model behind an OpenAI-compatible API: timeouts, one retry, a circuit breaker, and what it cost.

async with model.complete([{"role": "user", "content": "…"}]) as completion:
    async for text in completion: ...
completion.usage
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chatbot.clients import openai_api
from chatbot.clients.circuit_breaker import Breaker
from chatbot.domain import ModelUnavailable, Usage
from chatbot.observability import metrics
from chatbot.ports import ChatMessage

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream

Chunk = dict[str, Any]
"""Some of an answer, as the API has it: a chat.completion.chunk."""

BETWEEN_TOKENS = 20.0
"""Seconds of silence in the midst of an answer that are taken for its end."""
RETRY_PAUSE = 0.5
"""Seconds before the one retry, on average."""
BREAKER_FAILURES, BREAKER_PAUSE = 5, 8.0
CHARS_PER_TOKEN = 4
CUT = "…"
MOST_CHARS_PER_TOKEN = 8
"""On average over an answer: a longer one comes from a server that minds no max_tokens, and is cut here."""


@dataclass(frozen=True, slots=True)
class GenerationLimits:
    """What an answer may take, in seconds and tokens, and what a million tokens cost."""

    total: float = 60
    first_token: float = 30
    tokens: int = 1000
    """That it may write."""
    price_input: float = 0
    price_output: float = 0


class OpenAICompatible:
    """Fulfils `ports.ChatModel` on an API. Leaving a completion closes its connection: the server stops writing."""

    def __init__(self, url: str, model: str, api_key: str, limits: GenerationLimits) -> None:
        self.model = model
        self._connection = (url, api_key)
        self._limits = limits
        self._client: AsyncOpenAI | None = None
        self._breaker = Breaker(BREAKER_FAILURES, BREAKER_PAUSE, told=metrics.MODEL_BREAKER.set)

    @asynccontextmanager
    async def complete(self, messages: Sequence[ChatMessage]) -> AsyncIterator[Completion]:
        """Raises ModelUnavailable, at once while the model is being left alone; its failures are counted."""
        if wait := self._breaker.enter():
            raise ModelUnavailable("it failed several times in a row and is left alone for a moment", wait)
        deadline = asyncio.get_running_loop().time() + self._limits.total
        try:
            chunks, opening = await self._opened(messages, deadline)
            try:
                yield Completion(chunks, opening, deadline, messages, self._limits)
            finally:
                with suppress(Exception):
                    await chunks.close()
        except ModelUnavailable as outage:
            if outage.passing:
                self._breaker.failed()
            raise
        finally:
            self._breaker.left()

    async def ping(self) -> None:
        """Asks about the model: every server answers that, if only that it does not know the question."""
        try:
            await (await self._connected()).models.retrieve(self.model)
        except Exception as error:
            failure = openai_api.failure(error, "LLM")
            if failure is None:
                raise
            if not failure.unknown:
                raise ModelUnavailable(failure.advice, passing=failure.passing) from None

    async def close(self) -> None:
        if self._client:
            await self._client.close()

    async def _connected(self) -> AsyncOpenAI:
        if self._client is None:
            await asyncio.to_thread(openai_api.load)
        self._client = self._client or openai_api.client(*self._connection, self._limits.total, retries=0)
        return self._client

    async def _opened(self, messages: Sequence[ChatMessage], deadline: float) -> tuple[AsyncStream[Chunk], list[Chunk]]:
        """A stream, and its first chunks: so far nothing was shown, so a failure of the moment is tried once more."""
        first = min(deadline, asyncio.get_running_loop().time() + self._limits.first_token)
        for attempt in (1, 2):
            try:
                async with asyncio.timeout_at(first):
                    opened = await self._open(messages)
                self._breaker.succeeded()
                return opened
            except Exception as error:
                failure = openai_api.failure(error, "LLM")
                if failure is None:
                    raise
                if attempt == 2 or not failure.again:
                    raise ModelUnavailable(failure.advice, passing=failure.passing) from None
            await asyncio.sleep(RETRY_PAUSE * random.uniform(0.5, 1.5))  # noqa: S311
        raise AssertionError("the second attempt returns or raises")

    async def _open(self, messages: Sequence[ChatMessage]) -> tuple[AsyncStream[Chunk], list[Chunk]]:
        options = {"temperature": 0, "stream": True, "stream_options": {"include_usage": True}}
        body = {"model": self.model, "messages": messages, "max_tokens": self._limits.tokens, **options}
        chunks = await openai_api.chunks(await self._connected(), body)
        opening: list[Chunk] = []
        try:
            async for chunk in chunks:
                opening.append(chunk)
                if _is_alive(chunk):
                    break
            if not opening:
                raise ValueError("a stream without a chunk")
            return chunks, opening
        except BaseException:
            await chunks.close()
            raise


class Completion:
    """What the model writes, in pieces as they come; `usage` is what it took so far."""

    def __init__(
        self,
        chunks: AsyncStream[Chunk],
        opening: list[Chunk],
        deadline: float,
        messages: Sequence[ChatMessage],
        limits: GenerationLimits,
    ) -> None:
        self._chunks, self._opening, self._deadline = chunks, opening, deadline
        self._limits = limits
        self._read = sum(len(message["content"]) for message in messages)
        self._written = 0
        self._cut = False
        self._reported = dict[str, int]()

    async def __aiter__(self) -> AsyncIterator[str]:
        """A text that was cut, since its tokens or its time are used up, ends in « … »."""
        most = self._limits.tokens * MOST_CHARS_PER_TOKEN
        while chunk := self._opening.pop(0) if self._opening else await self._next():
            self._reported = chunk.get("usage") or self._reported
            if text := _delta(chunk).get("content") or "":
                text = text[: most - self._written]
                self._written += len(text)
                yield text
            self._cut = self._cut or _is_cut(chunk) or self._written >= most
            if self._written >= most:
                break
        if self._cut and self._written:
            yield CUT

    @property
    def usage(self) -> Usage:
        """What the model reports, else an estimate from the number of characters."""
        read, written = self._read // CHARS_PER_TOKEN, -(-self._written // CHARS_PER_TOKEN)
        if self._reported:
            read, written = self._reported.get("prompt_tokens", 0), self._reported.get("completion_tokens", 0)
        cost = (read * self._limits.price_input + written * self._limits.price_output) / 1_000_000
        return Usage(read, written, cost, estimated=not self._reported)

    async def _next(self) -> Chunk | None:
        """None at the end, which is also where the time is up for a model that has begun to write."""
        silence = asyncio.get_running_loop().time() + BETWEEN_TOKENS
        try:
            async with asyncio.timeout_at(min(self._deadline, silence)):
                return await anext(self._chunks, None)
        except Exception as error:
            if self._written and asyncio.get_running_loop().time() >= self._deadline:
                self._cut = True
                return None
            if failure := openai_api.failure(error, "LLM"):
                raise ModelUnavailable(failure.advice, passing=failure.passing) from None
            raise


def _is_alive(chunk: Chunk) -> bool:
    """Whether the model has begun, to reason or to write: some servers send the role before they read the prompt."""
    return any(value for name, value in _delta(chunk).items() if name != "role")


def _is_cut(chunk: Chunk) -> bool:
    """Whether the server says that its tokens are used up."""
    return any(choice.get("finish_reason") == "length" for choice in chunk.get("choices") or ())


def _delta(chunk: Chunk) -> dict[str, Any]:
    """What a chunk adds to the first choice; nothing, for one that only tells the usage."""
    choices = chunk.get("choices")
    return (choices[0].get("delta") or {}) if choices else {}
