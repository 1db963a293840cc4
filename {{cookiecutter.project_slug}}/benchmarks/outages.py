"""What a broker that hangs costs those who ask, what a process holds of PostgreSQL, and what probes cost the model.

python -m benchmarks.outages
python -m benchmarks.outages --questions 100 --processes 4 --seconds 20 --json

One web process with its queue behind a proxy that falls silent. Rounds take turns, so that a busy machine slows both
kinds: 50 uploads that the broker takes, or that wait for it, and questions one after the other for as long as they
wait. Their ratio is what to compare. Then a fleet of web processes, each probed as deploy/kubernetes probes it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import tempfile
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import quantiles

import httpx2
import psycopg

from benchmarks.streaming import serving
from chatbot import settings
from chatbot.jobs.outbox import PATIENCE
from chatbot.runtime.migrate import migrate
from services import start
from tests.proxy import Proxy
from tests.unit import openai_server

UPLOADS = 50
WHILE = PATIENCE - 1.5
"""Seconds of questions in a round: as long as every upload still waits."""
ASK = {"question": "How many jobs does a worker run at a time?", "store": False}
PAGES = ("docs/operate.md", "docs/ask.md")
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


async def round_of(client: httpx2.AsyncClient, names: count[int]) -> list[float]:
    """Seconds of each question that was answered while the uploads of this round were on their way."""

    async def upload(name: str) -> None:
        file = {"file": (name, f"# {name}\n\nThis is {name}.\n".encode())}
        (await client.post("/v1/documents", files=file)).raise_for_status()

    uploads = [asyncio.create_task(upload(f"{next(names)}.md")) for _ in range(UPLOADS)]
    await asyncio.sleep(1)
    taken, until = [], time.perf_counter() + WHILE
    while time.perf_counter() < until:
        began = time.perf_counter()
        (await client.post("/v1/chat", json=ASK)).raise_for_status()
        taken.append(time.perf_counter() - began)
    await asyncio.gather(*uploads)
    return taken


async def hung(url: str, database: str, broker: Proxy, questions: int) -> dict[str, float]:
    names, calm, beside, most = count(), list[float](), list[float](), 0
    limits = httpx2.Limits(max_connections=2 * UPLOADS)
    async with (
        httpx2.AsyncClient(base_url=url, timeout=60, limits=limits, trust_env=False) as client,
        await psycopg.AsyncConnection.connect(database, autocommit=True) as connection,
    ):
        for page in PAGES:
            file = {"file": (Path(page).name, (settings.home() / page).read_bytes())}
            (await client.post("/v1/documents", files=file)).raise_for_status()
        await round_of(client, names)  # what is loaded and opened at first use is none of it
        while min(len(calm), len(beside)) < questions:
            calm += await round_of(client, names)
            broker.silence()
            asking = asyncio.create_task(round_of(client, names))
            await asyncio.sleep(2)
            most = max(most, await held(connection))
            beside += await asking
            broker.restore()
            await asyncio.sleep(1)
    p99 = {name: quantiles(each, n=100)[98] for name, each in (("calm", calm), ("hung", beside))}
    return {
        "questions": len(calm) + len(beside),
        "p99_calm_ms": 1000 * p99["calm"],
        "p99_hung_ms": 1000 * p99["hung"],
        "ratio": p99["hung"] / p99["calm"],
        "connections": most,
    }


async def held(connection: psycopg.AsyncConnection) -> int:
    """Connections that others have to PostgreSQL."""
    row = await (await connection.execute(CONNECTIONS)).fetchone()
    return row[0] if row else 0


async def probed(urls: list[str], database: str, seconds: float) -> int:
    """Probe each process for so long, at its own moments; the connections that all of them hold in the end."""
    base = (settings.home() / "deploy/kubernetes/base/chatbot.yaml").read_text()
    found = re.search(r"path: (/readyz\S*)\n.*\n\s*periodSeconds: (\d+)", base)
    assert found
    path, period, end = found[1], float(found[2]), time.monotonic() + seconds

    async def probe(url: str, late: float) -> None:
        await asyncio.sleep(late)
        async with httpx2.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            while time.monotonic() < end:
                (await client.get(path)).raise_for_status()
                await asyncio.sleep(period)

    await asyncio.gather(*(probe(url, period * number / len(urls)) for number, url in enumerate(urls)))
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        return await held(connection)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=300, help="of each kind, at least (default 300)")
    parser.add_argument("--processes", type=int, default=20, help="that are probed (default 20)")
    parser.add_argument("--seconds", type=float, default=60, help="of probing (default 60)")
    parser.add_argument("--json", action="store_true", help="print the figures for a script")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        urls = stack.enter_context(start(Path(folder), {}))
        os.environ.update(urls, PYTHONPATH=str(settings.home() / "src"))
        asyncio.run(migrate(settings.load()))
        broker = stack.enter_context(Proxy(urls.get("QUEUE_URL") or urls["DATABASE_URL"]))
        web = ["-m", "chatbot", "web"]
        with serving(web, QUEUE_URL=broker.url, LOG_LEVEL="ERROR") as server:
            url = f"http://127.0.0.1:{server.port}"
            figures = asyncio.run(hung(url, urls["DATABASE_URL"], broker, arguments.questions))
        model = stack.enter_context(openai_server.running())
        attached = {"LLM_URL": model.url, "LLM_MODEL": "some-model", "LOG_LEVEL": "ERROR"}
        fleet = [stack.enter_context(serving(web, **attached)) for _ in range(arguments.processes)]
        model.pings = 0
        addresses = [f"http://127.0.0.1:{each.port}" for each in fleet]
        figures["processes"] = len(fleet)
        figures["connections_of_all"] = asyncio.run(probed(addresses, urls["DATABASE_URL"], arguments.seconds))
        figures["pings_a_minute"] = model.pings * 60 / arguments.seconds
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<16} {value:8.2f}".removesuffix(".00"))


if __name__ == "__main__":
    main()
