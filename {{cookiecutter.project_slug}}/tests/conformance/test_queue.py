"""What every queue has to do, against the real broker: at least once, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from chatbot.chosen import queue
from chatbot.clients.broker_loop import Message
from chatbot.domain import Unavailable
from chatbot.ports import Queue
from chatbot.settings import Settings
from tests.conftest import LEASE, SERVICES, started

DURABLE = SERVICES["tested"]["queue_durable"]
"""False for an emulator that keeps nothing when it is restarted; the scheduler sends such jobs again."""

VICTIM = f"""
import asyncio, os
from chatbot.chosen import queue
from chatbot.clients.broker_loop import Message

async def handle(job_id):
    print(job_id, flush=True)
    await asyncio.sleep(60)

asyncio.run(queue.connect(os.environ["QUEUE"], {LEASE}).run(handle, 4, asyncio.Event()))
"""


class Recorder:
    """Handles jobs, each for `seconds`, and tells what it saw."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.done: Counter[str] = Counter()
        self.running = self.most_at_once = 0

    async def __call__(self, job_id: str) -> None:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.running -= 1
        self.done[job_id] += 1


@asynccontextmanager
async def working(broker: Queue, handle: Callable[[str], Awaitable[None]], concurrency: int = 4) -> AsyncIterator[None]:
    """A worker for as long as the block lasts, then stopped and drained."""
    stop = asyncio.Event()
    running = asyncio.create_task(broker.run(handle, concurrency, stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def until_depth(broker: Queue, messages: int, seconds: float = 15) -> None:
    """RabbitMQ counts a message that it takes back a moment later."""
    deadline = time.monotonic() + seconds
    while (found := await broker.depth()) != messages:
        assert time.monotonic() < deadline, f"{found} messages, not {messages}"
        await asyncio.sleep(0.05)


async def test_messages_sent_before_and_after_the_worker_started_are_handled_once(broker: Queue) -> None:
    handle = Recorder()
    await broker.send("before")
    async with working(broker, handle):
        await until(lambda: handle.done["before"] == 1)
        sent = time.monotonic()
        await broker.send("after")
        await until(lambda: handle.done["after"] == 1)
        assert time.monotonic() - sent < 1, "an idle worker is to wake up at once"
    assert handle.done == {"before": 1, "after": 1}
    assert await broker.depth() == 0


async def test_a_killed_workers_messages_are_handled_by_another(broker: Queue, settings: Settings) -> None:
    names = set("abcdefgh")
    for name in sorted(names):
        await broker.send(name)
    victim = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        VICTIM,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "QUEUE": settings.queue_url.get_secret_value(), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert victim.stdout is not None
    taken = {(await victim.stdout.readline()).decode().strip() for _ in range(4)}
    assert taken <= names
    assert len(taken) == 4
    victim.kill()
    await victim.wait()
    handle = Recorder()
    async with working(broker, handle):
        await until(lambda: handle.done.keys() == names, LEASE + 5)
    assert set(handle.done.values()) == {1}
    assert await broker.depth() == 0


async def test_the_lease_is_renewed_while_a_job_lasts_longer(broker: Queue, settings: Settings) -> None:
    handle = Recorder(seconds=2.5 * LEASE)
    other = queue.connect(settings.queue_url.get_secret_value(), LEASE)
    await broker.send("long")
    async with working(broker, handle), working(other, handle):
        await until(lambda: handle.done["long"] == 1)
    await other.close()
    assert handle.most_at_once == 1
    assert handle.done == {"long": 1}


async def test_a_handle_that_raises_leaves_the_message_for_redelivery(broker: Queue) -> None:
    attempts: list[float] = []

    async def handle(job_id: str) -> None:
        attempts.append(time.monotonic())
        if len(attempts) == 1:
            raise RuntimeError("the first attempt fails")

    await broker.send("stubborn")
    async with working(broker, handle):
        await until(lambda: len(attempts) == 2, LEASE + 8)
    assert attempts[1] - attempts[0] >= LEASE * 0.5
    assert await broker.depth() == 0


async def test_as_many_at_a_time_as_wanted_and_no_more(broker: Queue) -> None:
    handle = Recorder(seconds=0.2)
    for number in range(9):
        await broker.send(str(number))
    async with working(broker, handle, concurrency=3):
        await until(lambda: len(handle.done) == 9)
    assert handle.most_at_once == 3
    assert set(handle.done.values()) == {1}


async def test_two_workers_share_the_messages(broker: Queue, settings: Settings) -> None:
    handle = Recorder(seconds=0.01)
    other = queue.connect(settings.queue_url.get_secret_value(), LEASE)
    for number in range(40):
        await broker.send(str(number))
    async with working(broker, handle), working(other, handle):
        await until(lambda: len(handle.done) == 40)
    await other.close()
    assert set(handle.done.values()) == {1}


async def test_a_stop_lets_the_job_finish_and_takes_no_other(broker: Queue) -> None:
    handle = Recorder(seconds=1)
    await broker.send("begun")
    async with working(broker, handle, concurrency=1):
        await until(lambda: handle.running == 1)
        await broker.send("waiting")
    assert handle.done == {"begun": 1}
    await until_depth(broker, 1)


async def test_an_idle_worker_stops_within_a_second(broker: Queue) -> None:
    async with working(broker, Recorder()):
        await asyncio.sleep(0.7)
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 1


async def test_a_cancelled_worker_leaves_its_message(broker: Queue) -> None:
    handle = Recorder(seconds=30)
    await broker.send("given up")
    running = asyncio.create_task(broker.run(handle, 1, asyncio.Event()))
    await until(lambda: handle.running == 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert handle.running == 0
    handle.seconds = 0
    async with working(broker, handle):
        await until(lambda: handle.done["given up"] == 1, LEASE + 8)


async def test_the_end_of_a_job_whose_connection_was_lost_acknowledges_no_other(settings: Settings) -> None:
    """Receipts may begin anew on another connection: what came on a lost one is not acknowledged on the next."""
    one, other = [queue.connect(settings.queue_url.get_secret_value(), LEASE) for _ in range(2)]
    for name in ("first", "second"):
        await one.send(name)
    held = await received(one)
    await one.close()
    beside = await received(other)
    again = await received(one)
    with suppress(Unavailable):
        await one.acknowledge(held)
    left = {"first", "second"} - {held.job_id}
    for broker in (one, other):
        await broker.close()
    handle = Recorder()
    worker = queue.connect(settings.queue_url.get_secret_value(), LEASE)
    async with working(worker, handle):
        await until(lambda: left <= handle.done.keys(), 2 * LEASE + 10)
    await worker.close()
    assert {beside.job_id, again.job_id} <= {"first", "second"}


async def received(broker: Any) -> Message:
    """The next message, as the loop of a worker gets it."""
    async with asyncio.timeout(2 * LEASE + 10):
        while True:
            for message in await broker.receive(1, 0.5):
                return message


async def test_create_again_loses_nothing(broker: Queue) -> None:
    await broker.send("kept")
    await broker.create()
    assert await broker.depth() == 1


async def test_a_restart_of_the_broker_in_mid_run_loses_nothing(folder: Path) -> None:
    handle = Recorder(seconds=1)
    stop = asyncio.Event()
    with started(folder) as urls:
        url = urls.get("QUEUE_URL") or urls["DATABASE_URL"]
        broker = queue.connect(url, LEASE)
        await broker.create()
        for name in ("begun", "waiting"):
            await broker.send(name)
        running = asyncio.create_task(broker.run(handle, 1, stop))
        await until(lambda: handle.running == 1)
    with pytest.raises(Unavailable):
        await broker.send("meanwhile")
    with pytest.raises(Unavailable):
        await broker.ping()
    assert not running.done()
    with started(folder) as again:
        assert (again.get("QUEUE_URL") or again["DATABASE_URL"]) == url
        if DURABLE:
            await until(lambda: handle.done.keys() == {"begun", "waiting"}, 30)
        await broker.send("after")
        await until(lambda: handle.done["after"] == 1, 30)
        await until_depth(broker, 0)
        stop.set()
        await running
        await broker.close()
    assert handle.done["begun"] >= 1, "at least once: its end may not have been heard"


async def test_a_worker_stops_while_the_broker_is_down(settings: Settings) -> None:
    nowhere = settings.queue_url.get_secret_value().split("://")[0] + "://127.0.0.1:1/0"
    broker = queue.connect(nowhere, LEASE)
    stop = asyncio.Event()
    running = asyncio.create_task(broker.run(Recorder(), 1, stop))
    await asyncio.sleep(0.5)
    stopped = time.monotonic()
    stop.set()
    await running
    assert time.monotonic() - stopped < 1
    await broker.close()
