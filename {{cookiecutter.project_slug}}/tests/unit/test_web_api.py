"""The API's answers: chat, search, documents, jobs, the page."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pytest

from chatbot.bootstrap import Services
from tests.unit.fakes import FakeAnswerer, client_of, fake_services

pytestmark = pytest.mark.slow


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Names and data of a stream's events."""
    found = re.findall(r"event: (\w+)\ndata: (.*)\n(?:id: .*\n)?\n", text)
    assert sum(map(len, re.findall(r"event: \w+\ndata: .*\n(?:id: .*\n)?\n", text))) == len(text)
    return [(name, json.loads(data)) for name, data in found]


def ids_of(body: dict[str, Any]) -> dict[str, str]:
    return {name: body[name] for name in ("conversation_id", "message_id")}


async def test_chat_answers_with_checked_citations(client: httpx2.AsyncClient) -> None:
    response = await client.post("/v1/chat", json={"question": " Who pays? "})
    assert response.status_code == 200
    body = response.json()
    assert all(re.fullmatch("[0-9a-f]{32}", body.pop(name)) for name in ("conversation_id", "message_id"))
    assert body == {
        "answer": "It weighs on poor households [1].",
        "citations": [
            {
                "number": 1,
                "chunk_id": "c1",
                "document_id": "d1",
                "title": "Carbon pricing",
                "source": "carbon.pdf",
                "page": 12,
                "heading": "Results",
                "quote": "weighs on poor households",
                "passage_url": "/#passage=d1/c1",
                "original_url": None,
            }
        ],
        "ai_generated": True,
        "grounded": True,
        "language": "en",
        "model": "fake",
        "usage": {"prompt_tokens": 800, "completion_tokens": 3, "cost": 0.0, "estimated": False},
    }


async def test_chat_passes_question_language_and_filters_on() -> None:
    answerer = FakeAnswerer()
    async with client_of(fake_services(answerer)) as client:
        await client.post("/v1/chat", json={"question": " Quel est le prix de la tonne de carbone ? "})
        await client.post(
            "/v1/chat", json={"question": "Why?", "language": "fr", "filters": {"year": [2024, "x", True]}}
        )
    detected, given = answerer.questions
    assert (detected.text, detected.language) == ("Quel est le prix de la tonne de carbone ?", "fr")
    assert (given.language, given.filters) == ("fr", {"year": [2024, "x", True]})


@pytest.mark.parametrize(
    ("body", "headers"),
    [({"stream": True}, {}), ({}, {"Accept": "text/event-stream"})],
    ids=["body", "accept"],
)
async def test_chat_streams_events_in_order(client: httpx2.AsyncClient, body: Any, headers: Any) -> None:
    response = await client.post("/v1/chat", json={"question": "Who pays?", **body}, headers=headers)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    events = events_of(response.text)
    assert [name for name, _ in events] == ["sources", "token", "token", "token", "citation", "usage", "done"]
    data = dict(events)
    assert data["sources"]["passages"][0]["chunk_id"] == "c1"
    assert "".join(data["text"] for name, data in events if name == "token") == data["done"]["answer"]
    assert data["done"]["citations"] == [data["citation"]]
    plain = await client.post("/v1/chat", json={"question": "Who pays?"})
    assert {**data["done"], **ids_of(plain.json())} == plain.json()
    assert ids_of(data["sources"]) == ids_of(data["done"])


async def test_search_finds_passages(client: httpx2.AsyncClient, services: Services) -> None:
    response = await client.post("/v1/search", json={"query": "carbon", "limit": 3, "filters": {"year": [2024]}})
    assert response.status_code == 200
    [passage] = response.json()["passages"]
    assert passage["score"] == 0.9
    assert (passage["title"], passage["page"], passage["heading"]) == ("Carbon pricing", 12, "Results")
    assert services.retriever.calls == [("carbon", 3, {"year": [2024]})]


async def test_upload_gives_a_job_to_follow(client: httpx2.AsyncClient, services: Services) -> None:
    response = await client.post(
        "/v1/documents",
        files={"file": ("C:\\reports\\été.txt", b"Some text")},
        data={"metadata": '{"year": 2024, "authors": ["Roe, J."]}'},
    )
    assert response.status_code == 202
    body = response.json()
    assert (body["state"], body["job"]["state"]) == ("accepted", "queued")
    assert body["document"]["source"] == "été.txt"
    assert body["document"]["metadata"] == {"year": 2024, "authors": ["Roe, J."]}
    assert services.queue.sent == [body["job"]["id"]]
    assert (await client.get(response.headers["location"])).json() == body["job"]


async def test_upload_while_the_broker_is_down_is_accepted(client: httpx2.AsyncClient, services: Services) -> None:
    services.queue.down = True
    response = await client.post("/v1/documents", files={"file": ("a.txt", b"Some text")})
    assert response.status_code == 202
    assert response.json()["job"]["state"] == "pending"


