"""Every error is problem+json, says what is wrong, and gives nothing away."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chatbot.bootstrap import Services
from chatbot.domain import InvalidConfiguration
from chatbot.observability.logs import configure_logging
from chatbot.web.app import create_app
from tests.unit.fakes import DOWN, FakeAnswerer, client_of, fake_services
from tests.unit.test_web_api import events_of

pytestmark = pytest.mark.slow

CANARY = "canary-7f3a"


def problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["title"]
    assert body["request_id"] == response.headers["x-request-id"]
    assert CANARY not in response.text
    assert "Traceback" not in response.text
    return body


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/question"),
        ({"question": ""}, "#/question"),
        ({"question": "  "}, "#/question"),
        ({"question": CANARY * 400}, "#/question"),
        ({"question": f"{CANARY}\0"}, "#/question"),
        ({"question": {"text": CANARY}}, "#/question"),
        ({"question": "Why?", "language": CANARY}, "#/language"),
        ({"question": "Why?", "filters": {CANARY: CANARY}}, "#/filters"),
        ({"question": "Why?", "filters": {"year": []}}, "#/filters"),
        ({"question": "Why?", CANARY: 1}, "#"),
        ([CANARY], "#"),
    ],
)
async def test_malformed_question_is_422_without_an_echo(client: httpx2.AsyncClient, body: Any, pointer: str) -> None:
    errors = problem(await client.post("/v1/chat", json=body), 422)["errors"]
    assert {each["pointer"] for each in errors} == {pointer}


@pytest.mark.parametrize(
    "content",
    ['{"question": "' + CANARY, '{"question": "\\ud800"}', '{"question": "a", "filters": {"year": [NaN]}}', "", "null"],
)
async def test_broken_json_is_422(client: httpx2.AsyncClient, content: str) -> None:
    problem(await client.post("/v1/chat", content=content, headers={"Content-Type": "application/json"}), 422)


async def test_question_of_4000_characters_is_taken(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/v1/chat", json={"question": "é" * 4000})).status_code == 200


async def test_unknown_things_are_404_and_wrong_methods_405(client: httpx2.AsyncClient) -> None:
    for path in ("/v1/jobs/nope", "/v1/documents/nope", f"/{CANARY}"):
        problem(await client.get(path), 404)
    assert "POST" in (await client.get("/v1/chat")).headers["allow"]
    problem(await client.get("/v1/chat"), 405)
    problem(await client.get("/v1/documents/a%00b"), 422)
    assert problem(await client.get("/v1/documents?limit=0"), 422)["errors"][0]["parameter"] == "limit"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"files": {"file": (f"{CANARY}.xyz", b"text")}}, 415),
        ({"files": {"file": ("a.txt", b"x" * 500_001)}}, 413),
        ({"files": {"file": ("a.txt", b"text")}, "data": {"metadata": "{" + CANARY}}, 422),
        ({"files": {"file": ("a.txt", b"text")}, "data": {"metadata": json.dumps({CANARY: None})}}, 422),
        ({"files": {"file": ("a\u2028b.txt", b"text")}}, 422),
        ({"files": {"file": ("x" * 256 + ".txt", b"text")}}, 422),
        ({"files": {"file": ("a.txt", b"text")}, "headers": {"Idempotency-Key": f"{CANARY} spaced"}}, 422),
        ({"data": {"metadata": "{}"}}, 422),
        ({"json": {"url": f"http://127.0.0.1/{CANARY}"}}, 422),
        ({"json": {"url": f"https://{CANARY}:word@example.org/"}}, 422),
        ({"json": {"url": f"file:///{CANARY}"}}, 422),
        ({"json": {"url": 7, CANARY: CANARY}}, 422),
        ({"json": {"url": "https://example.org/", "metadata": {"a": None}}}, 422),
        ({"json": [CANARY]}, 422),
        ({"content": b'{"url": ' + CANARY.encode(), "headers": {"Content-Type": "application/json"}}, 422),
        ({"content": b"", "headers": {"Content-Type": "application/json"}}, 422),
        ({"json": {"url": "https://example.org/" + "a" * 300_000}}, 413),
        ({"data": {"url": f"http://[::1]/{CANARY}"}}, 422),
        ({"data": {"url": "https://example.org/"}, "files": {"file": ("a.txt", b"text")}}, 422),
        ({"content": b"no multipart", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400),
    ],
)
async def test_bad_uploads(client: httpx2.AsyncClient, services: Services, request_: Any, status: int) -> None:
    problem(await client.post("/v1/documents", **request_), status)
    assert services.jobs.rows == {}


async def test_too_large_a_body_is_refused_unread_when_its_length_is_declared(client: httpx2.AsyncClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    headers = {"Content-Length": "900000", "Content-Type": "multipart/form-data; boundary=b"}
    response = await client.post("/v1/documents", content=body(), headers=headers)
    problem(response, 413)
    assert response.headers["connection"] == "close"


async def test_too_large_a_body_is_read_no_further_than_the_limit() -> None:
    """Straight through ASGI, since the test client's transport collects a body before it sends it."""
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    given, sent = 0, []

    async def receive() -> dict[str, Any]:
        nonlocal given
        given += 100_000
        return {
            "type": "http.request",
            "body": part.ljust(100_000, b"x") if given == 100_000 else b"x" * 100_000,
            "more_body": True,
        }

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/documents",
        "raw_path": b"/v1/documents",
        "query_string": b"",
        "headers": [(b"content-type", b"multipart/form-data; boundary=b")],
    }
    await create_app(fake_services())(scope, receive, send)
    assert sent[0]["status"] == 413
    assert dict(sent[0]["headers"])[b"content-type"] == b"application/problem+json"
    assert given <= 900_000


