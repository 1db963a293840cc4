"""Who may do what: keys, tokens, visitors, their scopes, limits and budgets, and what browsers are told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest

from chatbot.bootstrap import Services
from chatbot.domain import Caller, InvalidToken, Scope
from chatbot.observability.logs import configure_logging
from chatbot.web.app import create_app
from chatbot.web.auth.visitors import anonymous_scopes, warn_if_open
from tests.unit.fakes import FakeAnswerer, client_of, fake_services

pytestmark = pytest.mark.slow

ASK = {"question": "Who pays?"}
FILE = {"file": ("a.txt", b"Some text")}
CANARY = "canary-5b1e"


async def key(services: Services, *scopes: Scope) -> dict[str, str]:
    """The header that a new key's holder sends."""
    _, secret = await services.keys.create("test", frozenset(scopes))
    return {"Authorization": f"Bearer {secret}"}


def problem(response: httpx2.Response, status: int) -> str:
    """The sentence of an error."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return response.json()["detail"]


# Keys -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scopes", "statuses"), [(["ask"], (200, 403)), (["ingest"], (403, 202)), ([], (403, 403))])
async def test_a_key_may_do_what_its_scopes_say(
    client: httpx2.AsyncClient, services: Services, scopes: Sequence[Scope], statuses: tuple[int, int]
) -> None:
    headers = await key(services, *scopes)
    asked = await client.post("/v1/chat", json=ASK, headers=headers)
    uploaded = await client.post("/v1/documents", files=FILE, headers=headers)
    assert (asked.status_code, uploaded.status_code) == statuses
    assert "set-cookie" not in asked.headers
    if uploaded.status_code == 403:
        assert "ingest" in problem(uploaded, 403)
        assert uploaded.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="ingest"'


async def test_a_key_may_come_in_its_own_header_and_an_unrelated_login_is_left_alone() -> None:
    services = fake_services(anonymous_scopes="none")
    secret = (await key(services, "ask"))["Authorization"].split()[1]
    async with client_of(services) as client:
        basic = {"Authorization": "Basic dXNlcjpwYXNz"}
        assert (await client.post("/v1/chat", json=ASK, headers={"X-API-Key": secret, **basic})).status_code == 200
        assert (await client.post("/v1/chat", json=ASK, headers={"Authorization": f"bearer {secret}"})).is_success
        problem(await client.post("/v1/chat", json=ASK, headers=basic), 401)


@pytest.mark.parametrize("wrong", ["cb_" + "x" * 43, "sk-123", "é".encode(), "a.b.c"])
async def test_a_wrong_key_is_401_though_visitors_may_ask(client: httpx2.AsyncClient, wrong: Any) -> None:
    for headers in ({"X-API-Key": wrong}, {"Authorization": wrong and b"Bearer " + as_bytes(wrong)}):
        response = await client.post("/v1/chat", json=ASK, headers=headers)
        assert "not valid" in problem(response, 401)
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def as_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


async def test_a_revoked_key_is_401(client: httpx2.AsyncClient, services: Services) -> None:
    headers = await key(services, "ask")
    assert await services.keys.revoke("k0")
    problem(await client.post("/v1/chat", json=ASK, headers=headers), 401)


async def test_the_word_anonymous_stands_for_no_key(client: httpx2.AsyncClient) -> None:
    response = await client.post("/v1/chat", json=ASK, headers={"Authorization": "Bearer anonymous"})
    assert response.status_code == 200


# Visitors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "scopes"),
    [
        ({}, {"ask", "ingest", "admin"}),
        ({"host": "0.0.0.0"}, {"ask"}),
        ({"trusted_proxies": 1}, {"ask"}),
        ({"anonymous_scopes": "none"}, set()),
        ({"host": "0.0.0.0", "anonymous_scopes": "ask, ingest"}, {"ask", "ingest"}),
    ],
)
def test_what_a_visitor_may_do(variables: dict[str, Any], scopes: set[str]) -> None:
    assert anonymous_scopes(fake_services(**variables).settings) == scopes


async def test_a_visitor_without_the_scope_is_told_to_bring_a_key() -> None:
    async with client_of(fake_services(anonymous_scopes="ask")) as client:
        assert (await client.post("/v1/chat", json=ASK)).status_code == 200
        assert (await client.get("/v1/documents")).status_code == 200
        for response in (
            await client.post("/v1/documents", files=FILE),
            await client.delete("/v1/documents/d1"),
            await client.get("/v1/jobs/j1"),
        ):
            assert "ingest" in problem(response, 401)
            assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_visitor_is_known_again_by_a_cookie(client: httpx2.AsyncClient, stream: bool) -> None:
    first = await client.post("/v1/chat", json={**ASK, "stream": stream})
    cookie = first.headers["set-cookie"]
    assert all(word in cookie for word in ("visitor=", "HttpOnly", "SameSite=lax"))
    assert "Secure" not in cookie
    assert "set-cookie" not in (await client.post("/v1/chat", json=ASK)).headers


async def test_where_no_cookie_is_kept_a_visitor_is_known_by_what_the_page_sends(services: Services) -> None:
    value, headers = "a" * 24, {"X-Visitor": "a" * 24}
    async with client_of(services) as client:
        asked = await client.post("/v1/chat", json={"question": "Who pays?"}, headers=headers)
        assert client.cookies["visitor"] == value
    path = f"/v1/conversations/{asked.json()['conversation_id']}"
    for visitor, status in ({"X-Visitor": value}, 200), ({"X-Visitor": "b" * 24}, 404), ({"X-Visitor": "a"}, 404):
        async with client_of(services) as client:
            assert (await client.get(path, headers=visitor)).status_code == status
    async with client_of(services) as client:
        client.cookies["visitor"] = "c" * 24
        assert (await client.get(path, headers=headers)).status_code == 404


async def test_the_cookie_is_for_tls_only_where_a_proxy_ends_it() -> None:
    async with client_of(fake_services(trusted_proxies=1)) as client:
        response = await client.post("/v1/chat", json=ASK, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in response.headers["set-cookie"]


async def test_operations_stay_open() -> None:
    async with client_of(fake_services(anonymous_scopes="none")) as client:
        for path in ("/healthz", "/readyz", "/metrics", "/version", "/openapi.json", "/"):
            assert (await client.get(path, headers={"X-API-Key": "wrong"})).status_code == 200, path


async def test_pages_of_other_sites_cannot_act_through_a_visitors_browser() -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    services = fake_services(cors_origins="https://www.example.org")
    async with client_of(services) as client:
        assert "other sites" in problem(await client.post("/v1/documents", files=FILE, headers=foreign), 403)
        problem(await client.post("/v1/chat", json=ASK, headers={**foreign, "Sec-Fetch-Site": "same-site"}), 403)
        for mine in (
            {"Sec-Fetch-Site": "same-origin", "Origin": "http://bot"},
            {"Sec-Fetch-Site": "cross-site", "Origin": "https://www.example.org"},
            {**foreign, **await key(services, "ask")},
        ):
            assert (await client.post("/v1/chat", json=ASK, headers=mine)).status_code == 200


async def test_without_sec_fetch_site_the_origin_tells_whose_page_it_is() -> None:
    """Over plain HTTP a browser sends none: a page elsewhere must not plant a document in an intranet's bot."""
    services = fake_services(anonymous_scopes="ask ingest", cors_origins="https://www.example.org")
    async with client_of(services) as client:
        for foreign in ("http://evil.example", "null", "http://bot.evil.example", "http://bot:81"):
            refused = await client.post("/v1/documents", files=FILE, headers={"Origin": foreign})
            assert "other sites" in problem(refused, 403)
        problem(await client.delete("/v1/conversations/c1", headers={"Origin": "http://evil.example"}), 403)
        for own in ({}, {"Origin": "http://bot"}, {"Origin": "https://bot"}, {"Origin": "https://www.example.org"}):
            assert (await client.post("/v1/chat", json=ASK, headers=own)).status_code == 200


