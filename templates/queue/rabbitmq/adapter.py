"""The queue as a RabbitMQ quorum queue: RabbitMQ 3.10 or later.

The broker itself knows no lease: it gives a message to another worker once the connection of the first one is gone. A
message whose job raised is given back when its lease has run out.

Delivery tags begin anew on each channel, so a receipt names the channel too: what was held on one that is gone is
delivered again, and the end of the work on it must not acknowledge another message.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from chatbot import ports
from chatbot.clients.broker_loop import Message, consume
from chatbot.domain import Unavailable

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

NAME = "chatbot.jobs"
TIMEOUT = 5
"""Seconds for RabbitMQ to connect or to reply."""
ARGUMENTS: dict[str, Any] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 1_000_000,  # the job's record counts attempts; RabbitMQ 4 would drop the message after 20
    "x-consumer-timeout": 43_200_000,  # ms that one job may take; the default is half an hour
}


def connect(url: str, lease: float) -> RabbitQueue:
    return RabbitQueue(url, lease)


class RabbitQueue:
    def __init__(self, url: str, lease: float) -> None:
        self._url = url
        self._lease = lease
        self._concurrency = 1
        self._connection: AbstractConnection | None = None
        self._publishing: AbstractChannel | None = None
        self._consuming: AbstractChannel | None = None
        self._channels = 0
        """How many channels messages have arrived on: the first part of a receipt."""
        self._opening = asyncio.Lock()
        self._arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._held: dict[str, tuple[AbstractIncomingMessage, float]] = {}
        """What was received and not acknowledged, by receipt, and when its lease runs out."""

    async def create(self) -> None:
        async with self._channel() as channel:
            await channel.declare_queue(NAME, durable=True, arguments=ARGUMENTS, timeout=TIMEOUT)

    async def send(self, job_id: str) -> None:
        import aio_pika

        async with self._channel() as channel:
            message = aio_pika.Message(job_id.encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            # Mandatory, and returns once a majority of the brokers has it: publisher confirms are on.
            await channel.default_exchange.publish(message, NAME, mandatory=True, timeout=TIMEOUT)

    async def run(self, handle: ports.Handle, concurrency: int, stop: asyncio.Event) -> None:
        self._concurrency = concurrency
        try:
            await consume(self, handle, concurrency, self._lease, stop)
        finally:
            await self._stop_consuming()  # gives back at once what nobody works on

    async def receive(self, limit: int, wait: float) -> list[Message]:
        await self._consume()
        await self._give_back()
        with suppress(TimeoutError):
            incoming = [await asyncio.wait_for(self._arrived.get(), wait)]
            while len(incoming) < limit and not self._arrived.empty():
                incoming.append(self._arrived.get_nowait())
            deadline = time.monotonic() + self._lease
            received = {f"{self._channels}:{message.delivery_tag}": message for message in incoming}
            self._held |= {receipt: (message, deadline) for receipt, message in received.items()}
            return [Message(receipt, message.body.decode()) for receipt, message in received.items()]
        return []

    async def renew(self, messages: Collection[Message]) -> None:
        deadline = time.monotonic() + self._lease
        for message in messages:
            if message.receipt in self._held:
                self._held[message.receipt] = self._held[message.receipt][0], deadline

    async def acknowledge(self, message: Message) -> None:
        held = self._held.pop(message.receipt, None)
        if held is None:
            raise Unavailable("The queue", "the connection was lost while the job ran, so it is delivered again")
        async with _outages():
            await held[0].ack()

    async def depth(self) -> int:
        async with self._channel() as channel:
            queue = await channel.declare_queue(NAME, durable=True, arguments=ARGUMENTS, timeout=TIMEOUT)
            return (queue.declaration_result.message_count or 0) + len(self._held)

    async def ping(self) -> None:
        await self.depth()

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Unavailable):
                async with _outages():
                    await connection.close()

    async def _consume(self) -> None:
        """Let messages arrive, on a channel of their own: what was held on a lost one is delivered again."""
        async with _outages():
            connection = await self._open()
            if self._consuming is not None and not self._consuming.is_closed:
                return
            self._held.clear()
            self._arrived = asyncio.Queue()
            self._channels += 1
            self._consuming = await connection.channel()
            await self._consuming.set_qos(prefetch_count=self._concurrency, timeout=TIMEOUT)
            queue = await self._consuming.declare_queue(NAME, durable=True, arguments=ARGUMENTS, timeout=TIMEOUT)
            await queue.consume(self._arrived.put, timeout=TIMEOUT)

    async def _stop_consuming(self) -> None:
        channel, self._consuming = self._consuming, None
        self._held.clear()
        if channel is not None:
            with suppress(Unavailable):
                async with _outages():
                    await channel.close()

    async def _give_back(self) -> None:
        now = time.monotonic()
        for receipt in [receipt for receipt, (_, deadline) in self._held.items() if deadline <= now]:
            async with _outages():
                await self._held.pop(receipt)[0].nack(requeue=True)

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[AbstractChannel]:
        async with _outages():
            connection = await self._open()
            async with self._opening:
                if self._publishing is None or self._publishing.is_closed:
                    self._publishing = await connection.channel(publisher_confirms=True)
            yield self._publishing

    async def _open(self) -> AbstractConnection:
        from aio_pika.connection import Connection, make_url

        async with self._opening:
            if self._connection is None or not self._connection.connected.is_set():
                await self.close()
                self._publishing = self._consuming = None
                self._connection = Connection(make_url(self._url))  # kept from now on, so that a failed one is closed
                await self._connection.connect(timeout=TIMEOUT)
            return self._connection


@asynccontextmanager
async def _outages() -> AsyncIterator[None]:
    from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

    try:
        yield
    except (AMQPError, ChannelInvalidStateError, OSError, RuntimeError, TimeoutError) as error:
        raise Unavailable("The queue", "check QUEUE_URL and that RabbitMQ runs") from error