async def test_a_full_disk_is_no_mistake_of_the_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It was a 400, after which nobody tries again. What is larger than 1 MB passes through a file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    async with client_of(fake_services(max_document_mb=5)) as client:
        response = await client.post("/v1/documents", files={"file": ("a.txt", b"slate " * 400_000)})
    assert (response.status_code, response.json()["title"]) == (503, "Service Unavailable")
    assert response.headers["retry-after"]
    assert "disk" in response.json()["detail"]


async def test_json_body_is_limited(client: httpx2.AsyncClient) -> None:
    problem(await client.post("/v1/chat", json={"question": CANARY * 30_000}), 413)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("error", [DOWN, InvalidConfiguration("Another model built the index.")])
async def test_outage_before_the_first_word_is_503(stream: bool, error: Exception) -> None:
    async with client_of(fake_services(FakeAnswerer(error=error))) as client:
        response = await client.post("/v1/chat", json={"question": CANARY, "stream": stream})
    assert problem(response, 503)["detail"] == str(error)
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize("stream", [False, True])
async def test_fault_before_the_first_word_is_500_without_details(stream: bool) -> None:
    async with client_of(fake_services(FakeAnswerer(error=RuntimeError(CANARY)))) as client:
        response = await client.post("/v1/chat", json={"question": CANARY, "stream": stream})
    assert problem(response, 500).keys() == {"type", "title", "status", "request_id"}


@pytest.mark.parametrize(("error", "status"), [(DOWN, 503), (RuntimeError(CANARY), 500)])
async def test_error_in_mid_stream_is_the_last_event(error: Exception, status: int) -> None:
    async with client_of(fake_services(FakeAnswerer(error=error, after=2))) as client:
        response = await client.post("/v1/chat", json={"question": "Who?", "stream": True})
    events = events_of(response.text)
    assert [name for name, _ in events] == ["sources", "token", "token", "error"]
    assert events[-1][1]["status"] == status
    assert events[-1][1]["request_id"] == response.headers["x-request-id"]
    assert CANARY not in response.text


@pytest.mark.usefixtures("_logging_restored")
async def test_neither_question_nor_key_reaches_logs_or_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG")
    headers = {"X-Request-ID": f"{CANARY} not sane"}
    question = {"question": CANARY, "filters": {"author": [CANARY]}}
    for answerer in (FakeAnswerer(), FakeAnswerer(error=DOWN), FakeAnswerer(error=RuntimeError(CANARY), after=1)):
        async with client_of(fake_services(answerer, llm_api_key="key-91c2")) as client:
            await client.post("/v1/chat", json=question, headers=headers)
            await client.post("/v1/chat", json={**question, "stream": True}, headers=headers)
            await client.post("/v1/search?q=" + CANARY, json={"query": CANARY}, headers=headers)
            await client.post("/v1/chat", json={"question": CANARY * 400}, headers=headers)
            await client.post("/v1/documents", files={"file": ("a.txt", CANARY.encode())}, headers=headers)
            await client.get(f"/v1/documents/{CANARY}", headers=headers)
            await client.get(f"/{CANARY}?q={CANARY}", headers=headers)
            figures = (await client.get("/metrics")).text
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    requests = [line for line in lines if line["message"] == "request"]
    assert len(requests) == 24
    assert {line["path"] for line in requests} >= {"/v1/chat", "/v1/documents/{id}", "unmatched"}
    for text in (captured.out, captured.err, figures):
        assert CANARY not in text
        assert "key-91c2" not in text
        assert "secret-password" not in text
        assert "127.0.0.1" not in text
