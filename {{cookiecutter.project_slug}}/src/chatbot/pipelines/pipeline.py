"""What a pipeline is, and how one runs without a server.

    async with opened(settings.load()) as services:
        figures = await run(services, pipeline("harvest"), {"corpus": "hal:CIRED"}, watch)

Steps hand nothing to each other but figures: what they work on lies in PostgreSQL. So a run that was killed is run
again from its beginning, and finds what is done already.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from chatbot.domain import RunsAlready
from chatbot.storage.pipeline_runs import PipelineRuns

if TYPE_CHECKING:
    from chatbot.bootstrap import Services
    from chatbot.settings import Settings

Figures = dict[str, Any]
"""What a step did, by name: numbers, texts and lists of them, as JSON has them."""
Options = Mapping[str, Any]
"""What was asked for, as JSON has it, with the figures of the steps before."""
Watch = Callable[[str, float], Awaitable[None]]
"""Told what is under way and how much of the step is done, 0 to 1."""
Do = Callable[["Services", Options, Watch], Awaitable[Figures]]

LOOK_AGAIN = 1.0
"""Seconds between two looks whether another run has ended."""


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a pipeline that can be tried again by itself."""

    name: str
    do: Do
    retries: int = 3
    """Only after an outage, and only under Prefect; a mistake is not made twice."""
    seconds: float = 6 * 3600
    """After which it is taken for stuck."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    name: str
    steps: tuple[Step, ...]
    is_recorded: bool = True
    """Not where there may be no table for it yet."""


def pipeline(name: str) -> Pipeline:
    """The `PIPELINE` of the module of that name beside this one, which is imported now."""
    found: Pipeline = importlib.import_module(f"chatbot.pipelines.{name}").PIPELINE
    return found


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    """The services for one run, or one step; nothing is connected yet."""
    from chatbot.bootstrap import bootstrap

    services = bootstrap(settings)
    try:
        yield services
    finally:
        await services.aclose()


async def run(services: Services, pipeline: Pipeline, options: Options, watch: Watch) -> Figures:
    """Run the steps in this process, one after the other. Raises what they raise; RunsAlready when it runs already."""
    async with alone(services, pipeline):
        return await work(services, pipeline, options, watch)


async def work(services: Services, pipeline: Pipeline, options: Options, watch: Watch) -> Figures:
    """The same for who sees to it that nobody else runs it."""
    started, figures = datetime.now(UTC), Figures()
    for step in pipeline.steps:
        figures |= await step.do(services, {**options, **figures}, watch)
    await conclude(services, pipeline, started, figures)
    return figures


@asynccontextmanager
async def alone(services: Services, pipeline: Pipeline, patience: float = 0) -> AsyncIterator[None]:
    """No other process runs it meanwhile. RunsAlready when one still does after `patience` seconds."""
    deadline = monotonic() + patience
    while pipeline.is_recorded:
        async with PipelineRuns(services.database).alone(pipeline.name) as free:
            if free:
                yield
                return
        if monotonic() >= deadline:
            raise RunsAlready(pipeline.name)
        await asyncio.sleep(LOOK_AGAIN)
    yield  # what may run before there are tables guards itself


async def conclude(services: Services, pipeline: Pipeline, started: datetime, figures: Figures) -> None:
    """Keep that it ran to its end, and what it did: the history of benchmarks, the audit of purges."""
    if pipeline.is_recorded:
        await PipelineRuns(services.database).add(pipeline.name, started, figures)
