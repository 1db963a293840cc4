"""The list of documents and what readers say, in PostgreSQL, over HTTP and on the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from chatbot.bootstrap import Services, bootstrap
from chatbot.domain import Answer, Feedback, JobRequest, Message, Scope
from chatbot.settings import Settings
from chatbot.storage.database import Database
from chatbot.storage.documents import Documents, NewVersion
from tests.processes import chatbot, until
from tests.unit.fakes import client_of

pytestmark = pytest.mark.slow

ROE, DOE = "Roe, J.", "Doe, A."
DOCUMENTS: dict[str, dict[str, Any]] = {
    "roofs.pdf": {"year": 2023, "authors": [ROE, DOE], "type": "ARTICLE", "licence": "CC-BY"},
    "walls.pdf": {"year": "2024", "author": ROE, "license": "CC-BY"},
    "100%.md": {},
}


@pytest.fixture
async def services(settings: Settings, database: Database) -> AsyncIterator[Services]:
    services = bootstrap(settings)
    documents = Documents(database)
    for source, metadata in DOCUMENTS.items():
        kind = "application/pdf" if source.endswith("pdf") else "text/markdown"
        await documents.accept(source, NewVersion(f"On {source}", kind, metadata, source.encode()), None)
    yield services
    await services.aclose()


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(services) as client:
        yield client


async def key(services: Services, *scopes: Scope) -> dict[str, str]:
    _, secret = await services.keys.create("test", frozenset(scopes))
    return {"X-API-Key": secret}


@pytest.mark.parametrize(
    ("query", "sources"),
    [
        ("", ["100%.md", "walls.pdf", "roofs.pdf"]),
        ("year=2023", ["roofs.pdf"]),
        ("year=2023&year=2024", ["walls.pdf", "roofs.pdf"]),
        ("author=Roe, J.", ["walls.pdf", "roofs.pdf"]),
        ("author=Roe, J.&year=2024", ["walls.pdf"]),
        ("author=Doe, A.&year=2024", []),
        ("licence=CC-BY", ["walls.pdf", "roofs.pdf"]),
        ("type=ARTICLE", ["roofs.pdf"]),
        ("format=text/markdown", ["100%.md"]),
        ("language=fr", []),
        ("q=ON ROOFS", ["roofs.pdf"]),
        ("q=0%25", ["100%.md"]),
        ("q=_", []),
    ],
)
async def test_documents_are_found_by_what_is_known_of_them(
    client: httpx2.AsyncClient, query: str, sources: list[str]
) -> None:
    found = (await client.get(f"/v1/catalogue?{query}")).json()
    assert [each["source"] for each in found["documents"]] == sources
    assert found["count"] == len(sources)


async def test_the_facets_count_and_the_pages_follow_each_other(client: httpx2.AsyncClient) -> None:
    first = (await client.get("/v1/catalogue?limit=2")).json()
    assert first["count"] == 3
    assert first["facets"] == {
        "year": {"2023": 1, "2024": 1},
        "author": {ROE: 2, DOE: 1},
        "type": {"ARTICLE": 1},
        "licence": {"CC-BY": 2},
        "language": {"en": 3},
        "format": {"application/pdf": 2, "text/markdown": 1},
    }
    rest = (await client.get(f"/v1/catalogue?limit=2&after={first['next']}")).json()
    assert [each["source"] for each in rest["documents"]] == ["roofs.pdf"]
    assert rest["next"] is None


async def test_the_command_line_lists_the_same(services: Services, environ: dict[str, str]) -> None:
    with chatbot("documents", "list", "--author", ROE, "--year", "2024", "--json", environ=environ) as listing:
        until(lambda: listing.code == 0)
        assert [each["source"] for each in json.loads("\n".join(listing.output()))] == ["walls.pdf"]


async def test_the_operator_reads_ratings_and_of_those_who_agree_what_found_no_answer(
    client: httpx2.AsyncClient, services: Services, environ: dict[str, str]
) -> None:
    nothing = Answer("The documents hold no answer.", [], False, "en", "extractive")
    for number, caller in enumerate(("visitor:alice", "visitor:bob", "visitor:bob")):
        message = Message(f"m{number}", f"Who pays {caller[8:]}?", nothing)
        await services.conversations.keep(caller, f"k{number}", message, title="Who pays?")
    await services.conversations.rate("m0", "visitor:alice", Feedback("down", "Too old"))
    await services.personal.agree("visitor:bob", True)
    headers = await key(services, "admin")
    rated = await client.get("/v1/feedback?rating=down", headers=headers)
    [review] = rated.json()["feedback"]
    assert (review["question"], review["comment"], review["rating"]) == ("Who pays alice?", "Too old", "down")
    assert "visitor" not in rated.text
    assert (await client.get("/v1/feedback?rating=up", headers=headers)).json()["feedback"] == []
    [asked] = (await client.get("/v1/unanswered", headers=headers)).json()["questions"]
    assert (asked["question"], asked["times"]) == ("Who pays bob?", 2)

    for options, said in ((["--rating", "down"], "Too old"), (["--unanswered"], "Who pays bob?")):
        with chatbot("feedback", *options, environ=environ) as shown:
            until(lambda shown=shown: shown.code == 0)
            assert said in "\n".join(shown.output())


async def test_only_admin_looks_after_jobs_ratings_and_keys(client: httpx2.AsyncClient, services: Services) -> None:
    for path in ("jobs", "feedback", "unanswered", "keys"):
        assert (await client.get(f"/v1/{path}", headers=await key(services, "ask", "ingest"))).status_code == 403
        assert (await client.get(f"/v1/{path}", headers=await key(services, "admin"))).status_code == 200


async def test_a_key_is_made_shown_once_and_revoked_and_gives_no_more_than_its_maker_has(
    client: httpx2.AsyncClient, services: Services
) -> None:
    headers = await key(services, "admin", "ask")
    more = await client.post("/v1/keys", json={"name": "more", "scopes": ["ingest"]}, headers=headers)
    assert more.status_code == 403
    made = (await client.post("/v1/keys", json={"name": "intranet"}, headers=headers)).json()
    assert (made["key"]["name"], made["key"]["scopes"]) == ("intranet", ["ask"])
    own = {"X-API-Key": made["secret"]}
    assert (await client.get("/v1/me", headers=own)).json() == {"scopes": ["ask"]}
    assert made["secret"] not in (await client.get("/v1/keys", headers=headers)).text
    assert (await client.delete(f"/v1/keys/{made['key']['id']}", headers=headers)).status_code == 204
    assert (await client.get("/v1/me", headers=own)).status_code == 401
    assert (await client.delete(f"/v1/keys/{made['key']['id']}", headers=headers)).status_code == 404


async def test_a_failed_job_is_given_new_attempts(client: httpx2.AsyncClient, services: Services) -> None:
    headers = await key(services, "admin")
    job = await services.jobs.create(JobRequest("ingest", begun=True), None)
    await services.jobs.fail(job.claim, "It is broken.")
    [found] = (await client.get("/v1/jobs?state=failed", headers=headers)).json()["jobs"]
    assert (found["id"], found["error"]) == (job.id, "It is broken.")
    for status in (204, 404):
        assert (await client.post(f"/v1/jobs/{job.id}/requeue", headers=headers)).status_code == status