@pytest.mark.parametrize("header", ["Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP"])
async def test_what_a_proxy_passed_on_is_not_the_owners(client: httpx2.AsyncClient, header: str) -> None:
    passed_on = {"Host": "127.0.0.1:8000", header: "1.1 proxy"}
    assert "ANONYMOUS_SCOPES" in problem(await client.post("/v1/documents", files=FILE, headers=passed_on), 401)


async def test_nginx_with_its_defaults_is_seen_by_its_old_protocol(services: Services) -> None:
    async def old(scope: Any, receive: Any, send: Any) -> None:
        await create_app(services)({**scope, "http_version": "1.0"}, receive, send)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(old), base_url="http://127.0.0.1:8000") as client:
        assert "ANONYMOUS_SCOPES" in problem(await client.post("/v1/documents", files=FILE), 401)


async def test_a_site_whose_name_leads_to_this_machine_gets_nothing(client: httpx2.AsyncClient) -> None:
    rebound = {"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}
    assert "ANONYMOUS_SCOPES" in problem(await client.post("/v1/documents", files=FILE, headers=rebound), 401)
    assert "ANONYMOUS_SCOPES" in problem(await client.get("/v1/documents", headers=rebound), 401)
    async with client_of(fake_services(anonymous_scopes="ask")) as published:
        assert (await published.get("/v1/documents", headers=rebound)).status_code == 200


@pytest.mark.parametrize("host", ["[", "[::1", "é", ":", "a b", "x" * 300])
async def test_a_strange_host_is_no_fault_of_the_server(client: httpx2.AsyncClient, host: str) -> None:
    response = await client.post("/v1/chat", json=ASK, headers={"Host": host.encode()})
    assert response.status_code == 200


@pytest.mark.usefixtures("_logging_restored")
def test_what_is_open_to_all_is_said_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    model = {"llm_url": "http://127.0.0.1:1/v1", "llm_model": "m"}
    for quiet in ({}, {"host": "0.0.0.0"}, {"host": "0.0.0.0", "anonymous_scopes": "none", **model}):
        warn_if_open(fake_services(**quiet).settings)
    assert capsys.readouterr().out == ""
    warn_if_open(fake_services(host="0.0.0.0", anonymous_scopes="ask ingest", **model).settings)
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["level"] for line in said] == ["WARNING", "WARNING"]
    assert "ANONYMOUS_SCOPES" in said[0]["message"]
    assert "RATE_LIMIT_PER_MINUTE" in said[1]["message"]


