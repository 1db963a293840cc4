"""Real processes on the real services, killed (SIGKILL) or put to sleep past their lease (SIGSTOP) at random moments.

Documents are added, changed, described anew and deleted, the index is rebuilt for another model, and what there should
be is compared with what there is, all the while. In the end every document is found as it was accepted last, each chunk
is in the active index exactly once, nothing is left over, and no job is stuck. HISTORY_SEED=… repeats a run's choices.
The same for pipelines by themselves, without worker or scheduler, each run killed and run again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from chatbot import settings as settings_module
from chatbot.bootstrap import Services, bootstrap
from chatbot.ingestion.corpus import files
from chatbot.jobs.outbox import submit
from chatbot.settings import home
from chatbot.storage.documents import document_id
from tests.processes import Process, until
from tests.unit import openai_server

pytestmark = pytest.mark.slow

KILLS = 20
PARTS = 40
"""Sections of a document: enough for some batches of embeddings."""
SOURCES = [f"{name}.md" for name in "abcdef"]
LASTING = ("worker", "worker", "scheduler")
PASSING = (("run", "index"), ("run", "reconcile"))
FORMER, LATTER = "former", "latter"
"""Models, each with an index of its own."""


def content(draw: random.Random) -> bytes:
    parts = draw.sample(range(PARTS), draw.randint(1, PARTS))
    return b"# Stones\n\n" + b"".join(f"## Stone {n}\n\nIt weighs {n} kilograms.\n\n".encode() for n in parts)


class Crew:
    """The processes, some of which are always about to die."""

    def __init__(self, environ: dict[str, str], draw: random.Random, lasting: Sequence[str] = LASTING) -> None:
        self.environ, self.draw, self.model = environ, draw, FORMER
        self.lasting = [self._start(name) for name in lasting]
        self.passing: list[Process] = []
        self.kills = Counter[str]()

    def command(self) -> None:
        command = self.draw.choice(PASSING)
        self.passing.append(self._start(*command, model=self.draw.choice((FORMER, LATTER))))

    def kill(self) -> None:
        running = [each for each in self.passing if each.code is None]
        if running and self.draw.random() < 0.4:
            running[0].stop(signal.SIGKILL)
            self.kills["command"] += 1
            return
        number = self.draw.randrange(len(LASTING))
        self.lasting[number].stop(signal.SIGKILL)
        self.lasting[number].close()
        self.kills[LASTING[number]] += 1
        self.lasting[number] = self._start(LASTING[number])

    async def sleep(self, seconds: float) -> None:
        """One worker does nothing for longer than its lease, and then goes on as if nothing had been."""
        worker = self.lasting[0]
        worker._popen.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        worker._popen.send_signal(signal.SIGCONT)
        self.kills["asleep"] += 1

    def end(self) -> None:
        for process in [*self.lasting, *self.passing]:
            process.stop(signal.SIGKILL)
            process.close()
        self.lasting, self.passing = [], []

    def _start(self, *command: str, model: str = "") -> Process:
        return Process(command, {**self.environ, "EMBEDDINGS_MODEL": model or self.model})


@pytest.fixture
async def services(environ: dict[str, str]) -> AsyncIterator[Services]:
    """Of the latter model, with an API that takes its time."""
    with openai_server.running() as fake:
        fake.thinking = 0.05
        environ |= {"EMBEDDINGS_URL": fake.url, "JOB_LEASE": "1", "WORKER_CONCURRENCY": "2"}
        values = {name.lower(): value for name, value in environ.items()}
        services = bootstrap(settings_module.load(_env_file=None, **values | {"embeddings_model": LATTER}))
        for model in (FORMER, LATTER):
            await services.vectors.drop(f"{model}_2")
        yield services
        for model in (FORMER, LATTER):
            await services.vectors.drop(f"{model}_2")
        await services.aclose()


async def test_twenty_kills(services: Services, environ: dict[str, str]) -> None:
    seed = int(os.environ.get("HISTORY_SEED") or time.time_ns() % 1_000_000)
    print(f"HISTORY_SEED={seed}")
    draw, accepted = random.Random(seed), dict[str, tuple[bytes, int]]()
    crew = Crew(environ, draw)
    try:
        while crew.kills.total() - crew.kills["asleep"] < KILLS:
            for _ in range(draw.randint(1, 4)):
                await operate(services, draw, accepted)
            if draw.random() < 0.3:
                crew.command()
            await asyncio.sleep(draw.uniform(0, 2))
            if draw.random() < 0.2:
                await crew.sleep(draw.uniform(1, 3))
            else:
                await asyncio.to_thread(crew.kill)
        await let_all_end(services, crew)
    finally:
        crew.end()
    print(dict(crew.kills))
    await check(services, accepted)


async def test_twenty_kills_of_runs(services: Services, environ: dict[str, str], folder: Path) -> None:
    seed = int(os.environ.get("HISTORY_SEED") or time.time_ns() % 1_000_000)
    print(f"HISTORY_SEED={seed}")
    draw, kills = random.Random(seed), Counter[str]()
    crew = Crew({**environ, "CORPUS": str(folder)}, draw, lasting=())
    try:
        for name in SOURCES:
            (folder / name).write_bytes(content(draw))
        while kills.total() < KILLS:
            if draw.random() < 0.3:
                (folder / draw.choice(SOURCES)).write_bytes(content(draw))
            command = draw.choice((("run", "ingest"), ("run", "ingest", "--queue"), ("run", "index")))
            process = crew._start(*command, model=draw.choice((FORMER, LATTER)) if "index" in command else "")
            await asyncio.sleep(draw.uniform(0.7, 2.5))  # of which it begins to work after half a second
            if process.code is None:
                kills[" ".join(command)] += 1
            process.stop(signal.SIGKILL)
            process.close()
        for each in ("ingest", "index"):
            await asyncio.to_thread(run, crew, each)
        await let_all_end(services, crew)
    finally:
        crew.end()
    print(dict(kills))
    await check(services, {each.source: (each.read(), None) for each in files([folder], home()).items if each.read})


async def operate(services: Services, draw: random.Random, accepted: dict[str, tuple[bytes, int]]) -> None:
    """What a user does, and is told that it was done."""
    source, year = draw.choice(SOURCES), draw.randint(2000, 2003)
    if source in accepted and draw.random() < 0.25:
        await services.ingester.remove(document_id(source))
        del accepted[source]
        return
    described_only = source in accepted and draw.random() < 0.3
    text = accepted[source][0] if described_only else content(draw)
    _, job = await services.ingester.register(source, source, text, {"year": year})
    accepted[source] = text, year
    if job and draw.random() < 0.7:  # else the scheduler has to send it
        await submit(services.jobs, services.queue, job)


async def let_all_end(services: Services, crew: Crew) -> None:
    """Processes of the latter model take over, and have no more accidents."""
    crew.end()
    crew.model = LATTER
    crew.lasting = [crew._start(name) for name in ("worker", "scheduler")]
    await asyncio.to_thread(run, crew, "index")
    await asyncio.to_thread(run, crew, "reconcile")

    async def busy() -> bool:
        counts = await services.jobs.counts()
        return any(counts[state] for state in ("pending", "queued", "running"))

    async with asyncio.timeout(120):
        while await busy():  # noqa: ASYNC110 - jobs tell nobody when they end
            await asyncio.sleep(0.2)
    # What was reserved by processes that are dead by now: ten minutes have passed.
    await services.database.rows("UPDATE embeddings SET reserved_at = reserved_at - interval '1 hour'")
    mended = await asyncio.to_thread(run, crew, "reconcile")
    print(f"mended: {mended}")
    async with asyncio.timeout(120):
        while await busy():  # noqa: ASYNC110 - jobs tell nobody when they end
            await asyncio.sleep(0.2)
    found = await asyncio.to_thread(run, crew, "reconcile")
    assert found == dict.fromkeys(found, 0)


def run(crew: Crew, name: str) -> dict[str, int]:
    """`chatbot run NAME`, to its end."""
    process = crew._start("run", name, *(["--json"] if name == "reconcile" else []))
    try:
        assert until(lambda: process.code is not None, 120)
        assert process.code == 0, process.errors()
        return json.loads("\n".join(process.output())) if name == "reconcile" else {}
    finally:
        process.stop(signal.SIGKILL)
        process.close()


async def check(services: Services, accepted: Mapping[str, tuple[bytes, int | None]]) -> None:
    documents = await services.documents.list(100)
    assert {each.source for each in documents} == accepted.keys()
    for each in documents:
        text, year = accepted[each.source]
        assert (each.state, each.metadata, await services.documents.original(each.id)) == (
            "complete",
            {"year": year} if year else {},
            text,
        )
        chunks = await services.documents.chunks(each.id)
        assert [chunk.heading.split()[-1] for chunk in chunks] == [
            line.split()[-1].decode() for line in text.splitlines() if line.startswith(b"## ")
        ]
    rows = await services.database.rows("SELECT * FROM embeddings WHERE index_name = 'latter_2'")
    points = [id async for page in services.vectors.scan("latter_2") for id in page]
    assert sorted(points) == sorted(row["id"] for row in rows), "no orphan, and none is missing"
    keys = await services.database.rows("SELECT key FROM chunks")
    assert sorted(row["chunk_key"] for row in rows) == sorted(row["key"] for row in keys), "each chunk once"
    states = await services.jobs.counts()
    assert {name for name, number in states.items() if number} <= {"succeeded", "failed"}, states
    assert {job.error for job in await services.jobs.list("failed", 1000)} <= {
        "The document was deleted before it was read.",
        "The document was removed while it was being read.",
    }
