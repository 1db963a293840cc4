"""Every surface that gives an answer says to machines that a machine wrote it; people are told by the page."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from chatbot import settings
from chatbot.bootstrap import Services
from chatbot.domain import InvalidConfiguration, ModelUnavailable
from chatbot.web.ai_disclosure import HEADER, MODE
from tests.processes import NOWHERE
from tests.unit.fakes import FakeAnswerer, client_of, fake_services

QUESTION = "Who pays the carbon tax?"
MESSAGES = [{"role": "user", "content": QUESTION}]
CALL = {"name": "ask", "arguments": {"question": QUESTION}}
SURFACES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat", {"question": QUESTION}),
    "openai": ("/v1/chat/completions", {"messages": MESSAGES}),
    "responses": ("/v1/responses", {"model": "chatbot", "input": QUESTION}),
}


def events(text: str) -> list[dict[str, Any]]:
    lines = (line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: "))
    return [json.loads(line) for line in lines if line != "[DONE]"]


@pytest.mark.parametrize(("path", "body"), SURFACES.values(), ids=SURFACES.keys())
async def test_an_answer_is_marked(client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> None:
    response = await client.post(path, json=body)
    assert (response.status_code, response.headers[HEADER]) == (200, MODE)
    assert response.json()["ai_generated"] is True


@pytest.mark.parametrize(("path", "body"), SURFACES.values(), ids=SURFACES.keys())
async def test_a_stream_is_marked_before_its_first_word(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    response = await client.post(path, json={**body, "stream": True})
    assert (response.status_code, response.headers[HEADER]) == (200, MODE)
    first, *_, end = events(response.text)
    for event in (first, end):
        assert event.get("response", event)["ai_generated"] is True


async def test_what_an_assistant_gets_is_marked(client: httpx2.AsyncClient) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL}
    response = await client.post("/mcp", json=request, headers={"Accept": "application/json, text/event-stream"})
    assert response.headers[HEADER] == MODE
    assert response.json()["result"]["structuredContent"]["ai_generated"] is True


async def test_a_kept_answer_stays_marked(client: httpx2.AsyncClient) -> None:
    kept = (await client.post("/v1/chat", json={"question": QUESTION})).json()
    read = (await client.get(f"/v1/conversations/{kept['conversation_id']}")).json()
    assert [each["ai_generated"] for each in read["messages"]] == [True]
    mine = (await client.get("/v1/me/export")).json()
    assert [each["ai_generated"] for each in mine["conversations"][0]["messages"]] == [True]


async def test_what_no_machine_wrote_is_not_marked(client: httpx2.AsyncClient, services: Services) -> None:
    found = await client.post("/v1/search", json={"query": "carbon"})
    refused = await client.post("/v1/chat", json={"question": ""})
    async with client_of(fake_services(FakeAnswerer(error=ModelUnavailable("it is off")))) as other:
        failed = [await other.post(path, json=body) for path, body in SURFACES.values()]
    assert {each.status_code for each in failed} == {503}
    for response in (found, refused, *failed):
        assert HEADER not in response.headers
        assert "ai_generated" not in response.text


def test_the_notice_is_a_sentence_in_both_languages_and_cannot_be_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {name.lower(): url for name, url in NOWHERE.items()}
    monkeypatch.setenv("AI_NOTICE_EN", "")
    loaded = settings.load(**urls)
    assert "AI" in loaded.ai_notice_en
    assert "IA" in loaded.ai_notice_fr
    with pytest.raises(InvalidConfiguration, match="AI_NOTICE_EN"):
        settings.load(**urls, ai_notice_en=" ")
