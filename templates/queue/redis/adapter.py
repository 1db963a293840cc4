"""The queue as a Redis stream read by one consumer group: Redis 7 or later.

A message stays pending in the group until it is acknowledged; its idle time is its lease. All workers share one
consumer's name, since a lease says all there is to say about who holds what: names would only pile up in Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from chatbot import ports
from chatbot.clients.broker_loop import Message, consume
from chatbot.domain import Unavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

STREAM = "chatbot:jobs"
GROUP = CONSUMER = "workers"
TIMEOUT = 5
"""Seconds for Redis to connect or to reply; longer than an idle worker's wait."""


def connect(url: str, lease: float) -> RedisQueue:
    return RedisQueue(url, lease)


class RedisQueue:
    def __init__(self, url: str, lease: float) -> None:
        self._url = url
        self._lease = round(lease * 1000)
        self._opened: Redis | None = None
        self._cursor = "0-0"

    async def create(self) -> None:
        from redis.exceptions import ResponseError

        with _outages():
            try:
                await self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):  # it is there
                    raise

    async def send(self, job_id: str) -> None:
        with _outages():
            await self._redis.xadd(STREAM, {"job": job_id})

    async def run(self, handle: ports.Handle, concurrency: int, stop: asyncio.Event) -> None:
        await consume(self, handle, concurrency, self._lease / 1000, stop)

    async def receive(self, limit: int, wait: float) -> list[Message]:
        from redis.exceptions import ResponseError

        with _outages():
            try:
                return await self._abandoned(limit) or await self._new(limit, wait)
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
            await self.create()  # Redis was emptied
            return []

    async def renew(self, messages: Collection[Message]) -> None:
        receipts: list[Any] = [message.receipt for message in messages]
        with _outages():
            await self._redis.xclaim(STREAM, GROUP, CONSUMER, 0, receipts, justid=True)

    async def acknowledge(self, message: Message) -> None:
        with _outages():
            async with self._redis.pipeline(transaction=True) as both:
                both.xack(STREAM, GROUP, message.receipt)
                both.xdel(STREAM, message.receipt)
                await both.execute()

    async def depth(self) -> int:
        with _outages():
            return await self._redis.xlen(STREAM)

    async def ping(self) -> None:
        with _outages():
            await self._redis.ping()

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.aclose()

    async def _abandoned(self, limit: int) -> list[Message]:
        """Messages whose lease ran out, taken over; the cursor walks through what is pending, call by call."""
        self._cursor, entries, _ = await self._redis.xautoclaim(
            STREAM, GROUP, CONSUMER, self._lease, start_id=self._cursor, count=limit
        )
        return _messages(entries)

    async def _new(self, limit: int, wait: float) -> list[Message]:
        streams: Any = await self._redis.xreadgroup(
            GROUP, CONSUMER, {STREAM: ">"}, count=limit, block=round(wait * 1000)
        )
        return [message for _, entries in streams for message in _messages(entries)]

    @property
    def _redis(self) -> Redis:
        if self._opened is None:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            # One more try at once: an idle connection may have been closed, and the next one be good.
            self._opened = Redis.from_url(
                self._url,
                decode_responses=True,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                retry=Retry(NoBackoff(), 1),
            )
        return self._opened


def _messages(entries: list[tuple[str, dict[str, str]]]) -> list[Message]:
    return [Message(receipt, fields["job"]) for receipt, fields in entries]


@contextmanager
def _outages() -> Iterator[None]:
    from redis.exceptions import RedisError

    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable("The queue", "check QUEUE_URL and that Redis runs") from error
