"""Schedules, erasures after a restore, runs one at a time, and what imports Prefect."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chatbot.bootstrap import bootstrap
from chatbot.domain import ChatbotError, InvalidConfiguration, JobRequest
from chatbot.jobs.starter import Starter
from chatbot.pipelines.pipeline import pipeline, run
from chatbot.schedules import latest, problem
from chatbot.settings import Settings, home
from chatbot.storage.database import Database
from chatbot.storage.documents import Documents
from chatbot.storage.jobs import Jobs
from chatbot.storage.pipeline_runs import PipelineRuns, Tick
from chatbot.storage.tombstones import Tombstones
from tests.processes import chatbot, environment, python, until

STEPS = """
import asyncio, sys
from chatbot import settings
from chatbot.pipelines import pipeline

async def quiet(what, fraction): ...

async def main():
    async with pipeline.opened(settings.load()) as services:
        for step in pipeline.pipeline(sys.argv[1]).steps:
            await step.do(services, {}, quiet)

asyncio.run(main())
"""
"""The steps of a pipeline, and nothing around them."""


async def quiet(what: str, fraction: float) -> None: ...


class Ended:
    returncode = 0

    async def communicate(self) -> tuple[bytes, bytes]:
        await asyncio.sleep(0)
        return b"", b""


async def test_two_schedulers_start_each_tick_once(database: Database) -> None:
    await database.rows("TRUNCATE schedule_ticks")
    started: list[str] = []

    async def start(tick: Tick) -> Any:
        started.append(tick.pipeline)
        return Ended()

    both = [Starter(PipelineRuns(database), "report=*/5 * * * *", start) for _ in range(2)]
    now = datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)
    for minutes in (0, 1, 5, 6):
        await asyncio.gather(*[each.look(now + timedelta(minutes=minutes)) for each in both])
        await asyncio.sleep(0.05)
    assert started == ["report", "report"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("report=0 6 * * 1; purge=*/5 * * * *", None), ("dance=0 6 * * 1", "dance"), ("report=often", "report")],
)
def test_schedules_are_checked(text: str, expected: str | None) -> None:
    found = problem(text)
    assert (found is None) if expected is None else expected in (found or "")


def test_the_latest_tick_is_not_in_the_future() -> None:
    assert latest("0 6 * * *", datetime(2026, 1, 2, 6, 0, 0, tzinfo=UTC)) == datetime(2026, 1, 2, 6, tzinfo=UTC)
    assert latest("0 6 * * *", datetime(2026, 1, 2, 5, 59, 59, tzinfo=UTC)) == datetime(2026, 1, 1, 6, tzinfo=UTC)


async def test_who_was_erased_is_erased_again_after_a_restore(settings: Settings, database: Database) -> None:
    services = bootstrap(settings)
    restored = "INSERT INTO conversations (id, caller_id, title, created_at) VALUES (%(id)s, %(who)s, 't', %(at)s)"
    before, after = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(minutes=1)
    await services.personal.erase("visitor:1")
    saved = await Tombstones(database).lines()
    assert "visitor" not in "".join(saved)
    await database.rows("TRUNCATE erasures, conversations CASCADE")  # the backup knows nothing of it
    for id, who, at in (("a", "visitor:1", before), ("b", "visitor:1", after), ("c", "visitor:2", before)):
        await database.rows(restored, {"id": id, "who": who, "at": at})
    for expected in (1, 0):
        figures = await run(services, pipeline("purge"), {"tombstones": saved}, quiet)
        assert figures["erased again"] == expected
    left = await database.rows("SELECT id FROM conversations ORDER BY id")
    assert [row["id"] for row in left] == ["b", "c"]
    with pytest.raises(InvalidConfiguration, match="Line 1"):
        await Tombstones(database).add(["nonsense"])
    await services.aclose()


async def test_answers_of_dead_processes_are_forgotten_even_without_a_retention(
    settings: Settings, database: Database
) -> None:
    services = bootstrap(settings.model_copy(update={"conversation_retention_days": 0}))
    await database.rows("INSERT INTO open_answers VALUES ('m', 'visitor:1', now() - interval '1 h', now())")
    await run(services, pipeline("purge"), {}, quiet)
    assert await database.rows("SELECT * FROM open_answers") == []
    await services.aclose()


async def test_a_pipeline_that_runs_is_not_started_again(settings: Settings, database: Database) -> None:
    services = bootstrap(settings)
    async with PipelineRuns(database).alone("purge") as alone:
        assert alone
        with pytest.raises(ChatbotError, match="running already"):
            await run(services, pipeline("purge"), {}, quiet)
        idle = "SELECT backend_xmin FROM pg_stat_activity WHERE state = 'idle in transaction'"
        assert [row["backend_xmin"] for row in await database.rows(idle)] == [None], "nothing waits to be vacuumed"
    await run(services, pipeline("purge"), {}, quiet)
    await services.aclose()


@pytest.mark.slow
@pytest.mark.parametrize("command", [("run", "ingest", "--queue"), ("ingest", "{corpus}", "--queue")], ids=" ".join)
async def test_documents_through_the_queue_need_no_worker(
    environ: dict[str, str], documents: Documents, folder: Path, command: tuple[str, ...]
) -> None:
    for number in range(20):
        (folder / f"{number}.md").write_text(f"# Stone {number}\n\nIt weighs {number} kilograms.\n")
    words = [word.format(corpus=folder) for word in command]
    with chatbot(*words, environ={**environ, "CORPUS": str(folder)}) as process:
        assert until(lambda: process.code is not None)
        assert process.code == 0, process.errors()
    assert [each.state for each in await documents.list(100)] == ["complete"] * 20


async def test_jobs_are_followed_all_at_once(jobs: Jobs) -> None:
    made = [await jobs.create(JobRequest("ingest"), None) for _ in range(3)]
    assert {each.id for each in await jobs.every([*[each.id for each in made[:2]], "none"])} == {
        each.id for each in made[:2]
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["purge", "index"])
def test_a_run_takes_little_longer_than_its_steps(environ: dict[str, str], name: str) -> None:
    """The quickest of some, in turns, since the machine has other things to do."""
    commands = ("-c", STEPS, name), ("-m", "chatbot", "run", name)
    seconds = [[timed(command, environ) for command in commands] for _ in range(5)]
    steps, run = map(min, zip(*seconds, strict=True))
    assert run - steps < 0.3


def timed(command: Sequence[str], environ: dict[str, str]) -> float:
    since = time.perf_counter()
    subprocess.run([sys.executable, *command], env=environment(**environ), check=True, capture_output=True)
    return time.perf_counter() - since


@pytest.mark.slow
@pytest.mark.parametrize("module", ["web.app", "jobs.worker", "jobs.scheduler", "cli.main", "pipelines.pipeline"])
def test_no_process_that_serves_imports_prefect(module: str) -> None:
    assert python(f"import sys, chatbot.{module}; print('prefect' in sys.modules)") == "False"


def test_only_the_flows_import_prefect() -> None:
    importing = [
        path.name
        for path in (home() / "src").rglob("*.py")
        if re.search(r"^\s*(from|import) prefect", path.read_text("utf-8"), re.M)
    ]
    assert set(importing) <= {"flows.py", "with_prefect.py"}
