"""Starts the pipelines of SCHEDULES, each tick once however many schedulers there are: a tick is a row in PostgreSQL,
whose clock says which is the latest.

A pipeline runs as a process of its own (pipelines/scheduled.py): the scheduler stays small, and a pipeline's failure is
not its own. A tick whose scheduler or run died is begun again. With a Prefect server nothing is started here: its
deployments have schedules of their own.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from chatbot.schedules import latest, parsed
from chatbot.storage.pipeline_runs import PipelineRuns, Tick

LATE = timedelta(hours=1)
"""A tick at which no scheduler was there is made up for within this time; later it is left out."""
SHOWN = 500
"""Characters of what a pipeline said when it failed."""

log = logging.getLogger(__name__)

Start = Callable[[Tick], Awaitable[Process]]


async def start(tick: Tick) -> Process:
    """Its run, in a session of its own: a signal to the scheduler's group is handed on by `Starter.stop`."""
    arguments = ("-m", "chatbot", "run", "scheduled", tick.pipeline, tick.tick.isoformat(), str(tick.attempt))
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, start_new_session=True
    )


class Starter:
    def __init__(self, runs: PipelineRuns, schedules: str, start: Start = start) -> None:
        self._runs, self._start = runs, start
        self._expressions = parsed(schedules)
        self._running: dict[str, tuple[Process, asyncio.Task[None]]] = {}

    async def look(self, now: datetime | None = None) -> Mapping[str, int]:
        """Start what is due and was not started by anybody; how many that were."""
        now = now or await self._runs.now()
        started = 0
        for name, expression in self._expressions.items():
            if name in self._running or (tick := await self._due(name, latest(expression, now), now)) is None:
                continue
            process = await self._start(tick)
            self._running[name] = process, asyncio.create_task(self._follow(name, process))
            about = {"pipeline": name, "tick": tick.tick.isoformat(), "attempt": tick.attempt}
            log.info("pipeline started", extra=about)
            started += 1
        return {"started": started}

    async def _due(self, name: str, moment: datetime, now: datetime) -> Tick | None:
        taken_over = await self._runs.take_over(name, moment)
        return taken_over or (await self._runs.claim(name, moment) if now - moment <= LATE else None)

    async def stop(self, grace: float) -> None:
        """End what runs: SIGTERM, after `grace` seconds SIGKILL. Another scheduler takes the tick over."""
        running = [*self._running.values()]
        for process, _ in running:
            process.terminate()
        followed = [task for _, task in running]
        if followed:
            _, left = await asyncio.wait(followed, timeout=grace)
            for process, task in running:
                if task in left:
                    process.kill()
            await asyncio.gather(*followed)

    async def _follow(self, name: str, process: Process) -> None:
        _, errors = await process.communicate()
        del self._running[name]
        if process.returncode:
            said = errors.decode(errors="replace").strip()[-SHOWN:]
            log.error("pipeline failed", extra={"pipeline": name, "code": process.returncode, "said": said})
        else:
            log.info("pipeline done", extra={"pipeline": name})
