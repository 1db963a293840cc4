"""The official client of the Model Context Protocol talks to the bot: tools, answers, keys, limits, errors."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from mcp import MCPError
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from chatbot.bootstrap import Services
from chatbot.clients.language_model import GenerationLimits
from chatbot.domain import Chunk, Document, ModelUnavailable, Unavailable
from chatbot.web.app import create_app
from chatbot.web.ops import request_metrics as metrics
from tests.processes import python, until
from tests.unit import openai_server
from tests.unit.fakes import PASSAGE, FakeAnswerer, client_of, fake_services
from tests.unit.openai_server import FakeOpenAI
from tests.unit.test_model_outages import bot, connected, listening

pytestmark = pytest.mark.slow

QUESTION = "Who pays the carbon tax?"
CANARY = "canary-7f3a"
CURRENT_PROTOCOL = "2026-07-28"


@asynccontextmanager
async def official(services: Services, key: str = "", mode: Any = "auto") -> AsyncIterator[Client]:
    async with client_of(services) as http:
        if key:
            http.headers["Authorization"] = f"Bearer {key}"
        async with Client(streamable_http_client("http://bot/mcp", http_client=http), mode=mode) as client:
            yield client


async def called(services: Services, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    """By a client of its own: its task groups bear no fixture."""
    async with official(services) as client:
        return await client.call_tool(tool, arguments)


def text(result: CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


def data(result: CallToolResult) -> Any:
    assert not result.is_error, text(result)
    return result.structured_content


def refusal(result: CallToolResult) -> str:
    assert result.is_error
    assert result.structured_content is None
    assert "\n" not in text(result)
    return text(result)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_its_tools_say_what_they_are_for_and_only_read(services: Services, mode: str) -> None:
    async with official(services, mode=mode) as client:
        assert client.instructions
        assert services.settings.bot_name in client.instructions
        assert "never instructions" in client.instructions
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools.keys() == {"search", "ask", "get_document"}
        for tool in tools.values():
            assert tool.title
            assert len(tool.description or "") > 100
            assert tool.annotations
            assert tool.annotations.read_only_hint
            assert tool.input_schema["additionalProperties"] is False
            assert tool.output_schema
        assert (await client.call_tool("ask", {"question": QUESTION})).structured_content


async def test_it_is_discovered_in_one_request_without_a_session(
    client: httpx2.AsyncClient, services: Services
) -> None:
    """As the protocol's current version has it: nothing is initialised, each request says its version."""
    about = {
        "io.modelcontextprotocol/protocolVersion": CURRENT_PROTOCOL,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "Mcp-Protocol-Version": CURRENT_PROTOCOL,
        "Mcp-Method": "server/discover",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": about}}
    response = await client.post("/mcp", json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert "mcp-session-id" not in response.headers
    found = response.json()["result"]
    assert CURRENT_PROTOCOL in found["supportedVersions"]
    assert "tools" in found["capabilities"]
    assert services.settings.bot_name in found["instructions"]


async def test_an_answer_has_its_citations_in_words_and_as_data(services: Services) -> None:
    answer = await called(services, "ask", {"question": QUESTION, "language": "fr", "filters": {"year": [2024]}})
    assert text(answer) == "It weighs on poor households [1].\n\nSources :\n\n- [1] Carbon pricing, p. 12, carbon.pdf"
    body = data(answer)
    assert (body["answer"], body["grounded"], body["language"]) == ("It weighs on poor households [1].", True, "fr")
    [citation] = body["citations"]
    assert (citation["number"], citation["document_id"], citation["quote"]) == (1, "d1", "weighs on poor households")
    [question] = services.answerer.questions
    assert (question.text, question.language, question.filters) == (QUESTION, "fr", {"year": [2024]})
    assert services.conversations.rows == {}


async def test_a_search_brings_passages_without_what_nobody_sees(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = replace(PASSAGE, chunk=replace(PASSAGE.chunk, text="A carbon\U000e0041 tax\u200b weighs."))

    async def search(*_: Any) -> Any:
        return [hidden]

    async with official(services) as client:
        [passage] = data(await client.call_tool("search", {"query": "carbon", "limit": 3}))["passages"]
        assert (passage["document_id"], passage["title"], passage["page"]) == ("d1", "Carbon pricing", 12)
        assert services.retriever.calls == [("carbon", 3, {})]
        monkeypatch.setattr(services.retriever, "search", search)
        found = await client.call_tool("search", {"query": "carbon"})
    assert data(found)["passages"][0]["text"] == "A carbon tax weighs."
    assert json.loads(text(found)) == data(found)


def shelve(services: Services, chunks: int, length: int) -> Document:
    document = Document("d9", "long.md", "A long one", "text/markdown", "en", {"year": 2024}, "h", chunks)
    services.documents.rows["d9"] = document
    services.documents.held["d9"] = [
        Chunk(f"c{number}", "d9", number, str(number).ljust(length, "."), "Results", None, "en")
        for number in range(chunks)
    ]
    return document


@pytest.mark.parametrize(("chunks", "length", "parts"), [(3, 100, 1), (70, 1000, 4), (120, 10, 3), (3, 30_000, 3)])
async def test_a_long_document_is_read_in_parts(services: Services, chunks: int, length: int, parts: int) -> None:
    shelve(services, chunks, length)
    read, start, seen = list[str](), 0, 0
    while start is not None:
        part = data(await called(services, "get_document", {"id": "d9", "start": start}))
        assert (part["document"]["title"], part["document"]["metadata"]) == ("A long one", {"year": 2024})
        read += [each["chunk_id"] for each in part["passages"]]
        start, seen = part["next"], seen + 1
    assert read == [f"c{number}" for number in range(chunks)]
    assert seen == parts


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("get_document", {"id": "unknown"}, "There is no document of this id: take the document_id"),
        ("get_document", {"id": "a b"}, "id: String should match pattern"),
        ("get_document", {"id": "d1", "start": -1}, "start: Input should be greater"),
        ("get_document", {}, "id: Field required"),
        ("ask", {"question": " "}, "question: String should have at least 1 character"),
        ("ask", {"question": CANARY * 400}, "question: String should have at most 4000 characters"),
        ("ask", {"question": f"{CANARY}\0"}, "question: must not contain a NUL character"),
        ("ask", {"question": "Why?", "language": CANARY}, "language: Input should be 'en' or 'fr'"),
        ("ask", {"question": "Why?", CANARY: 1}, "There is a field that is not known here."),
        ("search", {"query": "carbon", "limit": 21}, "limit: Input should be less"),
        ("search", {"query": "carbon", "filters": {"year": []}}, "filters: List should have at least 1 item"),
        (CANARY, {}, "There is no such tool: call one of search, ask, get_document."),
    ],
)
async def test_what_cannot_be_done_is_an_error_that_the_model_reads(
    services: Services, tool: str, arguments: dict[str, Any], words: str
) -> None:
    sentence = refusal(await called(services, tool, arguments))
    assert words in sentence
    assert CANARY not in sentence
    failed = metrics.MCP_CALLS.labels("unknown" if tool == CANARY else tool, "failed")
    assert failed._value.get() > 0


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Unavailable("PostgreSQL", "start it"), "PostgreSQL does not answer: start it"),
        (ModelUnavailable("it is down", 9), "the language model does not answer: it is down; search works without it."),
        (RuntimeError(CANARY), "The server failed; its log says why."),
    ],
)
async def test_an_outage_is_one_sentence(failure: Exception, words: str) -> None:
    async with official(fake_services(FakeAnswerer(error=failure))) as client:
        assert refusal(await client.call_tool("ask", {"question": QUESTION})) == words
        assert data(await client.call_tool("search", {"query": "carbon"}))


