"""Works through a broker's messages: the part of `Queue.run` that is the same whatever the broker.

An adapter says how to receive, renew and acknowledge; here is when: as many at a time as wanted, leases renewed while
they are worked on, outages waited out, and a stop that lets finish what was begun.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from chatbot.deadline import cancel_and_wait
from chatbot.domain import Unavailable
from chatbot.ports import Handle

RECEIVE_WAIT = 0.5
"""Seconds an idle worker waits for a message before it looks at `stop` again."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds between two attempts to reach a broker that is down."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """A job id under lease; `receipt` is what the broker knows the message by."""

    receipt: str
    job_id: str


class Broker(Protocol):
    """Every method raises `Unavailable` when the broker does not answer."""

    async def receive(self, limit: int, wait: float) -> list[Message]:
        """Lease up to `limit` messages, new or whose lease ran out; wait at most `wait` seconds for the first."""

    async def renew(self, messages: Collection[Message]) -> None:
        """Start their leases anew."""

    async def acknowledge(self, message: Message) -> None:
        """Remove it for good."""


async def consume(broker: Broker, handle: Handle, concurrency: int, lease: float, stop: asyncio.Event) -> None:
    """See `ports.Queue.run`; `lease` in seconds. When cancelled, what is under way is cancelled and redelivered."""
    under_way: dict[asyncio.Task[None], Message] = {}
    stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    renewing = asyncio.create_task(_renew(broker, under_way, lease))
    pause = FIRST_PAUSE
    try:
        while not stop.is_set():
            if len(under_way) == concurrency:
                await asyncio.wait({stopping, *under_way}, return_when=asyncio.FIRST_COMPLETED)
                continue
            try:
                messages = await broker.receive(concurrency - len(under_way), RECEIVE_WAIT)
                pause = FIRST_PAUSE
            except Exception as error:  # an odd one may pass like an outage, and would take the jobs under way with it
                if isinstance(error, Unavailable):
                    log.warning("waiting for the queue", extra={"problem": str(error), "pause": pause})
                else:
                    log.exception("waiting for the queue")
                await asyncio.wait({stopping}, timeout=pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            for message in messages:
                task = asyncio.create_task(_work(broker, handle, message))
                under_way[task] = message
                task.add_done_callback(under_way.pop)
        await asyncio.gather(*under_way)
    finally:
        await cancel_and_wait(stopping, renewing, *under_way)


async def _work(broker: Broker, handle: Handle, message: Message) -> None:
    try:
        await handle(message.job_id)
        await broker.acknowledge(message)
    except Unavailable as error:
        log.warning("left for redelivery", extra={"job": message.job_id, "problem": str(error)})
    except Exception:
        log.exception("left for redelivery", extra={"job": message.job_id})


async def _renew(broker: Broker, under_way: dict[asyncio.Task[None], Message], lease: float) -> None:
    while True:
        await asyncio.sleep(lease / 3)
        try:
            if under_way:
                await broker.renew(list(under_way.values()))
        except Unavailable as error:
            log.warning("leases not renewed", extra={"problem": str(error)})
        except Exception:  # the next time it may succeed; without a next time every lease would run out
            log.exception("leases not renewed")
