"""Workers and commands that stop at every await, in a world in memory: what becomes of them is the test's to say.

    world = Machine()
    worker = world.begin(work)      # runs to its first call of a database, a store or an embedder, and waits there
    world.step(worker)              # the call happens, and what follows up to the next one
    world.kill(worker)              # nothing of it ever runs again, no `finally` either: as kill -9

One event loop is run in small pieces, and what would run in a thread runs at once, so the same choices are the same
history.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from chatbot.domain import ChatbotError, UnreadableDocument
from chatbot.jobs.outbox import dispatch
from chatbot.jobs.worker import _outcome
from tests.unit.memory import Tables
from tests.unit.test_ingest import World

SETTLING = 12
"""Turns of the event loop after which whatever runs has come to its next call."""


CURRENT: ContextVar[Process] = ContextVar("CURRENT")
"""The process that runs, also in the tasks that it begins."""


class Process:
    """One coroutine on its way, and the future it waits on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.waits: asyncio.Future[None] | None = None
        self.task: asyncio.Task[Any] | None = None
        self.dead = False

    @property
    def over(self) -> bool:
        return self.dead or self.task is None or self.task.done()


class Machine:
    """Two releases' worth of processes (models « tiny » and « other ») over the same tables, store and queue."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.tables = Tables(pause=self._pause)
        self.world = World(self.tables)
        self.other = self.world.with_model("other", 3)
        self.processes: list[Process] = []
        self.queue: list[str] = []
        self.names = itertools.count(1)
        self._graves: list[Process] = []

    # What a test does with processes ----------------------------------------------------------------------------------

    def begin(self, name: str, work: Coroutine[Any, Any, Any]) -> Process:
        process = Process(f"{name} {next(self.names)}")
        self.processes.append(process)
        process.task = self.loop.create_task(self._run(process, work))
        self._settle()
        return process

    def step(self, process: Process) -> None:
        """Let the call that it waits on happen."""
        if process.waits is not None and not process.waits.done():
            process.waits.set_result(None)
        self._settle()
        self._bury()

    def finish(self, process: Process) -> None:
        for _ in range(10_000):
            if process.over:
                return
            self.step(process)
        raise AssertionError(f"{process.name} does not end")

    def kill(self, process: Process) -> None:
        process.dead = True
        self._graves.append(process)  # kept, so that nothing of it is cleaned up
        self._bury()

    def close(self) -> None:
        self.tables.pause = _over
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self._settle()
        self.loop.close()

    def now(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What it returns when nothing comes between."""
        process = self.begin("at once", work)
        self.finish(process)
        assert process.task is not None
        return process.task.result()

    # What processes do ------------------------------------------------------------------------------------------------

    async def work(self, job_id: str, world: World | None = None) -> None:
        """A worker that got a message."""
        world = world or self.world
        job = await world.jobs.start(job_id)
        if job is not None:
            with suppress(ChatbotError):
                await _outcome(_Beatless(world.jobs), world.ingester, job)  # type: ignore[arg-type]

    async def schedule(self) -> None:
        await self.world.jobs.recover_abandoned()
        await dispatch(self.world.jobs, self)  # type: ignore[arg-type]

    async def send(self, job_id: str) -> None:
        await self.tables.pause("send")
        self.queue.append(job_id)

    async def accept(self, source: str, content: bytes, **metadata: Any) -> None:
        with suppress(UnreadableDocument):
            await self.world.ingester.register(source, source, content, metadata)

    # ------------------------------------------------------------------------------------------------------------------

    async def _run(self, process: Process, work: Coroutine[Any, Any, Any]) -> Any:
        CURRENT.set(process)
        return await work

    async def _pause(self, _: str) -> None:
        process = CURRENT.get()
        process.waits = self.loop.create_future()
        await process.waits

    def _settle(self) -> None:
        async def turns() -> None:
            for _ in range(SETTLING):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    def _bury(self) -> None:
        self.processes = [each for each in self.processes if not each.over]


class _Beatless:
    """Jobs whose attempts give signs of life only when they do something: in this world no time passes by itself."""

    def __init__(self, jobs: Any) -> None:
        self._jobs = jobs
        self.lease = 1e9

    def __getattr__(self, name: str) -> Any:
        return getattr(self._jobs, name)


async def _over(_: str) -> None:
    raise asyncio.CancelledError


async def inline(do: Callable[..., Any], *arguments: Any) -> Any:
    """In place of `asyncio.to_thread`."""
    return do(*arguments)
