"""The loop that brokers' adapters share: whatever a broker does, leases of jobs under way are renewed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from chatbot.clients.broker_loop import Message, consume
from chatbot.domain import Unavailable

LEASE = 0.3


class Broker:
    """Has one message; its first renewals fail."""

    def __init__(self, *errors: Exception, receiving: Exception | None = None) -> None:
        self.errors = [*errors]
        self.receiving = receiving
        self.messages = [Message("receipt", "job")]
        self.renewed = asyncio.Event()
        self.acknowledged: list[str] = []

    async def receive(self, limit: int, wait: float) -> list[Message]:
        await asyncio.sleep(0.01)
        error, self.receiving = self.receiving, None
        if error:
            raise error
        given, self.messages = self.messages[:limit], self.messages[limit:]
        return given

    async def renew(self, messages: Collection[Message]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.renewed.set()

    async def acknowledge(self, message: Message) -> None:
        self.acknowledged.append(message.job_id)


ERRORS = pytest.mark.parametrize(
    "error", [Unavailable("The queue", "start it"), KeyError("odd")], ids=["outage", "odd"]
)


@ERRORS
async def test_an_error_does_not_end_the_renewal_of_leases(error: Exception) -> None:
    """Without another one every lease would run out, and each job be begun again beside itself."""
    broker, stop = Broker(error, error), asyncio.Event()

    async def handle(_: str) -> None:
        try:
            async with asyncio.timeout(20):
                await broker.renewed.wait()
        finally:
            stop.set()

    await consume(broker, handle, 1, LEASE, stop)
    assert broker.acknowledged == ["job"]


@ERRORS
async def test_an_error_does_not_end_the_worker(error: Exception) -> None:
    broker, stop = Broker(receiving=error), asyncio.Event()

    async def handle(_: str) -> None:
        stop.set()

    async with asyncio.timeout(20):
        await consume(broker, handle, 1, LEASE, stop)
    assert broker.acknowledged == ["job"]
