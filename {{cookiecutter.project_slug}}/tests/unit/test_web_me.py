"""What is kept of a caller over HTTP: handed out, erased, agreed to; and the privacy notice."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from chatbot.bootstrap import Services
from chatbot.domain import Conversation
from chatbot.web.app import create_app
from tests.unit.fakes import client_of, fake_services
from tests.unit.test_web_conversations import ask, refused

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)


async def test_an_export_holds_everything_of_the_caller_and_of_nobody_else(
    client: httpx2.AsyncClient, services: Services
) -> None:
    mine = await ask(client, "Who pays?")
    await client.post("/v1/feedback", json={"message_id": mine["message_id"], "rating": "down", "comment": "Old"})
    await client.put("/v1/me/consent", json={"analytics": True})
    async with client_of(services) as stranger:
        await ask(stranger, "Somebody else's question")
    response = await client.get("/v1/me/export")
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["cache-control"] == "no-store"
    data = response.json()
    assert data["consent"]["analytics"] is True
    [conversation] = data["conversations"]
    assert conversation == (await client.get(f"/v1/conversations/{mine['conversation_id']}")).json()
    assert conversation["messages"][0]["feedback"] == {"rating": "down", "comment": "Old"}
    assert "Somebody else" not in response.text


async def never() -> Any:
    await asyncio.sleep(60)


async def test_an_export_comes_piece_by_piece_and_counts_as_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    services = fake_services(rate_limit_per_minute=2)
    read = []

    async def conversations(_: str) -> AsyncIterator[Conversation]:
        for number in range(1000):
            read.append(number)
            yield Conversation(f"c{number}", "Why?", NOW, NOW)

    monkeypatch.setattr(services.personal, "conversations", conversations)
    sent: list[tuple[int, bytes]] = []

    async def send(message: Any) -> None:
        sent.append((len(read), message.get("body", b"")))

    async with client_of(services) as client:
        whole = await client.get("/v1/me/export")
        assert len(whole.json()["conversations"]) == 1000
        read.clear()
        scope = {"type": "http", "method": "GET", "path": "/v1/me/export", "query_string": b"", "headers": []}
        await create_app(services)(scope, never, send)
        assert len({number for number, _ in sent}) > 100, "what was read is sent before the rest is read"
        assert [(await client.get("/v1/me/export")).status_code for _ in range(3)][-1] == 429


async def test_erasing_leaves_nothing_and_touches_nobody_else(client: httpx2.AsyncClient, services: Services) -> None:
    await ask(client)
    await client.put("/v1/me/consent", json={"analytics": True})
    async with client_of(services) as stranger:
        theirs = await ask(stranger)
        erased = await client.delete("/v1/me")
        assert (erased.status_code, erased.content) == (204, b"")
        assert (await stranger.get(f"/v1/conversations/{theirs['conversation_id']}")).status_code == 200
    assert len(services.conversations.rows) == 1
    assert services.personal.consents == {}
    assert "visitor" not in client.cookies
    export = (await client.get("/v1/me/export")).json()
    assert (export["conversations"], export["consent"]["analytics"]) == ([], False)


async def test_consent_is_off_until_it_is_given_and_can_be_taken_back(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/v1/me/consent")).json() == {"analytics": False, "updated_at": None}
    for choice in (True, False):
        put = await client.put("/v1/me/consent", json={"analytics": choice})
        assert put.json()["analytics"] is choice
        assert (await client.get("/v1/me/consent")).json() == put.json()


@pytest.mark.parametrize("body", [{}, {"analytics": "maybe"}, {"analytics": None}, {"analytics": True, "x": 1}, []])
async def test_an_unclear_choice_is_422(client: httpx2.AsyncClient, body: object) -> None:
    refused(await client.put("/v1/me/consent", json=body), 422)


@pytest.mark.parametrize(("language", "other"), [("en", "fr"), ("fr", "en")])
async def test_the_privacy_notice_is_self_contained_and_in_both_languages(language: str, other: str) -> None:
    contact = "Lab <Bot> & Co, bot@example.org"
    services = fake_services(bot_language=language, bot_name="Lab <Bot> & Co", privacy_contact=contact)
    async with client_of(services) as client:
        response = await client.get("/privacy")
        chat = await client.get("/")
    assert response.status_code == 200
    assert f'<html lang="{language}">' in response.text
    assert response.text.index(f'<section id="{language}"') < response.text.index(f'<section id="{other}"')
    assert response.text.count("Lab &lt;Bot&gt; &amp; Co") == 4 + 2
    assert "365 days" in response.text
    assert "365 jours" in response.text
    assert "No question leaves" in response.text
    assert not re.search(r"""\$\w|(src|href)=["']?(https?:)?//|@import|url\(|\bon\w+=|style=""", response.text)
    hashes = re.compile(r"'sha256-[^']+'")
    policy = response.headers["content-security-policy"]
    assert len(hashes.findall(policy)) == 2
    assert hashes.sub("", policy) == hashes.sub("", chat.headers["content-security-policy"])


@pytest.mark.parametrize(
    ("variables", "said", "unsaid"),
    [
        ({"conversation_retention_days": 0}, "They are deleted when you delete them.", "days after"),
        ({"conversation_retention_days": 30}, "30 jours", "365"),
        ({"llm_url": "http://model/v1", "llm_model": "m"}, "modèle de langue", "No question leaves"),
        ({"embeddings_url": "http://model/v1"}, "search model", "No question leaves"),
        ({"privacy_contact": ""}, "Privacy", "about your data"),
    ],
)
async def test_the_notice_is_true_to_the_settings(variables: dict[str, object], said: str, unsaid: str) -> None:
    async with client_of(fake_services(**variables)) as client:
        text = (await client.get("/privacy")).text
    assert said in text
    assert unsaid not in text