async def test_unchanged_upload_makes_no_job(client: httpx2.AsyncClient, services: Services) -> None:
    await client.post("/v1/documents", files={"file": ("a.txt", b"Some text")})
    response = await client.post("/v1/documents", files={"file": ("a.txt", b"Some text")})
    assert response.status_code == 200
    assert (response.json()["state"], response.json()["job"]) == ("unchanged", None)
    assert len(services.jobs.rows) == 1


async def test_the_same_content_under_another_name_is_told_as_such(
    client: httpx2.AsyncClient, services: Services
) -> None:
    first = await client.post("/v1/documents", files={"file": ("a.txt", b"Some text")})
    response = await client.post("/v1/documents", files={"file": ("b.txt", b"Some text")})
    assert response.status_code == 200
    body = response.json()
    assert (body["state"], body["document"]["source"], body["job"]) == ("duplicate", "a.txt", None)
    assert body["document"]["id"] == first.json()["document"]["id"]
    assert len(services.jobs.rows) == len(services.documents.rows) == 1


URL = "HTTPS://Example.org/report.pdf#page=2"


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"url": URL, "metadata": {"year": 2024}}},
        {"data": {"url": URL, "metadata": '{"year": 2024}'}},
        {"data": {"url": URL, "metadata": '{"year": 2024}'}, "files": {"nothing": b""}},
        {
            "content": json.dumps({"url": URL, "metadata": {"year": 2024}}),
            "headers": {"Content-Type": "Application/JSON; charset=utf-8"},
        },
    ],
    ids=["json", "form", "multipart", "content-type"],
)
async def test_a_url_gives_a_job_to_follow(client: httpx2.AsyncClient, services: Services, sent: Any) -> None:
    response = await client.post("/v1/documents", **sent)
    assert response.status_code == 202
    body = response.json()
    assert (body["document"]["source"], body["document"]["metadata"]) == (
        "https://example.org/report.pdf",
        {"year": 2024},
    )
    assert (body["state"], body["job"]["kind"], body["job"]["state"]) == ("accepted", "fetch", "queued")
    assert services.queue.sent == [body["job"]["id"]]
    assert (await client.get(response.headers["location"])).json() == body["job"]
    assert "example.org" not in response.text.replace(str(body["document"]), "").partition('"job"')[2]


async def test_an_idempotency_key_returns_the_same_job_for_the_same_request_and_refuses_another(
    client: httpx2.AsyncClient, services: Services
) -> None:
    async def post(name: str, content: bytes) -> httpx2.Response:
        headers = {"Idempotency-Key": "k-1"}
        return await client.post("/v1/documents", files={"file": (name, content)}, headers=headers)

    first, again = await post("a.txt", b"one"), await post("a.txt", b"one")
    assert first.json()["job"]["id"] == again.json()["job"]["id"]
    for name, content in (("a.txt", b"two"), ("b.txt", b"one")):
        assert (await post(name, content)).status_code == 422
    assert list(services.ingester.contents.values()) == [b"one"], "nothing was registered"


async def test_an_idempotency_key_is_the_callers_own(client: httpx2.AsyncClient, services: Services) -> None:
    jobs = []
    for name in ("one", "two"):
        _, secret = await services.keys.create(name, frozenset({"ingest"}))
        headers = {"Idempotency-Key": "k-1", "X-API-Key": secret}
        file = {"file": (f"{name}.txt", name.encode())}
        response = await client.post("/v1/documents", files=file, headers=headers)
        assert response.status_code == 202
        jobs.append(response.json()["job"]["id"])
    assert len(set(jobs)) == 2
    assert not [row.idempotency_key for row in services.jobs.rows.values() if "k-1" in (row.idempotency_key or "")]


async def test_documents_are_paged_without_gaps_or_repeats(client: httpx2.AsyncClient) -> None:
    for number in range(5):
        await client.post("/v1/documents", files={"file": (f"{number}.txt", b"Text %d" % number)})
    sizes, ids, after = [], [], {}
    while True:
        page = (await client.get("/v1/documents", params={"limit": 2, **after})).json()
        sizes.append(len(page["documents"]))
        ids += [each["id"] for each in page["documents"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert sizes == [2, 2, 1]
    assert len(set(ids)) == 5


async def test_document_can_be_read_and_removed(client: httpx2.AsyncClient) -> None:
    uploaded = (await client.post("/v1/documents", files={"file": ("a.txt", b"Some text")})).json()["document"]
    url = f"/v1/documents/{uploaded['id']}"
    assert (await client.get(url)).json() == uploaded
    removed = await client.delete(url)
    assert (removed.status_code, removed.content) == (204, b"")
    assert (await client.get(url)).status_code == 404
    assert (await client.delete(url)).status_code == 404


@pytest.mark.parametrize(("language", "name"), [("en", "Lab <Bot> & Co"), ("fr", "Assistant")])
async def test_page_is_self_contained_and_in_the_language(language: str, name: str) -> None:
    async with client_of(fake_services(bot_language=language, bot_name=name)) as client:
        response = await client.get("/")
    assert response.status_code == 200
    assert f'<html lang="{language}">' in response.text
    assert name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in response.text
    assert not re.search(r"""(src|href)=["']?(https?:)?//|@import|url\(""", response.text)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == 2
