"""Where a citation leads: the passage in its document, and the original on the web."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx2
import pytest

from chatbot.bootstrap import Services
from chatbot.domain import Chunk, Document
from chatbot.web.api import addresses
from tests.unit.fakes import client_of, fake_services
from tests.unit.test_web_conversations import refused

pytestmark = pytest.mark.slow

SEVEN = [Chunk(f"c{n}", "d1", n, f"Text {n}.", "Results", n // 2 + 1, "en") for n in range(7)]


@pytest.fixture
def services() -> Services:
    services = fake_services()
    services.documents.rows["d1"] = Document("d1", "carbon.pdf", "Carbon pricing", "application/pdf", "en", {}, "f")
    services.documents.held["d1"] = SEVEN
    return services


@pytest.mark.parametrize(
    ("query", "positions", "next"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6], None),
        ("limit=3", [0, 1, 2], 3),
        ("limit=3&start=3", [3, 4, 5], 6),
        ("limit=3&start=4", [4, 5, 6], None),
        ("start=99", [], None),
        ("limit=3&around=c3", [2, 3, 4], 5),
        ("limit=3&around=c0", [0, 1, 2], 3),
        ("limit=5&around=c6", [4, 5, 6], None),
    ],
)
async def test_a_document_is_read_in_stretches(
    client: httpx2.AsyncClient, query: str, positions: list[int], next: int | None
) -> None:
    response = await client.get(f"/v1/documents/d1/passages?{query}")
    assert response.status_code == 200
    body = response.json()
    assert (body["document"]["title"], body["document"]["source"]) == ("Carbon pricing", "carbon.pdf")
    assert [each["position"] for each in body["passages"]] == positions
    assert body["next"] == next


async def test_a_passage_has_its_place_and_its_text(client: httpx2.AsyncClient) -> None:
    [passage] = (await client.get("/v1/documents/d1/passages?around=c3&limit=1")).json()["passages"]
    assert passage == {"chunk_id": "c3", "position": 3, "page": 2, "heading": "Results", "text": "Text 3."}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("d2/passages", 404),
        ("d1/passages?around=gone", 404),
        ("d1/passages?around=%00", 422),
        ("d1/passages?start=-1", 422),
        ("d1/passages?start=2147483648", 422),
        ("d1/passages?limit=201", 422),
    ],
)
async def test_what_is_not_there_is_refused(client: httpx2.AsyncClient, path: str, status: int) -> None:
    refused(await client.get(f"/v1/documents/{path}"), status)


async def test_who_may_not_ask_may_not_read() -> None:
    async with client_of(fake_services(anonymous_scopes="none")) as client:
        refused(await client.get("/v1/documents/d1/passages"), 401)


@pytest.mark.parametrize(
    ("source", "page", "quote", "url"),
    [
        ("report.pdf", 3, "It rains.", None),
        ("javascript:alert(1)//https://a.org", None, "It rains.", None),
        ("https://a.org/r.pdf", 3, "It rains.", "https://a.org/r.pdf#page=3"),
        ("https://a.org/r.pdf#top", 3, "It rains.", "https://a.org/r.pdf#page=3"),
        ("https://a.org/", None, "", "https://a.org/"),
        ("https://a.org/", None, "It rains.", "https://a.org/#:~:text=It%20rains."),
        ("https://a.org/#top", None, "Low-cost, & dry", "https://a.org/#top:~:text=Low%2Dcost%2C%20%26%20dry"),
        ("https://a.org/", None, "a b c d e f g h i", "https://a.org/#:~:text=a%20b%20c%20d,f%20g%20h%20i"),
    ],
)
def test_the_original_opens_at_the_page_or_at_the_words(source: str, page: Any, quote: str, url: str | None) -> None:
    assert addresses.original(source, page, quote) == url


async def test_an_original_is_a_file_to_save_whatever_it_is(services: Services, client: httpx2.AsyncClient) -> None:
    services.documents.originals["d1"] = b"<script>alert(1)</script>"
    services.documents.rows["d1"] = replace(services.documents.rows["d1"], source='papers/été "x"\r\n.html')
    response = await client.get("/v1/documents/d1/original")
    assert (response.status_code, response.content) == (200, b"<script>alert(1)</script>")
    headers = response.headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%A9t%C3%A9%20%22x%22%0D%0A.html"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert "no-store" in headers["cache-control"]


async def test_no_original_is_not_found(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/v1/documents/d1/original")).status_code == 404
    assert (await client.get("/v1/documents/d2/original")).status_code == 404
