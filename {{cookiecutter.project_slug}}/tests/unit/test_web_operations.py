"""Health, readiness, metrics, request ids, the OpenAPI document, and stopping without cutting anyone off."""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chatbot.answering.answer import Done, Token
from chatbot.bootstrap import Services
from chatbot.domain import Question, Unavailable
from chatbot.web import app as web_app
from chatbot.web.app import create_app
from chatbot.web.ops import health
from chatbot.web.ops import request_metrics as metrics
from tests.unit.fakes import FakeAnswerer, FakeModel, client_of, fake_services

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


async def test_process_is_alive_though_everything_is_down(client: httpx2.AsyncClient, services: Services) -> None:
    services.vectors.down = services.queue.down = True
    assert (await client.get("/healthz")).json() == {"status": "ok"}


async def test_ready_when_everything_answers(client: httpx2.AsyncClient) -> None:
    response = await client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "checks": {"database": "ok", "vector_db": "ok", "queue": "ok"}}


async def test_not_ready_names_what_is_down(client: httpx2.AsyncClient, services: Services) -> None:
    services.queue.down = True
    services.database.tables = False
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["detail"] == "Not ready: database, queue."
    assert "chatbot run migrate" in body["checks"]["database"]
    assert body["checks"]["vector_db"] == "ok"


async def test_silent_resources_are_waited_for_at_once(client: httpx2.AsyncClient, services: Services) -> None:
    services.vectors.silent = services.queue.silent = True
    started = time.perf_counter()
    response = await client.get("/readyz")
    assert time.perf_counter() - started < 5.5  # one after the other they would take six
    assert response.json()["detail"] == "Not ready: vector_db, queue."


async def test_without_its_model_it_is_ready_but_degraded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FRESH", 0)
    model = FakeModel()
    async with client_of(fake_services(model=model, llm_url="http://127.0.0.1:1", llm_model="some")) as client:
        assert (await client.get("/readyz")).json()["checks"]["model"] == "ok"
        model.down = True
        response = await client.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert "does not answer" in response.json()["checks"]["model"]


async def test_without_its_queue_it_is_ready_but_degraded(client: httpx2.AsyncClient, services: Services) -> None:
    """Uploads are accepted all the same, so no process is to be taken out of service for it."""
    services.queue.down = True
    response = await client.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert "does not answer" in response.json()["checks"]["queue"]


async def test_many_probes_ask_the_resources_once() -> None:
    asked = []
    model = FakeModel()

    async def ping() -> None:
        asked.append(1)
        await asyncio.sleep(0.05)

    model.ping = ping  # type: ignore[method-assign]
    async with client_of(fake_services(model=model, llm_url="http://127.0.0.1:1", llm_model="some")) as client:
        await asyncio.gather(*[client.get("/readyz") for _ in range(20)])
        await client.get("/readyz")
    assert len(asked) == 1


async def test_a_probe_asks_only_what_it_needs_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty processes, each probed every few seconds, would ask the model hundreds of times a minute."""
    monkeypatch.setattr(health, "FRESH", 0)
    model = FakeModel()
    services = fake_services(model=model, llm_url="http://127.0.0.1:1", llm_model="some")
    model.down = services.queue.down = True  # type: ignore[attr-defined]
    async with client_of(services) as client:
        probed = await client.get("/readyz?needed=true")
        assert probed.json() == {"status": "ready", "checks": {"database": "ok", "vector_db": "ok"}}
        assert (await client.get("/readyz")).json()["status"] == "degraded"
        services.vectors.down = True  # type: ignore[attr-defined]
        assert (await client.get("/readyz?needed=true")).status_code == 503


def test_it_is_the_proxy_that_closes_an_idle_connection(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of nginx, Traefik and the load balancers of clouds keep theirs for 60 seconds, or less."""
    served = []
    monkeypatch.setattr(web_app._Server, "run", lambda server, sockets: served.append(server.config))
    web_app.serve(services)
    assert [config.timeout_keep_alive > 60 for config in served] == [True]


