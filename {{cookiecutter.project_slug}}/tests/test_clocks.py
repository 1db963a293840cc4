"""Clocks of machines differ, and jump: nothing that processes decide together is decided by the clock of one of them.

Real processes, whose wall clocks show what a file says they show: yesterday, tomorrow, an hour more or less in mid-job.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from chatbot.settings import home
from chatbot.storage.database import Database
from tests.processes import chatbot, environment, serving, until
from tests.test_end_to_end import QUESTION, ROOFS, Bot
from tests.unit import openai_server

pytestmark = pytest.mark.slow

MOVED = """
import datetime, os, time

def moved():
    with open(os.environ["CLOCK"]) as file:
        return float(file.read() or 0)

real = time.time
time.time = lambda: real() + moved()

class Moved(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.__mro__[1].fromtimestamp(time.time(), tz)

datetime.datetime = Moved
"""
"""What Python imports before anything else."""
HOUR, DAY = 3600, 24 * 3600


class Clock:
    """The wall clock of one machine."""

    def __init__(self, folder: Path, name: str, seconds: float = 0) -> None:
        self._folder, self._file = folder, folder / name
        (folder / "sitecustomize.py").write_text(MOVED)
        self.jump(seconds)

    def jump(self, seconds: float) -> None:
        """From now on it shows so much more than the time, or less."""
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._file)

    def of(self, environ: Mapping[str, str]) -> dict[str, str]:
        path = os.pathsep.join((str(self._folder), str(home() / "src")))
        return {**environ, "PYTHONPATH": path, "CLOCK": str(self._file)}


@pytest.fixture
def machines(folder: Path) -> tuple[Clock, Clock]:
    """Two, ten minutes apart."""
    return Clock(folder, "early", -300), Clock(folder, "late", 300)


@pytest.fixture
def with_model(environ: dict[str, str]) -> Iterator[dict[str, str]]:
    """Each answer takes 15 tokens."""
    with openai_server.running() as model:
        model.pieces = ["Within two ", "minutes [1]."]
        yield {**environ, "LLM_URL": model.url, "LLM_MODEL": "mock", "DAILY_TOKENS": "1", "RATE_LIMIT_PER_MINUTE": "6"}


def test_the_clock_of_a_process_can_be_moved(folder: Path) -> None:
    """Else the tests below would show nothing."""
    code = "import datetime, time; print(datetime.datetime.now(datetime.UTC).timestamp(), time.time())"
    environ = environment(**Clock(folder, "clock", DAY).of({}))
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert all(abs(float(moment) - time.time() - DAY) < HOUR for moment in done.stdout.split())


async def test_the_limits_of_a_minute_and_a_day_are_one_whatever_each_machine_takes_for_the_time(
    with_model: dict[str, str], machines: tuple[Clock, Clock], database: Database
) -> None:
    early, late = machines
    with ExitStack() as stack:
        (_, one), (_, other) = (stack.enter_context(serving(each.of(with_model))) for each in machines)
        with chatbot("worker", environ=with_model), chatbot("scheduler", environ=with_model):
            bot = Bot({}, one)
            assert bot.done(bot.upload(ROOFS))["state"] == "succeeded"
        await database.rows("TRUNCATE request_rates")
        assert ask(one, "v" * 24) == 200
        assert [ask(each, "v" * 24) for each in (one, other)] == [429, 429], "the tokens of the day are used up"
        for seconds in (HOUR, -HOUR, DAY, -DAY):
            early.jump(seconds)
            late.jump(-seconds)
            with chatbot("run", "purge", environ=early.of(with_model)) as purge:
                assert until(lambda purge=purge: purge.code is not None)
                assert purge.code == 0, purge.errors()
            # Of a process that learns only now what day it is, too.
            with serving(early.of(with_model)) as (_, new):
                assert [ask(each, "v" * 24) for each in (one, other, new)] == [429] * 3
        assert len(await database.rows("SELECT DISTINCT day FROM token_spending")) == 1
        await database.rows("TRUNCATE request_rates, token_spending")
        asked = [search(client, "w" * 24) for _ in range(12) for client in (one, other)]
        assert asked.count(200) in (6, 7), "ten seconds bring back one"


def test_a_job_is_its_workers_though_its_clock_jumps(environ: dict[str, str], folder: Path) -> None:
    """Nor is it taken for abandoned by a scheduler whose clock jumps; both go on for some leases, which are 2 s."""
    clock = Clock(folder, "clock")
    with openai_server.running() as model:
        model.thinking = 6
        slow = {**environ, "EMBEDDINGS_URL": model.url, "EMBEDDINGS_MODEL": "slow"}
        with (
            serving(slow) as (_, client),
            chatbot("worker", environ=clock.of(slow)),
            chatbot("scheduler", environ=clock.of(slow)),
        ):
            bot = Bot({}, client)
            upload = bot.upload(ROOFS)
            until(lambda: bot.job(upload)["state"] == "running")
            for seconds in (HOUR, -HOUR, DAY, 0):
                clock.jump(seconds)
                time.sleep(1.5)
            job = bot.done(upload)
            assert (job["state"], job["attempts"]) == ("succeeded", 1)


async def test_a_tick_is_run_at_its_time_and_once_whatever_the_schedulers_take_for_the_time(
    environ: dict[str, str], folder: Path, database: Database
) -> None:
    scheduled = {**environ, "SCHEDULES": "migrate=* * * * *"}
    with ExitStack() as stack:
        for name, seconds in (("hour", HOUR), ("back", -HOUR), ("tomorrow", DAY), ("none", 0)):
            stack.enter_context(chatbot("scheduler", environ=Clock(folder, name, seconds).of(scheduled)))

        async def ticks() -> list[tuple[bool, int]]:
            statement = (
                "SELECT tick BETWEEN now() - interval '3 minutes' AND now() AS good, attempt FROM schedule_ticks"
            )
            return [(row["good"], row["attempt"]) for row in await database.rows(f"{statement} ORDER BY tick")]

        async with asyncio.timeout(60):
            while not (found := await ticks()):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.2)
        await asyncio.sleep(6)  # a look more of each
        found = await ticks()
    assert len(found) <= 2
    assert set(found) == {(True, 1)}


async def test_nothing_young_is_purged_by_a_process_of_another_time(
    environ: dict[str, str], folder: Path, database: Database
) -> None:
    """Ten years ahead: whatever retention there is would be over."""
    clock = Clock(folder, "clock", timedelta(days=3650).total_seconds())
    with serving(environ) as (_, client), chatbot("worker", environ=environ), chatbot("scheduler", environ=environ):
        bot = Bot({}, client)
        assert bot.done(bot.upload(ROOFS))["state"] == "succeeded"
        conversation = client.post("/v1/chat", json={"question": QUESTION}).json()["conversation_id"]
        with chatbot("run", "purge", environ=clock.of(environ)) as purge:
            assert until(lambda: purge.code is not None)
            assert purge.code == 0, purge.errors()
        assert client.get(f"/v1/conversations/{conversation}").is_success
        assert len(await database.rows("SELECT id FROM jobs")) == 1


def ask(client: httpx2.Client, visitor: str) -> int:
    return client.post("/v1/chat", json={"question": QUESTION}, headers={"Cookie": f"visitor={visitor}"}).status_code


def search(client: httpx2.Client, visitor: str) -> int:
    headers = {"Cookie": f"visitor={visitor}"}
    return client.post("/v1/search", json={"query": "slate"}, headers=headers).status_code
