"""An answer's events on their way to a client: up to the first words, to the end, or as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from fastapi.sse import EventSourceResponse
from starlette.types import Receive, Scope, Send

from chatbot.answering.answer import Done, Event, Sources
from chatbot.web import problems

STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Neither a cache nor nginx may hold the words back."""


async def opening(events: AsyncIterator[Event]) -> list[Event]:
    """The events up to the first words: a model that is down can still be a 503, since nothing was sent yet."""
    begun = []
    async for event in events:
        begun.append(event)
        if not isinstance(event, Sources):
            break
    return begun


async def last(events: AsyncIterator[Event]) -> Done:
    """The end of an answer that is not streamed."""
    [done] = [event async for event in events if isinstance(event, Done)]
    return done


class Events(Protocol):
    """Those of an answer, which a reader who leaves closes: a generator, or resume.DetachedStream."""

    def __aiter__(self) -> AsyncIterator[Event]: ...

    async def aclose(self) -> None: ...


class EventStream(EventSourceResponse):
    """An answer as it comes; where it fails, `failure` of the problem is the last piece. However it ends, also before
    its first piece was sent, `rest` is closed."""

    def __init__(
        self,
        begun: list[Event],
        rest: Events,
        encode: Callable[[Event], bytes],
        failure: Callable[[dict[str, Any]], bytes],
    ) -> None:
        super().__init__(_encoded(begun, rest, encode, failure), headers=STREAM_HEADERS)
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._rest.aclose()


async def _encoded(
    begun: list[Event], rest: Events, encode: Callable[[Event], bytes], failure: Callable[[dict[str, Any]], bytes]
) -> AsyncIterator[bytes]:
    try:
        for event in begun:
            if data := encode(event):
                yield data
        async for event in rest:
            if data := encode(event):
                yield data
    except Exception as error:
        yield failure(problems.from_exception(error))
