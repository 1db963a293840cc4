"""What the scheduler starts when a pipeline is due: `chatbot run scheduled NAME TICK ATTEMPT`.

The run itself shows that it is alive, by renewing the tick, and ends it. So a scheduler that dies does not take it
along, and a tick whose run died, or never began, is not lost: not renewed for a minute, it is begun by a scheduler.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from chatbot.deadline import cancel_and_wait
from chatbot.domain import Unavailable
from chatbot.pipelines import pipeline
from chatbot.pipelines.pipeline import Figures
from chatbot.storage.pipeline_runs import TICK_LEASE, PipelineRuns, Tick

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

PATIENCE = 3600.0
"""Seconds that it waits for a run that somebody began by hand."""

log = logging.getLogger(__name__)


async def run(services: Services, tick: Tick) -> Figures | None:
    """Run the pipeline; None when the tick was run to its end, or taken over, meanwhile. Raises what `run` raises."""
    found, runs = pipeline.pipeline(tick.pipeline), PipelineRuns(services.database)
    async with _renewed(runs, tick), pipeline.alone(services, found, PATIENCE):
        if not await runs.is_due(tick):
            return None
        try:
            figures = await pipeline.work(services, found, {}, _quiet)
        except Exception:
            await runs.end(tick)  # a mistake, or an outage that outlasted it: it would be the same again
            raise
        await runs.end(tick)
        return figures


@asynccontextmanager
async def _renewed(runs: PipelineRuns, tick: Tick) -> AsyncIterator[None]:
    async def renew() -> None:
        while True:
            try:
                await runs.renew(tick)
            except Unavailable as error:
                log.warning("the tick waits to be renewed", extra={"problem": str(error)})
            await asyncio.sleep(TICK_LEASE / 4)

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        await cancel_and_wait(renewing)


async def _quiet(what: str, fraction: float) -> None:
    """Nobody looks: the scheduler that would may be gone."""
