"""The queue as a NATS JetStream work queue: NATS 2.10 or later with JetStream, one stream, one durable pull consumer.

A message stays in the stream until it is acknowledged; the consumer's `ack_wait` is its lease. A receipt is the
message's reply subject: acknowledging and renewing are messages to it, whoever sends them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from chatbot import ports
from chatbot.clients.broker_loop import Message, consume
from chatbot.deadline import with_timeout
from chatbot.domain import Unavailable

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

STREAM, SUBJECT, CONSUMER = "chatbot", "chatbot.jobs", "workers"
TIMEOUT = 5
"""Seconds for NATS to connect or to reply."""
PING = 3
"""Seconds between two questions whether NATS still answers; after two without an answer the connection is lost."""
CONFIGURED_OTHERWISE = 10058
"""NATS's error code for a stream that is there with other settings."""
ACKNOWLEDGE, IN_PROGRESS = b"+ACK", b"+WPI"
"""https://docs.nats.io/reference/reference-protocols/nats_api_reference, acknowledging messages."""


def connect(url: str, lease: float) -> NatsQueue:
    return NatsQueue(url, lease)


class NatsQueue:
    def __init__(self, url: str, lease: float) -> None:
        self._url = url
        self._lease = lease
        self._opened: Client | None = None
        self._opening = asyncio.Lock()
        self._subscribed: tuple[Client, JetStreamContext.PullSubscription] | None = None

    async def create(self) -> None:
        from nats.js import api
        from nats.js.errors import BadRequestError

        async with self._client() as client:
            stream = client.jetstream(timeout=TIMEOUT)
            try:
                await stream.add_stream(
                    name=STREAM,
                    subjects=[SUBJECT],
                    retention=api.RetentionPolicy.WORK_QUEUE,
                    storage=api.StorageType.FILE,
                )
            except BadRequestError as error:
                if error.err_code != CONFIGURED_OTHERWISE:  # an owner may want more replicas
                    raise
            # Made again with another lease, it takes the new one.
            lease = api.ConsumerConfig(durable_name=CONSUMER, ack_wait=self._lease, max_deliver=-1, max_ack_pending=-1)
            await stream.add_consumer(STREAM, lease)

    async def send(self, job_id: str) -> None:
        async with self._client() as client:
            await client.jetstream(timeout=TIMEOUT).publish(SUBJECT, job_id.encode(), stream=STREAM)

    async def run(self, handle: ports.Handle, concurrency: int, stop: asyncio.Event) -> None:
        await consume(self, handle, concurrency, self._lease, stop)

    async def receive(self, limit: int, wait: float) -> list[Message]:
        from nats.errors import TimeoutError as NothingCame

        subscription = await self._subscription()
        async with self._client():
            try:
                found = await subscription.fetch(limit, timeout=wait)
            except NothingCame:
                return []
        return [Message(message.reply, message.data.decode()) for message in found]

    async def renew(self, messages: Collection[Message]) -> None:
        async with self._client() as client:
            for message in messages:
                await client.publish(message.receipt, IN_PROGRESS)
            await client.flush(TIMEOUT)

    async def acknowledge(self, message: Message) -> None:
        async with self._client() as client:
            await client.request(message.receipt, ACKNOWLEDGE, timeout=TIMEOUT)

    async def depth(self) -> int:
        async with self._client() as client:
            return (await client.jetstream(timeout=TIMEOUT).stream_info(STREAM)).state.messages

    async def ping(self) -> None:
        async with self._client() as client:
            await client.jetstream(timeout=TIMEOUT).account_info()

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(TimeoutError):
                await with_timeout(TIMEOUT, opened.close())

    async def _subscription(self) -> JetStreamContext.PullSubscription:
        """On the connection that is open; what the broker needs is made if it is gone."""
        async with self._client() as client:
            if self._subscribed is None or self._subscribed[0] is not client:
                await self.create()
                stream = client.jetstream(timeout=TIMEOUT)
                self._subscribed = client, await stream.pull_subscribe_bind(consumer=CONSUMER, stream=STREAM)
            return self._subscribed[1]

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Client]:
        import nats
        from nats.errors import Error

        try:
            async with asyncio.timeout(TIMEOUT):
                async with self._opening:
                    if self._opened is None or not self._opened.is_connected:
                        # Its own reconnecting would keep a caller waiting while NATS is down: tried twice, then told.
                        self._opened = await nats.connect(
                            self._url,
                            allow_reconnect=False,
                            max_reconnect_attempts=1,
                            reconnect_time_wait=0.1,
                            error_cb=_ignore,
                            ping_interval=PING,
                        )
                yield self._opened
        except (Error, OSError, TimeoutError) as error:
            await self.close()  # a late reply to what was given up ends its reading, and it would not know
            raise Unavailable("The queue", "check QUEUE_URL and that NATS runs with JetStream") from error


async def _ignore(_: Exception) -> None:
    """Whoever called is told; NATS's own client would also print a traceback."""
