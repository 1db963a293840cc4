"""Conversations over HTTP: begun, continued, listed, read, rated, deleted; by their owner and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from chatbot.bootstrap import Services
from tests.unit.fakes import DOWN, FakeAnswerer, client_of, fake_services
from tests.unit.test_web_api import events_of, ids_of

pytestmark = pytest.mark.slow


@pytest.fixture
async def stranger(services: Services) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(services) as client:
        yield client


async def ask(client: httpx2.AsyncClient, question: str = "Who pays?", **body: Any) -> dict[str, Any]:
    response = await client.post("/v1/chat", json={"question": question, **body})
    assert response.status_code == 200, response.text
    return response.json()


def refused(response: httpx2.Response, status: int) -> None:
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


async def test_a_conversation_is_continued_and_read_again(client: httpx2.AsyncClient) -> None:
    first = await ask(client)
    second = await ask(client, "And then?", conversation_id=first["conversation_id"])
    assert second["conversation_id"] == first["conversation_id"]
    assert second["message_id"] != first["message_id"]
    whole = (await client.get(f"/v1/conversations/{first['conversation_id']}")).json()
    assert [message["question"] for message in whole["messages"]] == ["Who pays?", "And then?"]
    for message, answer in zip(whole["messages"], (first, second), strict=True):
        assert message.pop("id") == answer["message_id"]
        assert message.pop("created_at")
        assert message.pop("feedback") is None
        message.pop("question")
        assert message == {name: answer[name] for name in message}
        assert message["citations"]


async def test_a_streamed_answer_tells_its_ids_early_and_knows_the_visitor_again(client: httpx2.AsyncClient) -> None:
    response = await client.post("/v1/chat", json={"question": "Who pays?", "stream": True})
    events = events_of(response.text)
    assert events[0][0] == "sources"
    assert ids_of(events[0][1]) == ids_of(events[-1][1])
    assert "visitor" in response.cookies
    assert (await client.get(f"/v1/conversations/{events[0][1]['conversation_id']}")).status_code == 200


async def test_they_are_listed_the_latest_first_a_page_at_a_time(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    ids = [(await ask(client, f"Question number {number}?"))["conversation_id"] for number in range(5)]
    await ask(stranger)
    await ask(client, "And then?", conversation_id=ids[0])
    pages, after = [], {}
    while True:
        page = (await client.get("/v1/conversations", params={"limit": 2, **after})).json()
        pages.append([each["id"] for each in page["conversations"]])
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert pages == [[ids[0], ids[4]], [ids[3], ids[2]], [ids[1]]]
    [newest] = (await client.get("/v1/conversations", params={"limit": 1})).json()["conversations"]
    assert newest["title"] == "Question number 0?"


async def test_nobody_else_sees_continues_rates_or_deletes_one(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    mine = await ask(client)
    url = f"/v1/conversations/{mine['conversation_id']}"
    body = {"question": "And?", "conversation_id": mine["conversation_id"]}
    refused(await stranger.post("/v1/chat", json=body), 404)
    refused(await stranger.post("/v1/chat", json={**body, "stream": True}), 404)
    refused(await stranger.post("/v1/feedback", json={"message_id": mine["message_id"], "rating": "up"}), 404)
    refused(await stranger.get(url), 404)
    refused(await stranger.delete(url), 404)
    assert (await stranger.get("/v1/conversations")).json() == {"conversations": [], "next": None}
    assert (await client.get(url)).status_code == 200


async def test_one_is_deleted_once(client: httpx2.AsyncClient) -> None:
    mine = await ask(client)
    url = f"/v1/conversations/{mine['conversation_id']}"
    removed = await client.delete(url)
    assert (removed.status_code, removed.content) == (204, b"")
    refused(await client.delete(url), 404)
    refused(await client.get(url), 404)
    refused(await client.post("/v1/chat", json={"question": "?", "conversation_id": mine["conversation_id"]}), 404)


async def test_on_request_nothing_is_kept(client: httpx2.AsyncClient, services: Services) -> None:
    answer = await ask(client, store=False)
    assert ids_of(answer) == {"conversation_id": None, "message_id": None}
    assert services.conversations.rows == {}


@pytest.mark.parametrize("stream", [True, False])
async def test_nothing_is_kept_of_an_answer_that_fails(stream: bool) -> None:
    services = fake_services(FakeAnswerer(error=DOWN, after=2))
    async with client_of(services) as client:
        response = await client.post("/v1/chat", json={"question": "Who pays?", "stream": stream})
    assert events_of(response.text)[-1][0] == "error" if stream else response.status_code == 503
    assert services.conversations.rows == {}


async def test_feedback_is_replaced_when_it_is_given_again(client: httpx2.AsyncClient) -> None:
    mine = await ask(client)
    for feedback in ({"rating": "up", "comment": ""}, {"rating": "down", "comment": "Out of date"}):
        response = await client.post("/v1/feedback", json={"message_id": mine["message_id"], **feedback})
        assert (response.status_code, response.json()) == (200, feedback)
        whole = (await client.get(f"/v1/conversations/{mine['conversation_id']}")).json()
        assert whole["messages"][0]["feedback"] == feedback
    refused(await client.post("/v1/feedback", json={"message_id": "unknown", "rating": "up"}), 404)


@pytest.mark.parametrize(
    ("how", "path", "body"),
    [
        ("POST", "/v1/chat", {"question": "Why?", "conversation_id": "a b"}),
        ("POST", "/v1/chat", {"question": "Why?", "conversation_id": ""}),
        ("POST", "/v1/chat", {"question": "Why?", "store": "perhaps"}),
        ("POST", "/v1/feedback", {"message_id": "m1", "rating": "sideways"}),
        ("POST", "/v1/feedback", {"message_id": "m1", "rating": "up", "comment": "x" * 2001}),
        ("POST", "/v1/feedback", {"message_id": "m1", "rating": "up", "comment": "\0"}),
        ("POST", "/v1/feedback", {"message_id": "m1"}),
        ("GET", "/v1/conversations?limit=0", None),
        ("GET", "/v1/conversations?after=yesterday", None),
        ("GET", "/v1/conversations?after=99999999999999999-a", None),
        ("GET", "/v1/conversations/a%20b", None),
        ("DELETE", "/v1/conversations/a%20b", None),
    ],
)
async def test_what_is_malformed_is_422(client: httpx2.AsyncClient, how: str, path: str, body: Any) -> None:
    refused(await client.request(how, path, json=body), 422)


async def test_an_answer_is_replaced_with_all_that_came_after_it(client: httpx2.AsyncClient) -> None:
    first = await ask(client)
    second = await ask(client, "And then?", conversation_id=first["conversation_id"])
    await ask(client, "And at last?", conversation_id=first["conversation_id"])
    body = {"conversation_id": first["conversation_id"], "replaces": second["message_id"]}
    await ask(client, "And before?", **body)
    whole = (await client.get(f"/v1/conversations/{first['conversation_id']}")).json()
    assert [message["question"] for message in whole["messages"]] == ["Who pays?", "And before?"]


async def test_it_is_found_by_its_words_and_called_otherwise(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    kept = [await ask(client, question) for question in ("Who pays?", "Where does it rain?")]
    path = f"/v1/conversations/{kept[1]['conversation_id']}"

    async def titles(words: str) -> list[str]:
        found = (await client.get("/v1/conversations", params={"q": words})).json()["conversations"]
        return [each["title"] for each in found]

    assert await titles(" RAIN ") == ["Where does it rain?"]
    assert await titles("poor households") == ["Where does it rain?", "Who pays?"]
    assert await titles("100%") == []
    assert (await client.patch(path, json={"title": " Weather "})).json() == {"title": "Weather"}
    assert await titles("weather") == ["Weather"]
    refused(await client.patch(path, json={"title": " "}), 422)
    refused(await stranger.patch(path, json={"title": "Mine"}), 404)


async def test_others_read_it_by_its_link_only_as_it_was_and_until_that_is_taken_back(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    first = await ask(client)
    path = f"/v1/conversations/{first['conversation_id']}"
    await client.post("/v1/feedback", json={"message_id": first["message_id"], "rating": "down", "comment": "Poor"})
    refused(await stranger.post(f"{path}/share"), 404)
    refused(await client.delete(f"{path}/share"), 404)

    address = (await client.post(f"{path}/share")).json()["share_url"]
    assert (await client.get(path)).json()["share_url"] == address
    token = address.removeprefix("/#shared=")
    await ask(client, "What I ask later", conversation_id=first["conversation_id"])
    read = await stranger.get(f"/v1/shared/{token}")
    [message] = read.json()["messages"]
    assert (message["question"], message["answer"]) == ("Who pays?", first["answer"])
    assert {"id", "feedback", "usage"} & message.keys() == set()
    assert "Poor" not in read.text
    refused(await stranger.get(path), 404)

    assert (await client.post(f"{path}/share")).json()["share_url"] == address
    assert len((await stranger.get(f"/v1/shared/{token}")).json()["messages"]) == 2
    refused(await stranger.delete(f"{path}/share"), 404)
    assert (await client.delete(f"{path}/share")).status_code == 204
    refused(await stranger.get(f"/v1/shared/{token}"), 404)
    assert (await client.get(path)).json()["share_url"] is None


async def test_it_is_downloaded_as_markdown_with_its_sources(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    first = await ask(client, "# Who\n pays?")
    path = f"/v1/conversations/{first['conversation_id']}/export"
    response = await client.get(path)
    assert response.headers["content-type"].startswith("text/markdown")
    assert "attachment" in response.headers["content-disposition"]
    assert "\n## # Who pays?\n\nIt weighs on poor households [1].\n" in response.text
    passage = "http://bot/#passage=d1/c1"
    assert f"- [1] Carbon pricing, page 12, Results, carbon.pdf, {passage}\n  > weighs on poor" in response.text
    refused(await stranger.get(path), 404)
