"""A stream begun at one web process and resumed at another: both real servers, on the real PostgreSQL."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from chatbot.bootstrap import bootstrap
from chatbot.settings import Settings
from chatbot.storage.conversations import Conversations
from chatbot.storage.database import Database
from chatbot.storage.personal import Personal
from chatbot.storage.streams import OpenAnswers
from tests.conformance.test_conversations import ALICE, BOB, message
from tests.unit import openai_server
from tests.unit.openai_server import FakeOpenAI
from tests.unit.test_model_outages import FakeRetriever, listening
from tests.unit.test_web_api import events_of

pytestmark = pytest.mark.slow

ASK = {"question": "Who pays the carbon tax?", "stream": True}
PIECES = [f"Sweden introduced a {'very ' * number}early carbon tax [1]. " for number in range(30)]
"""What the passage supports, and each said once: an answer is shown sentence by sentence."""


@pytest.fixture
def model() -> Iterator[FakeOpenAI]:
    with openai_server.running() as fake:
        fake.pieces, fake.pause = PIECES, 0.05
        yield fake


@pytest.fixture
def two(settings: Settings, database: Database, model: FakeOpenAI) -> Iterator[list[str]]:
    """The addresses of two web processes' applications, with nothing in common but what is attached."""
    attached: Any = settings.model_copy(update={"llm_url": model.url, "llm_model": "some-model"})
    with ExitStack() as stack:
        bots = [bootstrap(attached, retriever=FakeRetriever()) for _ in range(2)]
        yield [f"http://127.0.0.1:{stack.enter_context(listening(bot))}" for bot in bots]


async def broken(client: httpx2.AsyncClient, url: str, tokens: int) -> tuple[str, str]:
    """What was received of a stream until its connection broke, and the id of the last event."""
    received = ""
    async with client.stream("POST", f"{url}/v1/chat", json=ASK) as response:
        async for piece in response.aiter_text():
            received += piece
            if received.count("event: token") >= tokens:
                break
    received = received[: received.rindex("\n\n") + 2]
    return received, re.findall(r"^id: (.*)$", received, re.MULTILINE)[-1]


async def test_the_other_process_brings_the_rest(two: list[str], model: FakeOpenAI, database: Database) -> None:
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as client:
        client.cookies.set("visitor", "v" * 24)
        received, last = await broken(client, two[0], tokens=3)
        following = await client.post(f"{two[1]}/v1/chat", json=ASK, headers={"Last-Event-ID": last})
        assert following.status_code == 200, following.text
        events = events_of(received) + events_of(following.text)
        assert [name for name, _ in events if name != "token"] == ["sources", "citation", "usage", "done"]
        done = events[-1][1]
        text = "".join(data["text"] for name, data in events if name == "token")
        assert text == done["answer"]
        assert text.strip() == "".join(PIECES).strip()
        assert done["message_id"] == events[0][1]["message_id"]
        again = await client.post(f"{two[0]}/v1/chat", json=ASK, headers={"Last-Event-ID": last})
        assert again.text == following.text
        stranger = {"Last-Event-ID": last, "Cookie": f"visitor={'w' * 24}"}
        assert (await client.post(f"{two[0]}/v1/chat", json=ASK, headers=stranger)).status_code == 404
    assert len(model.requests) == 1
    assert len(await database.rows("SELECT * FROM messages")) == 1
    assert await database.rows("SELECT * FROM open_answers") == []


async def test_without_anybody_who_waits_the_model_stops_and_the_rest_is_refused(
    two: list[str], model: FakeOpenAI, database: Database
) -> None:
    model.pause = 0.3
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as client:
        client.cookies.set("visitor", "v" * 24)
        _, last = await broken(client, two[0], tokens=2)
        left = time.monotonic()
        waiting = client.post(f"{two[1]}/v1/chat", json=ASK, headers={"Last-Event-ID": last})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await waiting
        assert not model.left.is_set()  # somebody waited
        left = time.monotonic()
        assert await asyncio.to_thread(model.left.wait, 5)
        assert time.monotonic() - left < 1.5
        refused = await client.post(f"{two[1]}/v1/chat", json=ASK, headers={"Last-Event-ID": last})
        assert refused.status_code == 404
    assert len(model.requests) == 1
    assert await database.rows("SELECT * FROM messages") == []


async def test_an_open_answer_is_its_askers_and_not_for_ever(database: Database) -> None:
    answers, conversations = OpenAnswers(database), Conversations(database)
    await answers.add("m1", ALICE)
    assert not await answers.beat("m1")
    assert not await answers.want("m1", BOB)
    assert not await answers.beat("m1")
    assert await answers.want("m1", ALICE)
    assert await answers.beat("m1")
    await database.rows("UPDATE open_answers SET alive_until = now()")  # its process died
    assert not await answers.want("m1", ALICE)
    personal = Personal(database, conversations)
    await personal.forget()
    assert await database.rows("SELECT * FROM open_answers") == []
    await answers.add("m2", ALICE)
    await conversations.keep(ALICE, "k1", message("m2"), title="Why?")
    assert not await answers.want("m2", ALICE)
    assert await conversations.find("m2", ALICE) == ("k1", (await conversations.get("k1", ALICE)).messages[0])  # type: ignore[union-attr]
    assert await conversations.find("m2", BOB) is None
    await answers.add("m3", ALICE)
    await personal.erase(ALICE)
    assert not await answers.beat("m3")
