"""A stream that broke goes on from the id of its last event: the rest, nothing twice, and no second question."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from chatbot.answering.answer import Cited, Done, Event, Spent, Token
from chatbot.bootstrap import Services
from chatbot.domain import Answer, Message, Question
from chatbot.web.app import create_app
from chatbot.web.streaming import resume
from chatbot.web.streaming.resume import Position
from tests.unit.fakes import CITATION, DOWN, FakeAnswerer, FakeConversations, FakeOpenAnswers, client_of, fake_services
from tests.unit.test_web_api import events_of

pytestmark = pytest.mark.slow

ASK = {"question": "Who pays?", "stream": True}
ID = "9b0e" * 8


def ids_in(text: str) -> list[str]:
    return re.findall(r"^id: (.*)$", text, re.MULTILINE)


async def resumed(client: httpx2.AsyncClient, id: str) -> httpx2.Response:
    return await client.post("/v1/chat", json=ASK, headers={"Last-Event-ID": id})


async def test_from_each_event_on_the_others_follow(services: Services) -> None:
    async with client_of(services) as client:
        whole = (await client.post("/v1/chat", json=ASK)).text
        cookies = client.cookies
    events, ids = events_of(whole), ids_in(whole)
    assert [id.removeprefix(events[0][1]["message_id"]) for id in ids] == [
        *("-0-0-0", "-10-0-0", "-29-0-0", "-33-0-0", "-33-1-0", "-33-1-1", "-33-1-1")
    ]
    async with client_of(services) as other:
        other.cookies = cookies
        for seen, id in enumerate(ids[:6], start=1):
            response = await resumed(other, id)
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-store"
            following = events_of(response.text)
            assert said(events[:seen]) + said(following) == said(events)
            assert [each for each in following if each[0] != "token"] == [
                each for each in events[seen:] if each[0] != "token"
            ]
            assert ids_in(response.text)[-1] == ids[-1]
    assert len(services.answerer.questions) == 1
    [(_, conversation)] = services.conversations.rows.values()
    assert len(conversation.messages) == 1


def said(events: list[tuple[str, Any]]) -> str:
    return "".join(data["text"] for name, data in events if name == "token")


async def test_what_is_not_there_not_theirs_or_malformed_is_refused(services: Services) -> None:
    async with client_of(services) as client, client_of(services) as stranger:
        [id, *_] = ids_in((await client.post("/v1/chat", json=ASK)).text)
        assert (await resumed(stranger, id)).status_code == 404
        unknown = await resumed(client, f"{ID}-3-0-0")
        assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
        assert "Ask again" in unknown.json()["detail"]
        for malformed in ("7", id[1:], f"{id}-0", id.replace("-0", "-x", 1)):
            response = await resumed(client, malformed)
            assert (response.status_code, response.json()["errors"][0]["parameter"]) == (422, "last-event-id")
    assert len(services.answerer.questions) == 1


async def test_an_empty_id_and_one_without_a_stream_mean_nothing(services: Services) -> None:
    async with client_of(services) as client:
        assert events_of((await resumed(client, "")).text)[-1][0] == "done"
        plain = await client.post("/v1/chat", json={"question": "Why?"}, headers={"Last-Event-ID": f"{ID}-3-0-0"})
        assert plain.json()["answer"]
    assert len(services.answerer.questions) == 2


async def test_an_answer_that_is_not_kept_has_no_ids(client: httpx2.AsyncClient) -> None:
    assert ids_in((await client.post("/v1/chat", json={**ASK, "store": False})).text) == []


async def test_the_rest_of_an_answer_costs_no_tokens_and_needs_none_left() -> None:
    services = fake_services(daily_tokens=800, llm_url="http://127.0.0.1:1", llm_model="some")
    async with client_of(services) as client:
        client.cookies.set("visitor", "v" * 24)
        ids = ids_in((await client.post("/v1/chat", json=ASK)).text)
        assert (await client.post("/v1/chat", json=ASK)).status_code == 429
        assert (await resumed(client, ids[1])).status_code == 200
    assert services.limits.tokens[f"visitor:{'v' * 24}"] == 803


async def test_of_a_failed_answer_nothing_can_be_resumed() -> None:
    services = fake_services(FakeAnswerer(error=DOWN, after=2))
    async with client_of(services) as client:
        text = (await client.post("/v1/chat", json=ASK)).text
        assert [name for name, _ in events_of(text)] == ["sources", "token", "token", "error"]
        assert len(ids_in(text)) == 3
        assert (await resumed(client, ids_in(text)[-1])).status_code == 404
    assert services.open_answers.rows == {}


def test_characters_that_are_not_kept_do_not_count() -> None:
    message = Message(ID, "Why?", Answer("ab [1].", [CITATION], True, "en", "fake"))
    position = Position(ID).after(Token("a\0b ")).after(Token("["))
    assert [*resume.rest(message, position)] == [
        Token("1]."),
        Cited(CITATION),
        Spent(message.answer.usage),
        Done(message.answer),
    ]
    assert Position.of(str(position)) == position
    assert [*resume.rest(message, replace(position, characters=99, citations=9, usages=1))] == [Done(message.answer)]


class Written:
    """An answer being written for a reader who leaves after the first piece; what became of it."""

    def __init__(self, grace: float) -> None:
        self.answers = FakeOpenAnswers(FakeConversations())
        self.grace, self.complete, self.ended = grace, False, asyncio.Event()

    async def events(self) -> AsyncGenerator[Event, None]:
        try:
            for word in ("It ", "weighs ", "on ", "them."):
                yield Token(word)
                await asyncio.sleep(0.1)
            self.complete = True
        finally:
            self.ended.set()

    async def left(self) -> Written:
        await self.answers.add(ID, "visitor:v")
        async with aclosing(resume.DetachedStream(self.events(), self.answers, ID, self.grace)) as events:
            assert await anext(events) == Token("It ")
        return self


async def test_it_is_written_on_for_the_grace_and_no_longer() -> None:
    short, long = await Written(0.1).left(), await Written(5).left()
    async with asyncio.timeout(3):
        await short.ended.wait()
        await long.ended.wait()
    assert (short.complete, long.complete) == (False, True)
    await asyncio.sleep(0.05)
    assert short.answers.rows == {}


class Endless(FakeAnswerer):
    def __init__(self) -> None:
        super().__init__()
        self.closed = asyncio.Event()

    async def stream(self, question: Question) -> AsyncGenerator[Event, None]:
        try:
            while True:
                yield Token("word ")
                await asyncio.sleep(0.01)
        finally:
            self.closed.set()


@pytest.mark.parametrize("store", [True, False])
async def test_a_client_that_leaves_before_the_first_piece_stops_it_too(store: bool) -> None:
    """Straight through ASGI: the connection closes while the response begins."""
    answerer, begun = Endless(), asyncio.Event()
    asked = [{"type": "http.request", "body": json.dumps({**ASK, "store": store}).encode(), "more_body": False}]
    sent = []

    async def receive() -> Any:
        if asked:
            return asked.pop()
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])
        begun.set()
        await asyncio.sleep(5)

    scope = {"type": "http", "method": "POST", "path": "/v1/chat", "raw_path": b"/v1/chat", "query_string": b""}
    services = fake_services(answerer, resume_grace=0.05)
    await create_app(services)({**scope, "headers": [(b"content-type", b"application/json")]}, receive, send)
    assert sent == ["http.response.start"]
    async with asyncio.timeout(1):
        await answerer.closed.wait()
    await asyncio.sleep(0.05)
    assert services.open_answers.rows == services.conversations.rows == {}


async def test_it_is_written_on_while_somebody_waits() -> None:
    wanted = await Written(0.05).left()
    assert await wanted.answers.want(ID, "visitor:v")
    async with asyncio.timeout(3):
        await wanted.ended.wait()
    assert wanted.complete


async def test_a_database_that_is_away_keeps_no_model_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(_: str) -> bool:
        await asyncio.sleep(60)
        return True

    written = Written(0.05)
    monkeypatch.setattr(written.answers, "beat", silent)
    await written.left()
    async with asyncio.timeout(1):
        await written.ended.wait()
    assert not written.complete