async def test_not_ready_while_draining(services: Services) -> None:
    app = create_app(services)
    app.state.draining = True
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://bot") as client:
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.post("/v1/chat", json={"question": "Who pays?"})).status_code == 200


async def test_services_are_closed_when_the_application_stops(services: Services) -> None:
    app = create_app(services)
    async with app.router.lifespan_context(app):
        assert not services.database.closed
    assert services.database.closed
    assert services.queue.closed


async def test_sane_request_id_is_kept_and_another_replaced(client: httpx2.AsyncClient) -> None:
    kept = await client.get("/healthz", headers={"X-Request-ID": "front-1.a_B"})
    assert kept.headers["x-request-id"] == "front-1.a_B"
    for bad in ("a b", "x" * 65, "é", ""):
        replaced = await client.get("/healthz", headers={"X-Request-ID": bad.encode()})
        assert re.fullmatch("[0-9a-f]{32}", replaced.headers["x-request-id"])


async def test_version_names_the_bot(client: httpx2.AsyncClient) -> None:
    body = (await client.get("/version")).json()
    assert body.keys() == {"name", "version"}
    assert body["version"] == "0.1.0"


async def figures(client: httpx2.AsyncClient) -> dict[str, float]:
    text = (await client.get("/metrics")).text
    return {key: float(value) for key, value in re.findall(r"^([^#\s][^ ]*) (\S+)$", text, re.MULTILINE)}


async def test_metrics_are_fed(client: httpx2.AsyncClient, services: Services) -> None:
    counted = [
        'http_requests_total{method="POST",route="/v1/chat",status="200"}',
        'http_requests_total{method="other",route="unmatched",status="404"}',
        'http_request_duration_seconds_count{method="POST",route="/v1/chat"}',
        'answers_total{grounded="true",language="en",writer="llm"}',
        'answer_duration_seconds_count{writer="llm"}',
        "first_token_seconds_count",
    ]
    before = await figures(client)
    await client.post("/v1/chat", json={"question": "Who pays?"})
    await client.request("BREW", "/coffee/17")
    await client.post("/v1/documents", files={"file": ("a.txt", b"Some text")})
    after = await figures(client)
    assert [after[name] - before.get(name, 0) for name in counted] == [1] * len(counted)
    assert after['jobs{state="queued"}'] == 1
    assert after['jobs{state="dead"}'] == 0
    assert after['corpus_size{unit="documents"}'] == 1
    assert after['queue_depth{queue="jobs"}'] == 1


async def test_ratings_and_refusals_are_counted() -> None:
    rated = [f'chatbot_feedback_total{{rating="{rating}"}}' for rating in ("up", "down")]
    refused = [f'limit_refusals_total{{limit="{limit}"}}' for limit in ("requests", "tokens")]
    services = fake_services(rate_limit_per_minute=5, daily_tokens=800, llm_url="http://127.0.0.1:1", llm_model="some")
    async with client_of(services) as client:
        client.cookies.set("visitor", "v" * 24)
        before = await figures(client)
        answer = (await client.post("/v1/chat", json={"question": "Who pays?"})).json()
        for rating in ("up", "down"):
            await client.post("/v1/feedback", json={"message_id": answer["message_id"], "rating": rating})
        await client.post("/v1/feedback", json={"message_id": "unknown", "rating": "up"})
        statuses = [(await client.post("/v1/chat", json={"question": "And?"})).status_code for _ in range(2)]
        after = await figures(client)
    assert statuses == [429, 429]
    assert [after[name] - before[name] for name in (*rated, *refused)] == [1, 1, 1, 1]