# Every route ----------------------------------------------------------------------------------------------------------


async def test_every_route_of_the_api_declares_its_scope(client: httpx2.AsyncClient) -> None:
    """A route that fails here lacks `dependencies=[allowed(…)]`, on itself or its router."""
    document = (await client.get("/openapi.json")).json()
    operations = [(path, how, each) for path, item in document["paths"].items() for how, each in item.items()]
    guarded = {(path, how) for path, how, each in operations if "security" in each}
    assert guarded == {(path, how) for path, how, _ in operations if path.startswith("/v1/")}
    for path, how, operation in operations:
        if (path, how) in guarded:
            assert operation["security"] == [{"HTTPBearer": []}, {"APIKeyHeader": []}, {}]
            assert {"401", "403", "429"} <= operation["responses"].keys()


async def test_nothing_is_read_of_a_body_that_will_be_refused() -> None:
    """Straight through ASGI, since the test client's transport collects a body before it sends it."""
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    for path, kind in (("/v1/documents", b"multipart/form-data; boundary=b"), ("/v1/chat", b"application/json")):
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
        app = create_app(fake_services(anonymous_scopes="none"))
        await app({**scope, "headers": [(b"content-type", kind)]}, receive, send)
        assert sent[0]["status"] == 401
        assert dict(sent[0]["headers"])[b"connection"] == b"close"
        sent.clear()


async def test_when_the_database_is_down_a_key_is_503_and_not_let_through(services: Services) -> None:
    headers = await key(services, "ask")
    services.keys.down = True
    async with client_of(services) as client:
        response = await client.post("/v1/chat", json=ASK, headers=headers)
        assert (await client.get("/v1/documents", headers=headers)).status_code == 503
    problem(response, 503)
    assert int(response.headers["retry-after"]) > 0


# Tokens of an identity provider ---------------------------------------------------------------------------------------


class FakeIssuer:
    async def caller(self, token: str) -> Caller:
        if token != "a.good.token":
            raise InvalidToken("The token has expired.")
        return Caller("user:0123", frozenset({"ask"}))


