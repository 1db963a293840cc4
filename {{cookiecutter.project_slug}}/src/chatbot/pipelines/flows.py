"""The pipelines as Prefect flows: thin wrappers of their steps, which prefect.yaml deploys.

Each step is a task: retried after an outage, ended when it is stuck, with an artifact that shows how far it is. A flow
run that was killed is started again as it is: the steps find what is done.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any

# Nobody hears of a run but the server that runs it. Prefect looks at this when it is imported.
os.environ.setdefault("DO_NOT_TRACK", "1")

from prefect import flow, task
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from chatbot import settings
from chatbot.domain import Unavailable
from chatbot.pipelines.pipeline import Figures, Options, Step, Watch, alone, conclude, opened, pipeline

SHOWN_EVERY = 2.0
"""Seconds between two updates of a progress artifact."""
FIRST_PAUSE = 10
"""Seconds until the first retry."""


@flow(name="harvest")
async def harvest(corpus: str | None = None, through_queue: bool = False) -> Figures:
    """Ingest what the archive has changed; default: the one that CORPUS names."""
    return await _run("harvest", {"corpus": corpus, "through_queue": through_queue})


@flow(name="ingest")
async def ingest(
    corpus: str | None = None, prune: bool = False, if_empty: bool = False, through_queue: bool = False
) -> Figures:
    """Ingest the corpus: the folder or the archive that CORPUS names."""
    options = {"corpus": corpus, "prune": prune, "if_empty": if_empty, "through_queue": through_queue}
    return await _run("ingest", options)


@flow(name="index")
async def index() -> Figures:
    """Rebuild the vector index for the configured model, while the old one still answers."""
    return await _run("index", {})


@flow(name="benchmark")
async def benchmark(
    questions: str | None = None,
    beir: str | None = None,
    thresholds: Sequence[str] = (),
    against: str | None = None,
) -> Figures:
    """Measure answers and ranking on the owner's questions; fails below a threshold."""
    options = {"questions": questions, "beir": beir, "thresholds": list(thresholds), "against": against}
    return await _run("benchmark", options)


@flow(name="report")
async def report(folder: str | None = None, language: str | None = None, days: int = 90) -> Figures:
    """Write how the bot is used and how good it is, as one HTML page and as JSON."""
    return await _run("report", {"folder": folder, "language": language, "days": days})


@flow(name="purge")
async def purge(tombstones: Sequence[str] = (), save: str | None = None) -> Figures:
    """Delete what need not be kept any longer, and again who was erased."""
    return await _run("purge", {"tombstones": list(tombstones), "save": save})


@flow(name="migrate")
async def migrate() -> Figures:
    """Bring the database, the vector index and the queue to this release."""
    return await _run("migrate", {})


async def _run(name: str, options: Options) -> Figures:
    found, started, figures = pipeline(name), datetime.now(UTC), Figures()
    async with opened(settings.load()) as services, alone(services, found):
        for step in found.steps:
            figures |= await _task(name, step)({**options, **figures})
        await conclude(services, found, started, figures)
    return figures


def _task(name: str, step: Step) -> Task[Any, Any]:
    @task(
        name=f"{name}: {step.name}",
        tags=["chatbot", name],
        retries=step.retries,
        retry_delay_seconds=exponential_backoff(FIRST_PAUSE),
        retry_jitter_factor=0.5,
        retry_condition_fn=_was_an_outage,
        timeout_seconds=step.seconds,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    async def work(options: Options) -> Figures:
        # A task may run again, or elsewhere: it connects by itself.
        async with opened(settings.load()) as services:
            return await step.do(services, options, await _artifact(name, step))

    return work


async def _was_an_outage(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    try:
        await state.aresult()
    except (Unavailable, OSError, TimeoutError):
        return True
    except Exception:
        return False
    return False


async def _artifact(name: str, step: Step) -> Watch:
    """Shows in Prefect how far the step is; not at each document, which would cost more than some documents do."""
    key = f"{name}-{step.name}".replace(" ", "-")
    artifact = await acreate_progress_artifact(progress=0.0, key=key, description=step.name)
    shown = monotonic()

    async def watch(what: str, fraction: float) -> None:
        nonlocal shown
        if fraction >= 1 or monotonic() - shown > SHOWN_EVERY:
            shown = monotonic()
            await aupdate_progress_artifact(artifact, progress=round(min(fraction, 1) * 100, 1))

    return watch