async def test_metrics_without_the_database_leave_its_figures_out(
    client: httpx2.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def counts() -> dict[str, int]:
        raise ConnectionError

    await figures(client)
    monkeypatch.setattr(services.jobs, "counts", counts)
    after = await figures(client)
    assert not [name for name in after if name.startswith(("jobs{", "corpus_size"))]
    assert 'queue_depth{queue="jobs"}' in after


async def test_metrics_without_the_queue_leave_its_depth_out(client: httpx2.AsyncClient, services: Services) -> None:
    services.queue.silent = True
    after = await figures(client)
    assert 'jobs{state="dead"}' in after
    assert not [name for name in after if name.startswith("queue_depth{")]


@pytest.mark.parametrize(
    ("error", "reason"), [(Unavailable("the model", "start it"), "unavailable"), (ValueError("private"), "unexpected")]
)
async def test_a_question_that_gets_no_answer_is_counted(error: Exception, reason: str) -> None:
    async with client_of(fake_services(FakeAnswerer(error=error, after=1))) as client:
        name = f'unanswered_questions_total{{reason="{reason}"}}'
        before = (await figures(client)).get(name, 0)
        await client.post("/v1/chat", json={"question": "Who pays?", "stream": True})
        assert (await figures(client))[name] == before + 1


@pytest.mark.parametrize(("last", "left"), [(Token, 1), (Done, 0)])
async def test_who_leaves_before_the_answer_is_complete_is_counted(last: type, left: int) -> None:
    counter = metrics.UNANSWERED.labels("client_left")
    before = counter._value.get()
    async with aclosing(metrics.measured(FakeAnswerer().stream(Question("Who pays?", "en")))) as events:
        async for event in events:
            if isinstance(event, last):
                break
    assert counter._value.get() - before == left


async def test_openapi_document_is_complete(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= schemas.keys()
    assert "HTTPValidationError" not in schemas
    tags = {tag["name"] for tag in document["tags"]}
    operations = [(path, how, each) for path, item in document["paths"].items() for how, each in item.items()]
    assert {(path, how) for path, how, _ in operations} >= {
        ("/v1/chat", "post"),
        ("/v1/search", "post"),
        ("/v1/chat/completions", "post"),
        ("/v1/models", "get"),
        ("/v1/models/{model}", "get"),
        ("/v1/documents", "post"),
        ("/v1/documents", "get"),
        ("/v1/documents/{id}", "get"),
        ("/v1/documents/{id}", "delete"),
        ("/v1/jobs/{id}", "get"),
        ("/healthz", "get"),
        ("/readyz", "get"),
        ("/metrics", "get"),
        ("/version", "get"),
    }
    assert len({each["operationId"] for _, _, each in operations}) == len(operations)
    for path, how, operation in operations:
        assert operation["summary"], (path, how)
        assert set(operation["tags"]) <= tags
        errors = {code: each for code, each in operation["responses"].items() if code >= "400"}
        openai = path.startswith(("/v1/chat/completions", "/v1/embeddings", "/v1/models", "/v1/responses"))
        shape = "application/json" if openai else "application/problem+json"
        assert all(each["content"].keys() == {shape} for each in errors.values())
        assert path[:4] != "/v1/" or {"400" if openai else "422", "500", "503"} <= errors.keys()
    assert document["paths"]["/v1/chat"]["post"]["responses"]["200"]["content"].keys() == {
        "application/json",
        "text/event-stream",
    }


async def test_stream_reaches_the_client_piece_by_piece() -> None:
    """Straight through ASGI: the first words are sent while the last are still being written."""
    moments: list[tuple[float, bytes]] = []
    body = json.dumps({"question": "Who pays?", "stream": True}).encode()
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        return next(messages, None) or await asyncio.sleep(60)

    async def send(message: Any) -> None:
        moments.append((time.perf_counter(), message.get("body", b"")))

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat",
        "raw_path": b"/v1/chat",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    await create_app(fake_services(FakeAnswerer(pause=0.1)))(scope, receive, send)
    tokens = [moment for moment, data in moments if data.startswith(b"event: token")]
    assert len(tokens) == 3
    assert tokens[-1] - tokens[0] > 0.15