async def test_a_token_is_a_caller_and_keys_still_work() -> None:
    services = fake_services(anonymous_scopes="none")
    object.__setattr__(services, "issuer", FakeIssuer())
    async with client_of(services) as client:

        async def status(header: str) -> int:
            return (await client.post("/v1/chat", json=ASK, headers={"Authorization": f"Bearer {header}"})).status_code

        assert await status("a.good.token") == 200
        assert await status((await key(services, "ask"))["Authorization"].split()[1]) == 200
        assert await status("cb_" + "x" * 43) == 401
        response = await client.post("/v1/chat", json=ASK, headers={"Authorization": "Bearer an.old.token"})
    assert problem(response, 401) == "The token has expired."


# Limits ---------------------------------------------------------------------------------------------------------------


async def test_the_rate_is_limited_and_reading_is_free() -> None:
    async with client_of(fake_services(rate_limit_per_minute=2)) as client:
        assert (await client.get("/v1/documents")).headers.get("ratelimit") is None
        first = await client.post("/v1/chat", json=ASK)
        assert (first.headers["ratelimit-policy"], first.headers["ratelimit"][:12]) == (
            '"minute";q=2;w=60',
            '"minute";r=1',
        )
        await client.post("/v1/chat", json={"malformed": True})
        refused = await client.post("/v1/chat", json={**ASK, "stream": True})
        problem(refused, 429)
        assert (refused.headers["retry-after"], refused.headers["ratelimit"]) == ("7", '"minute";r=0;t=7')
        assert (await client.get("/v1/documents")).status_code == 200


async def test_who_drops_the_cookie_is_bounded_by_the_network() -> None:
    services = fake_services(rate_limit_per_minute=1, trusted_proxies=1)
    statuses = []
    for number in range(12):
        async with client_of(services) as client:
            headers = {"X-Forwarded-For": f"198.51.100.{number}, 192.0.2.9"}
            statuses.append((await client.post("/v1/chat", json=ASK, headers=headers)).status_code)
    assert statuses == [200] * 10 + [429] * 2
    assert set(services.limits.requests) == {"network:192.0.2.9"}


async def test_a_key_has_a_limit_of_its_own_wherever_it_is_used() -> None:
    services = fake_services(rate_limit_per_minute=1)
    headers = [await key(services, "ask"), await key(services, "ask")]
    async with client_of(services) as client:
        statuses = [
            (await client.post("/v1/chat", json=ASK, headers=each)).status_code for each in (*headers, *headers)
        ]
    assert statuses == [200, 200, 429, 429]
    assert services.limits.requests == {"key:k0": 1, "key:k1": 1}


async def test_a_limit_that_cannot_be_looked_up_is_503() -> None:
    services = fake_services(rate_limit_per_minute=5)
    services.limits.down = True
    async with client_of(services) as client:
        problem(await client.post("/v1/chat", json=ASK), 503)
        problem(await client.delete("/v1/documents/d1"), 503)
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_the_day_s_tokens_are_counted_and_then_refused(stream: bool) -> None:
    services = fake_services(daily_tokens=1000, llm_url="http://127.0.0.1:1/v1", llm_model="m")
    headers = await key(services, "ask")
    async with client_of(services) as client:
        for _ in range(2):
            assert (await client.post("/v1/chat", json={**ASK, "stream": stream}, headers=headers)).status_code == 200
        refused = await client.post("/v1/chat", json={**ASK, "stream": stream}, headers=headers)
        problem(refused, 429)
        assert refused.headers["retry-after"] == "3600"
        assert (await client.post("/v1/search", json={"query": "tax"}, headers=headers)).status_code == 200
    assert services.limits.tokens == {"key:k0": 1606}


@pytest.mark.parametrize(("url", "charged"), [("http://127.0.0.1:1/v1", True), (None, False)])
async def test_a_client_that_leaves_is_charged_by_the_text_if_a_model_wrote_it(url: str | None, charged: bool) -> None:
    from chatbot.domain import Question
    from chatbot.storage.limits import Subject
    from chatbot.web.auth.budget import Budget, _settling

    services = fake_services(daily_tokens=1000, llm_url=url, llm_model="m")
    budget = Budget(services, [Subject("key:k0")])
    for events_taken in (2, 1):
        events = budget.counted(FakeAnswerer().stream(Question("Who?", "en")))
        for _ in range(events_taken):
            await anext(events)
        await events.aclose()
        for task in [*_settling]:
            await task
    assert (services.limits.tokens["key:k0"] > 0) == charged