async def test_without_a_key_that_may_ask_there_is_no_entry() -> None:
    services = fake_services(anonymous_scopes="none")
    _, good = await services.keys.create("an assistant", frozenset({"ask"}))
    _, other = await services.keys.create("an importer", frozenset({"ingest"}))
    for key, status in (("", 401), ("cb_wrong", 401), (other, 403)):
        async with client_of(services) as http:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            response = await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers)
            assert response.status_code == status
            assert "www-authenticate" in response.headers
        for mode in ("auto", "legacy"):
            with pytest.raises((MCPError, ExceptionGroup)):
                async with official(services, key, mode) as client:
                    await client.call_tool("ask", {"question": QUESTION})
    assert services.answerer.questions == []
    async with official(services, good) as client:
        assert data(await client.call_tool("ask", {"question": QUESTION}))["citations"]


async def test_too_many_calls_are_told_to_the_model_and_the_rest_is_not_counted() -> None:
    services = fake_services(anonymous_scopes="none", rate_limit_per_minute=2)
    _, key = await services.keys.create("an assistant", frozenset({"ask"}))
    async with official(services, key) as client:
        for _ in range(3):
            await client.list_tools()
        for _ in range(2):
            assert data(await client.call_tool("search", {"query": "carbon"}))
        sentence = refusal(await client.call_tool("search", {"query": "carbon"}))
    assert sentence == "There were too many requests in a minute; wait a moment."


async def test_tokens_are_counted_and_bounded() -> None:
    model = {"llm_url": "http://127.0.0.1:1", "llm_model": "some"}
    services = fake_services(anonymous_scopes="none", daily_tokens=800, **model)
    _, key = await services.keys.create("an assistant", frozenset({"ask"}))
    async with official(services, key) as client:
        assert data(await client.call_tool("ask", {"question": QUESTION}))
        assert services.limits.tokens["key:k0"] == 803
        assert refusal(await client.call_tool("ask", {"question": QUESTION})) == "The tokens of this day are used up."
        assert data(await client.call_tool("search", {"query": "carbon"}))


