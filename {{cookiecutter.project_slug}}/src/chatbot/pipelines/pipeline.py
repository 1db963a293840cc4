"""What a pipeline is, and how one runs without a server.

    async with opened(settings.load()) as services:
        figures = await run(services, pipeline("harvest"), {"corpus": "hal:CIRED"}, watch)

Steps hand nothing to each other but figures: what they work on lies in PostgreSQL. So a run that was killed is run
again from its beginning, and finds what is done already.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chatbot.domain import ChatbotError
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
    """Run the steps in this process, one after the other. Raises what they raise; ChatbotError when it runs already."""
    if not pipeline.is_recorded:
        return await _steps(services, pipeline, options, watch)
    async with PipelineRuns(services.database).alone(pipeline.name) as alone:
        if not alone:
            raise ChatbotError(f"`run {pipeline.name}` is running already: wait for its end.")
        started = datetime.now(UTC)
        figures = await _steps(services, pipeline, options, watch)
        await conclude(services, pipeline, started, figures)
        return figures


async def _steps(services: Services, pipeline: Pipeline, options: Options, watch: Watch) -> Figures:
    figures = Figures()
    for step in pipeline.steps:
        figures |= await step.do(services, {**options, **figures}, watch)
    return figures


async def conclude(services: Services, pipeline: Pipeline, started: datetime, figures: Figures) -> None:
    """Keep that it ran to its end, and what it did: the history of benchmarks, the audit of purges."""
    if pipeline.is_recorded:
        await PipelineRuns(services.database).add(pipeline.name, started, figures)
