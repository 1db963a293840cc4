"""Each attached resource is cut off from the running processes, which say so, answer, and recover by themselves.

A resource that died refuses connections; one that hangs says nothing. Neither may let a request hang, or fail without
a reason, and what was accepted meanwhile is done. A folder, such as LanceDB's, is nothing that could be cut off.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import psycopg
import pytest

from chatbot.settings import Settings
from tests.conftest import SERVICES, TABLES
from tests.processes import chatbot, serving, until
from tests.proxy import Proxy
from tests.test_end_to_end import QUESTION, ROOFS, Bot
from tests.unit import openai_server

NOTICED, ANSWERED, RECOVERED = 5.0, 15.0, 10.0
"""Seconds within which an outage is named, a request is answered, and everything works again."""
RESOURCES = {"database": "DATABASE_URL", "vector_db": "VECTOR_DB_URL", "queue": "QUEUE_URL", "model": "LLM_URL"}
FOLDERS = {each["variable"] for each in SERVICES.get("server", {}).values() if not each["command"]}
CUT = [name for name, variable in RESOURCES.items() if variable not in FOLDERS]
CHOSEN = {"vector_db", "queue"}

ALL = {"database", "vector_db", "model"}
MESSAGES = [{"role": "user", "content": QUESTION}]


@dataclass(frozen=True)
class Request:
    """What a client asks, and the resources without which it gets a 503."""

    path: str
    needs: set[str]
    json: Any = None
    file: bytes | None = None

    def send(self, client: httpx2.Client) -> httpx2.Response:
        files = {"file": ("new.md", self.file)} if self.file else None
        method = "POST" if self.file or self.json else "GET"
        return client.request(method, self.path, json=self.json, files=files, timeout=ANSWERED)


def requests(message_id: str, upload: bytes) -> list[Request]:
    return [
        Request("/v1/chat", ALL, {"question": QUESTION}),
        Request("/v1/chat", ALL, {"question": QUESTION, "stream": True}),
        Request("/v1/chat/completions", ALL, {"model": "chatbot", "messages": MESSAGES}),
        Request("/v1/chat", ALL - {"model"}, {"question": QUESTION, "model": "extractive"}),
        Request("/v1/search", ALL - {"model"}, {"query": "slate"}),
        Request("/v1/documents", {"database"}, file=upload),
        Request("/v1/conversations", {"database"}),
        Request("/v1/feedback", {"database"}, {"message_id": message_id, "rating": "up"}),
        Request("/v1/me/export", {"database"}),
        Request("/metrics", set()),
        Request("/healthz", set()),
    ]


@dataclass(frozen=True)
class Attached:
    """A bot whose resources are all behind proxies, with an answer that can be rated."""

    bot: Bot
    proxies: Mapping[str, Proxy]
    message_id: str


@pytest.fixture(scope="module")
def attached(urls: dict[str, str], settings: Settings) -> Iterator[Attached]:
    with psycopg.connect(urls["DATABASE_URL"]) as connection:
        connection.execute(f"TRUNCATE {', '.join(TABLES)}")
    with ExitStack() as stack:
        model = stack.enter_context(openai_server.running())
        model.pieces = ["Within two ", "minutes [1]."]
        real = {**urls, "LLM_URL": model.url}
        ways = {name: real.get(RESOURCES[name]) or real["DATABASE_URL"] for name in CUT}
        proxies = {name: stack.enter_context(Proxy(url)) for name, url in ways.items()}
        environ = {
            **urls,
            **{RESOURCES[name]: proxy.url for name, proxy in proxies.items()},
            **{"LLM_MODEL": "mock", "LLM_FIRST_TOKEN_TIMEOUT": "3", "JOB_LEASE": "2", "JOB_ATTEMPTS": "50"},
        }
        web, client = stack.enter_context(serving(environ))
        others = {name: stack.enter_context(chatbot(name, environ=environ)) for name in ("worker", "scheduler")}
        bot = Bot({"web": web, **others}, client)
        assert bot.done(bot.upload(ROOFS))["state"] == "succeeded"
        until(lambda: set(state(bot).values()) == {"ok"})
        answer = client.post("/v1/chat", json={"question": QUESTION})
        assert answer.is_success, answer.text
        yield Attached(bot, proxies, answer.json()["message_id"])
        assert {name: process.stop() for name, process in bot.processes.items()} == dict.fromkeys(bot.processes, 0)


@pytest.mark.parametrize("how", [Proxy.refuse, Proxy.silence], ids=["refuses", "is silent"])
@pytest.mark.parametrize(
    "resource", [pytest.param(name, marks=[] if name in CHOSEN else pytest.mark.slow) for name in CUT]
)
def test_an_outage_is_named_answered_and_over_at_once(
    attached: Attached, resource: str, how: Callable[[Proxy], None]
) -> None:
    bot = attached.bot
    sent = requests(attached.message_id, f"# Cut off\n\nWithout {resource}: {how.__name__}.\n".encode())
    how(attached.proxies[resource])
    cut = time.monotonic()
    try:
        until(lambda: state(bot).get(resource, "ok") != "ok", NOTICED)
        assert time.monotonic() - cut < NOTICED
        answers = all_at_once(bot, sent)
    finally:
        attached.proxies[resource].restore()
    for request, answer in zip(sent, answers, strict=True):
        answered_well(request, answer, resource)
    until(lambda: recovered(bot, requests(attached.message_id, ROOFS)), RECOVERED)
    upload = bot.upload(f"# Again\n\nWith {resource}, after {how.__name__}.\n".encode(), "again.md")
    until(lambda: bot.job(upload)["state"] == "succeeded", RECOVERED)
    if resource != "database":
        accepted = next(answer for answer in answers if answer.url.path == "/v1/documents")
        assert bot.done(accepted)["state"] == "succeeded"


def state(bot: Bot) -> dict[str, str]:
    """Each resource's, by /readyz."""
    checks: dict[str, str] = bot.client.get("/readyz", timeout=NOTICED).json()["checks"]
    return checks


def all_at_once(bot: Bot, sent: list[Request]) -> list[httpx2.Response]:
    with ThreadPoolExecutor(len(sent)) as pool:
        return list(pool.map(lambda request: request.send(bot.client), sent))


def answered_well(request: Request, answer: httpx2.Response, resource: str) -> None:
    if resource not in request.needs:
        assert answer.is_success, f"{request.path} without {resource}: {answer.text}"
        return
    assert answer.status_code == 503, f"{request.path} without {resource}: {answer.status_code} {answer.text}"
    assert int(answer.headers["retry-after"]) > 0
    if request.path == "/v1/chat/completions":
        assert answer.json()["error"]["message"]
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert "does not answer" in answer.json()["detail"]


def recovered(bot: Bot, sent: list[Request]) -> bool:
    return set(state(bot).values()) == {"ok"} and all(answer.is_success for answer in all_at_once(bot, sent))