async def test_a_model_that_failed_at_once_costs_nothing() -> None:
    services = fake_services(
        FakeAnswerer(error=RuntimeError()), daily_tokens=9, llm_url="http://127.0.0.1:1", llm_model="m"
    )
    async with client_of(services) as client:
        assert (await client.post("/v1/chat", json=ASK)).status_code == 500
    assert not any(services.limits.tokens.values())


# What browsers are told -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/healthz", "/nowhere", "/v1/documents", "/v1/jobs/none", "/openapi.json"])
async def test_every_answer_carries_the_security_headers(client: httpx2.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers.get_list("content-security-policy")[0].count("frame-ancestors 'none'") == 1
    assert (headers.get("cache-control") == "no-store") == path.startswith("/v1/")


async def test_a_fault_carries_them_too() -> None:
    async with client_of(fake_services(FakeAnswerer(error=RuntimeError()))) as client:
        response = await client.post("/v1/chat", json=ASK)
    assert (response.status_code, response.headers["x-content-type-options"]) == (500, "nosniff")


PREFLIGHT = {"Origin": "https://www.example.org", "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize(
    ("origins", "allowed", "credentials"),
    [("", None, None), ("*", "*", None), ("https://www.example.org", "https://www.example.org", "true")],
)
async def test_other_sites_are_let_in_by_name_only(origins: str, allowed: str | None, credentials: str | None) -> None:
    async with client_of(fake_services(cors_origins=origins)) as client:
        for headers in (
            (await client.options("/v1/chat", headers=PREFLIGHT)).headers,
            (await client.post("/v1/chat", json=ASK, headers={"Origin": PREFLIGHT["Origin"]})).headers,
        ):
            assert headers.get("access-control-allow-origin") == allowed
            assert headers.get("access-control-allow-credentials") == credentials
        other = await client.post("/v1/chat", json=ASK, headers={"Origin": "https://evil.example"})
        assert other.headers.get("access-control-allow-origin") == ("*" if origins == "*" else None)


# Input ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [500, 100_000])
async def test_deeply_nested_json_is_a_clients_mistake(client: httpx2.AsyncClient, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    body = f'{{"question": "Why?", "filters": {{"a": {nested}}}}}'
    response = await client.post("/v1/chat", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422)
    response = await client.post("/v1/documents", files=FILE, data={"metadata": f'{{"a": {nested}}}'})
    assert response.status_code in (400, 422)


async def test_half_of_a_surrogate_pair_is_a_clients_mistake(client: httpx2.AsyncClient) -> None:
    body = '{"question": "Why \\ud800?", "filters": {"a": ["\\udfff"]}}'
    response = await client.post("/v1/chat", content=body, headers={"Content-Type": "application/json"})
    problem(response, 422)


@pytest.mark.usefixtures("_logging_restored")
async def test_neither_keys_nor_tokens_nor_addresses_reach_logs_errors_or_metrics(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("DEBUG")
    services = fake_services(rate_limit_per_minute=3, trusted_proxies=1)
    object.__setattr__(services, "issuer", FakeIssuer())
    good = await key(services, "ask")
    texts = []
    async with client_of(services) as client:
        for given in (
            good,
            {"Authorization": f"Bearer {CANARY}.{CANARY}.{CANARY}"},
            {"X-API-Key": f"cb_{CANARY}"},
            {"Authorization": f"Bearer {CANARY}"},
            {"Cookie": f"visitor={CANARY:A<24}"},
        ):
            headers = {**given, "X-Forwarded-For": f"{CANARY}, 203.0.113.77"}
            for _ in range(4):
                texts.append((await client.post("/v1/chat", json=ASK, headers=headers)).text)
            texts.append((await client.post("/v1/documents", files=FILE, headers=headers)).text)
        texts.append((await client.get("/metrics")).text)
    captured = capsys.readouterr()
    for text in (captured.out, captured.err, *texts):
        assert CANARY not in text
        assert good["Authorization"].split()[1] not in text
        assert "203.0.113" not in text