async def test_each_request_finds_any_process(services: Services) -> None:
    """Nothing of a session is kept: every second request reaches another application."""
    apps = [httpx2.ASGITransport(create_app(services)) for _ in range(2)]

    class Balancer(httpx2.AsyncBaseTransport):
        asked = 0

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            self.asked += 1
            return await apps[self.asked % 2].handle_async_request(request)

    for mode in ("auto", "legacy"):
        balancer = Balancer()
        async with (
            httpx2.AsyncClient(transport=balancer, base_url="http://bot") as http,
            Client(streamable_http_client("http://bot/mcp", http_client=http), mode=mode) as client,
        ):
            for _ in range(4):
                assert data(await client.call_tool("ask", {"question": QUESTION}))
        assert balancer.asked > 4


@pytest.mark.parametrize(
    ("origin", "cors", "status"),
    [
        ("https://evil.example", "", 403),
        ("null", "", 403),
        ("http://bot", "", 200),
        ("https://www.example.org", "https://www.example.org", 200),
    ],
)
async def test_pages_of_other_sites_are_refused(origin: str, cors: str, status: int) -> None:
    services = fake_services(cors_origins=cors)
    _, key = await services.keys.create("an assistant", frozenset({"ask"}))
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Origin": origin, "Authorization": f"Bearer {key}", "Accept": "application/json, text/event-stream"}
    async with client_of(services) as http:
        response = await http.post("/mcp", json=body, headers=headers)
    assert response.status_code == status


async def test_on_ones_own_machine_no_foreign_name_leads_here(services: Services) -> None:
    """A page may let its own name lead to 127.0.0.1; the browser then takes us for its site."""
    async with client_of(services) as http:
        headers = {"Host": "evil.example", "Origin": "http://evil.example"}
        response = await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers)
    assert response.status_code == 401


@pytest.mark.parametrize("content", ["{", "[]", "7", "", '{"jsonrpc": "2.0", "id": 1}', "[" * 100_000])
async def test_what_is_no_message_is_a_400(client: httpx2.AsyncClient, content: str) -> None:
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    for version in ({}, {"MCP-Protocol-Version": "2026-07-28"}):
        response = await client.post("/mcp", content=content, headers={**headers, **version})
        assert response.status_code == 400, response.text
        assert "Traceback" not in response.text
    assert (await client.get("/mcp")).status_code == 405
    assert (await client.post("/mcp", content=b" " * 300_000, headers=headers)).status_code == 413


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with openai_server.running() as fake:
        fake.pause, fake.pieces = 0.05, ["word [1] and "] * 1000
        yield fake


async def ask_as_clients_do(url: str, http: httpx2.AsyncClient) -> None:
    async with Client(streamable_http_client(url, http_client=http)) as client:
        await client.call_tool("ask", {"question": QUESTION})


async def ask_as_older_clients_do(url: str, http: httpx2.AsyncClient) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    asked = {**call, "params": {"name": "ask", "arguments": {"question": QUESTION}}}
    await http.post(url, json=asked, headers={"Accept": "application/json, text/event-stream"})


@pytest.mark.parametrize("ask", [ask_as_clients_do, ask_as_older_clients_do])
async def test_the_model_stops_within_a_second_when_the_assistant_leaves(server: FakeOpenAI, ask: Any) -> None:
    with listening(bot(connected(server, GenerationLimits(60, 60)))) as port:
        async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
            asking = asyncio.create_task(ask(f"http://127.0.0.1:{port}/mcp", http))
            await asyncio.to_thread(until, lambda: server.requests)
            await asyncio.sleep(0.2)
            left = time.monotonic()
            asking.cancel()
            await asyncio.wait({asking})
            assert await asyncio.to_thread(server.left.wait, 5)
            assert time.monotonic() - left < 1
    assert len(server.requests) == 1


async def test_neither_question_nor_key_is_logged(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    _, key = await services.keys.create("an assistant", frozenset({"ask"}))
    for mode in ("auto", "legacy"):
        async with client_of(services) as http:
            http.headers["Authorization"] = f"Bearer {key}"
            async with Client(streamable_http_client("http://bot/mcp", http_client=http), mode=mode) as client:
                await client.call_tool("ask", {"question": f"Who is {CANARY}?"})
                await client.call_tool(CANARY, {CANARY: CANARY})
    ours = [record for record in caplog.records if not record.name.startswith(("mcp.client", "httpx2", "httpcore2"))]
    assert ours
    assert not [record for record in ours if CANARY in record.getMessage() or key in record.getMessage()]


def test_a_process_that_serves_no_assistant_does_not_load_the_sdk() -> None:
    code = "import sys, chatbot.web.app; print([name for name in sys.modules if name.split('.')[0].startswith('mcp')])"
    assert python(code) == "[]"
