"""The model as an attached resource: what is tried again, what is waited for, and that it stops when nobody waits."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import uvicorn

from chatbot.answering.answer import Answerer
from chatbot.answering.extractive import Extractive
from chatbot.bootstrap import language_model as connect
from chatbot.clients import embedder as embedders
from chatbot.clients import language_model
from chatbot.clients.language_model import GenerationLimits
from chatbot.domain import InvalidConfiguration, ModelUnavailable, Passage, Unavailable, Usage
from chatbot.ingestion.hal import harvest
from chatbot.web.app import create_app
from tests.unit import openai_server
from tests.unit.fakes import PASSAGE, client_of, fake_services
from tests.unit.openai_server import FakeOpenAI
from tests.unit.test_language_model import text_and_usage, written
from tests.unit.test_web_api import events_of

pytestmark = pytest.mark.slow

QUESTION = "Who pays the carbon tax?"


class FakeRetriever:
    embedding_model = "fake"

    async def search(self, *_: Any) -> list[Passage]:
        return [PASSAGE]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, "RETRY_PAUSE", 0.01)


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with openai_server.running() as fake:
        yield fake


def connected(server: FakeOpenAI, limits: GenerationLimits | None = None) -> Any:
    return connect(server.url, "some-model", "", limits or GenerationLimits(5, 5))


def bot(model: Any) -> Any:
    return fake_services(Answerer(FakeRetriever(), model, 5, Extractive()))  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_failure_of_the_moment_is_tried_once_more(server: FakeOpenAI, status: int) -> None:
    server.statuses = [status, 200]
    assert await text_and_usage(connected(server)) == ("In 1991 [1].", Usage(7, 3))
    server.statuses = [status]
    with pytest.raises(ModelUnavailable):
        await written(connected(server))
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_a_refusal_is_not_tried_again(server: FakeOpenAI, status: int) -> None:
    server.status = status
    with pytest.raises(ModelUnavailable):
        await written(connected(server))
    assert len(server.requests) == 1


async def test_a_stream_that_breaks_before_its_first_word_is_tried_again_and_not_after(server: FakeOpenAI) -> None:
    server.cut = 0
    with pytest.raises(ModelUnavailable, match="nothing answers"):
        await written(connected(server))
    assert len(server.requests) == 2
    server.cut = 1
    with pytest.raises(ModelUnavailable, match="nothing answers"):
        await written(connected(server))
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("delay", "pause", "limits"),
    [(5, 0, GenerationLimits(9, 0.2)), (0, 5, GenerationLimits(9, 5))],
    ids=["first token", "between tokens"],
)
async def test_a_model_that_is_silent_is_waited_for_so_long(
    server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch, delay: float, pause: float, limits: GenerationLimits
) -> None:
    monkeypatch.setattr(language_model, "BETWEEN_TOKENS", 0.2)
    server.delay, server.pause, server.pieces = delay, pause, ["word "] * 20
    started = time.monotonic()
    with pytest.raises(ModelUnavailable, match="it took too long"):
        await written(connected(server, limits))
    assert time.monotonic() - started < 2
    assert len(server.requests) == 1
    assert await asyncio.to_thread(server.left.wait, 1)


@pytest.mark.parametrize(
    ("pause", "limits"),
    [(0.15, GenerationLimits(0.4, 0.4)), (0, GenerationLimits(5, 5, tokens=2))],
    ids=["its time is up", "its tokens are used up"],
)
async def test_a_model_that_rambles_is_cut_with_what_it_said(
    server: FakeOpenAI, pause: float, limits: GenerationLimits
) -> None:
    server.pause, server.pieces = pause, ["word "] * 20
    text, _ = await text_and_usage(connected(server, limits))
    assert "word" in text
    assert len(text) < len("word " * 20)
    assert text.endswith("…")
    assert server.requests[0]["max_tokens"] == limits.tokens


async def test_an_answer_whose_tokens_are_used_up_says_so(server: FakeOpenAI) -> None:
    server.finish = "length"
    assert await text_and_usage(connected(server)) == ("In 1991 [1].…", Usage(7, 3))


async def test_what_a_model_thinks_aloud_is_not_shown(server: FakeOpenAI) -> None:
    server.pieces = [*"<think>\nPerhaps in 1850 [9].\n</think>\n\n", "In ", "1991 [1]."]
    assert (await text_and_usage(connected(server)))[0] == "In 1991 [1]."
    server.pieces = ["<think>", "NO_ANSWER"]
    assert (await text_and_usage(connected(server)))[0] == ""
    server.pieces = ["<", "th", "ree"]
    assert (await text_and_usage(connected(server)))[0] == "<three"


async def test_after_failures_in_a_row_it_is_left_alone_then_probed(
    server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language_model, "BREAKER_PAUSE", 0.3)
    server.status = 503
    model = connected(server)
    async with client_of(bot(model)) as client:
        for _ in range(language_model.BREAKER_FAILURES):
            assert (await client.post("/v1/chat", json={"question": QUESTION})).status_code == 503
        asked = len(server.requests)
        refused = await client.post("/v1/chat", json={"question": QUESTION})
        assert (refused.status_code, refused.headers["retry-after"], len(server.requests)) == (503, "1", asked)
        server.status = 200
        await asyncio.sleep(0.3)
        assert (await client.post("/v1/chat", json={"question": QUESTION})).status_code == 200


async def test_a_wrong_key_does_not_open_the_breaker(server: FakeOpenAI) -> None:
    server.status = 401
    model = connected(server)
    for _ in range(language_model.BREAKER_FAILURES + 1):
        with pytest.raises(ModelUnavailable, match="LLM_API_KEY"):
            await written(model)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ALL_PROXY", "socks5://user:s3cret@127.0.0.1:9", "SOCKS proxy"),
        ("ALL_PROXY", "s3cret://127.0.0.1:9", "no address of a proxy"),
        ("HTTPS_PROXY", "http://[::s3cret", "no address of a proxy"),
        ("SSL_CERT_FILE", "/nowhere/s3cret.pem", "SSL_CERT_FILE or SSL_CERT_DIR names"),
    ],
)
async def test_a_variable_of_the_machine_that_cannot_be_used_is_named_everywhere(
    server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    """It was a traceback, and 500 for every answer while /readyz was 200."""
    monkeypatch.setenv(name, value)
    model = connected(server)
    services = fake_services(
        Answerer(FakeRetriever(), model, 5, Extractive()),  # type: ignore[arg-type]
        model=model,
        llm_url=server.url,
        llm_model="some-model",
    )
    async with client_of(services) as client:
        ready = (await client.get("/readyz")).json()
        assert ready["status"] == "degraded"
        assert sentence in ready["checks"]["model"]
        response = await client.post("/v1/chat", json={"question": QUESTION})
        quoted = await client.post("/v1/chat", json={"question": QUESTION, "model": "extractive"})
    assert (response.status_code, response.json()["fallback"]) == (503, "extractive")
    assert sentence in response.json()["detail"]
    assert quoted.status_code == 200
    assert "s3cret" not in str(ready) + response.text
    embedder = embedders.connect(server.url, "some-model", "")
    with pytest.raises(Unavailable, match=sentence):
        await embedder.embed_query(QUESTION)
    with pytest.raises(InvalidConfiguration, match=sentence):
        [record async for record in harvest("http://127.0.0.1:1", "CIRED")]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_is_down_is_a_503_that_offers_quotes(server: FakeOpenAI, stream: bool) -> None:
    server.status = 500
    async with client_of(bot(connected(server))) as client:
        response = await client.post("/v1/chat", json={"question": QUESTION, "stream": stream})
        assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
        body = response.json()
        assert body["fallback"] == "extractive"
        assert '"model": "extractive"' in body["detail"]
        asked = len(server.requests)
        quoted = await client.post("/v1/chat", json={"question": QUESTION, "model": body["fallback"]})
    assert quoted.status_code == 200
    assert quoted.json()["model"] == "extractive"
    assert PASSAGE.chunk.text in quoted.json()["answer"]
    assert len(server.requests) == asked


async def test_an_outage_in_mid_stream_ends_with_the_same_offer(server: FakeOpenAI) -> None:
    server.cut, server.pieces = 3, ["It weighs on households [1]. ", "It does so. ", "Yes"]
    async with client_of(bot(connected(server))) as client:
        response = await client.post("/v1/chat", json={"question": QUESTION, "stream": True})
    name, problem = events_of(response.text)[-1]
    assert (name, problem["status"], problem["fallback"]) == ("error", 503, "extractive")


@contextmanager
def listening(services: Any) -> Iterator[int]:
    """The application behind uvicorn, as in production; its port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    config = uvicorn.Config(create_app(services), port=port, log_config=None, timeout_graceful_shutdown=1)
    web = uvicorn.Server(config)
    thread = threading.Thread(target=web.run)
    thread.start()
    try:
        while not web.started:
            time.sleep(0.01)
        yield port
    finally:
        web.should_exit = True
        thread.join()


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("delay", "pause"), [(0, 0.05), (30, 0), (0, 30)], ids=["writing", "before the first word", "between two words"]
)
async def test_the_model_stops_within_a_second_when_the_client_leaves(
    server: FakeOpenAI, stream: bool, delay: float, pause: float
) -> None:
    """Also while it is silent, when nothing is sent that could fail."""
    server.delay, server.pause, server.pieces = delay, pause, ["word [1] and "] * 1000
    with listening(bot(connected(server, GenerationLimits(60, 60)))) as port:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await client.post("/v1/chat", json={"question": QUESTION, "stream": stream})
        left = time.monotonic()
        assert await asyncio.to_thread(server.left.wait, 5)
        assert time.monotonic() - left < 1
    assert len(server.requests) == 1
