"""Processes that are stopped or killed under load: no accepted request fails, no job and no conversation is lost."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import pytest

from tests.processes import PATIENCE, chatbot, serving, until
from tests.test_end_to_end import QUESTION, ROOFS, Bot
from tests.unit import openai_server
from tests.unit.openai_server import FakeOpenAI

pytestmark = pytest.mark.slow

CLIENTS = 50
SENTENCES = [f"Slate roofs shed {'very ' * number}clean rain water [1]. " for number in range(20)]
"""What the document supports, and each said once: an answer is shown sentence by sentence."""
STONES = "# Stones\n\n" + "\n".join(f"## Stone {n}\n\nStone number {n} weighs {n} kilograms.\n" for n in range(80))


@pytest.fixture
def model() -> Iterator[FakeOpenAI]:
    """Takes five seconds for an answer."""
    with openai_server.running() as fake:
        fake.write = lambda body: [QUESTION] if "Rewrite" in body["messages"][0]["content"] else SENTENCES
        fake.pause = 0.25
        yield fake


@pytest.fixture
def with_model(environ: dict[str, str], model: FakeOpenAI) -> dict[str, str]:
    """With a document to answer from."""
    environ = {**environ, "LLM_URL": model.url, "LLM_MODEL": "mock", "SHUTDOWN_GRACE": "30"}
    with serving(environ) as (_, client), chatbot("worker", environ=environ):
        bot = Bot({}, client)
        assert bot.done(bot.upload(ROOFS))["state"] == "succeeded"
    return environ


class Stream:
    """One answer that is being streamed: its events so far."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.begun = asyncio.Event()

    async def read(self, client: httpx2.AsyncClient, **body: Any) -> None:
        async with client.stream("POST", "/v1/chat", json={"question": QUESTION, "stream": True, **body}) as response:
            assert response.status_code == 200
            name = ""
            async for line in response.aiter_lines():
                field, _, value = line.partition(": ")
                name = value if field == "event" else name
                if field == "data":
                    self.events.append((name, json.loads(value)))
                    if name == "token":
                        self.begun.set()


async def once_all(streams: list[Stream]) -> None:
    """Once all of them have begun."""
    async with asyncio.timeout(PATIENCE):
        for stream in streams:
            await stream.begun.wait()


async def test_sigterm_under_fifty_streams_breaks_none(with_model: dict[str, str]) -> None:
    answered, refused = 0, 0

    async def knock(client: httpx2.AsyncClient, ended: asyncio.Event) -> None:
        """A client that goes on asking, as behind a load balancer that has not noticed yet."""
        nonlocal answered, refused
        while not ended.is_set():
            try:
                answered += (await client.post("/v1/search", json={"query": "slate"})).status_code == 200
            except httpx2.TransportError:
                refused += 1  # the log knows nothing of it: a load balancer sends it to another process
            await asyncio.sleep(0.2)

    with serving(with_model) as (web, sync):
        base, limits = str(sync.base_url), httpx2.Limits(max_connections=2 * CLIENTS)
        async with httpx2.AsyncClient(base_url=base, timeout=PATIENCE, limits=limits, trust_env=False) as client:
            streams, ended = [Stream() for _ in range(CLIENTS)], asyncio.Event()
            reading = [asyncio.create_task(stream.read(client)) for stream in streams]
            await once_all(streams)
            knocking = asyncio.create_task(knock(client, ended))
            stopping = asyncio.create_task(asyncio.to_thread(web.stop))
            await asyncio.sleep(0.3)
            draining = await client.get("/readyz")
            assert (draining.status_code, draining.headers["connection"]) == (503, "close")
            await asyncio.gather(*reading)
            ended.set()
            await knocking
            assert await stopping == 0
        assert web.errors() == ""
        served = [(line["path"], line["status"]) for line in web.logs() if line.get("path", "").startswith("/v1/")]
    assert Counter(served) == {("/v1/chat", 200): CLIENTS, ("/v1/search", 200): answered}
    assert answered > 0
    assert refused > 0
    for stream in streams:
        name, answer = stream.events[-1]
        assert name == "done"
        assert all(sentence.strip() in answer["answer"] for sentence in SENTENCES)


async def test_a_conversation_survives_the_kill_of_its_process_in_mid_answer(
    with_model: dict[str, str], model: FakeOpenAI
) -> None:
    """What was complete is there, nothing of what was not; and the next process goes on from it."""
    with serving(with_model) as (first, one), serving(with_model) as (_, other):
        model.pause = 0
        begun = one.post("/v1/chat", json={"question": QUESTION}).json()
        other.cookies = one.cookies
        model.pause = 0.1
        about = {"base_url": str(one.base_url), "cookies": one.cookies, "timeout": PATIENCE, "trust_env": False}
        async with httpx2.AsyncClient(**about) as client:
            stream = Stream()
            cut = asyncio.create_task(stream.read(client, conversation_id=begun["conversation_id"]))
            await once_all([stream])
            first.stop(signal.SIGKILL)
            with suppress(httpx2.TransportError):
                await cut
        assert "done" not in [name for name, _ in stream.events]
        model.pause = 0
        url = f"/v1/conversations/{begun['conversation_id']}"
        assert [each["id"] for each in other.get(url).json()["messages"]] == [begun["message_id"]]
        body = {"question": "Why is that?", "conversation_id": begun["conversation_id"]}
        again = other.post("/v1/chat", json=body).json()
        kept = other.get(url).json()["messages"]
        assert [each["id"] for each in kept] == [begun["message_id"], again["message_id"]]
        assert QUESTION in model.requests[-2]["messages"][1]["content"], "the question is understood from the history"


@pytest.mark.parametrize(("grace", "attempts"), [("60", 1), ("0.1", 2)], ids=["finishes", "gives back"])
def test_a_worker_that_is_stopped_in_mid_job(environ: dict[str, str], grace: str, attempts: int) -> None:
    with serving(environ) as (_, client):
        bot = Bot({}, client)
        with chatbot("worker", environ={**environ, "SHUTDOWN_GRACE": grace}) as worker:
            upload = bot.upload(STONES.encode(), "stones.md")
            until(lambda: bot.job(upload)["progress"])
            assert worker.stop() == 0
            assert worker.errors() == ""
        assert bot.job(upload)["state"] == ("succeeded" if attempts == 1 else "pending")
        with chatbot("worker", environ=environ):
            job = bot.done(upload)
        assert (job["state"], job["attempts"]) == ("succeeded", attempts)
        assert client.get(f"/v1/documents/{job['document_id']}").json()["chunks"] == 80
