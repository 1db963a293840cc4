"""HAL's pages become documents: every record once, whatever the archive's moods."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chatbot.domain import Unavailable
from chatbot.ingestion.hal import harvest, record

pytestmark = pytest.mark.slow

FIELDS = {
    "halId_s": "hal-00000001",
    "title_s": ["Rain on slate roofs"],
    "abstract_s": ["Slate sheds water.", "L'ardoise évacue l'eau."],
    "authFullName_s": ["Ada Stone", "Luc Pluie"],
    "producedDate_tdate": "2021-05-03",
    "docType_s": "ART",
    "uri_s": "https://hal.example/hal-00000001",
    "labStructAcronym_s": ["ROOF"],
}


class Archive(ThreadingHTTPServer):
    """Two pages of one record each; the first `failures` requests are answered with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.failures, self.requests = 503, 0, list[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/search/"


class Handler(BaseHTTPRequestHandler):
    server: Archive

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if len(self.server.requests) <= self.server.failures:
            self.send_response(self.server.status)
            self.end_headers()
            return
        following = {"*": "second", "second": "end", "end": "end"}
        cursor = parse_qs(urlsplit(self.path).query)["cursorMark"][0]
        docs = [] if cursor == "end" else [{**FIELDS, "halId_s": f"hal-{cursor}"}]
        body = json.dumps({"response": {"numFound": 2, "docs": docs}, "nextCursorMark": following[cursor]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def archive() -> Iterator[Archive]:
    with Archive() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def names(archive: Archive) -> list[str]:
    return [each.name async for each in harvest(archive.url, "ROOF", pause=0.01)]


async def test_every_page_is_read_once(archive: Archive) -> None:
    assert await names(archive) == ["hal-*.md", "hal-second.md"]
    assert all(path.startswith("/search/ROOF/?") and "sort=docid+asc" in path for path in archive.requests)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_archive_is_asked_again(archive: Archive, status: int) -> None:
    archive.status, archive.failures = status, 2
    assert len(await names(archive)) == 2


async def test_an_archive_that_stays_down_is_given_up(archive: Archive) -> None:
    archive.failures = 1000
    with pytest.raises(Unavailable, match="HAL"):
        await names(archive)
    assert len(archive.requests) == 5


async def test_an_unknown_collection_is_not_asked_for_again(archive: Archive) -> None:
    archive.status, archive.failures = 404, 1000
    with pytest.raises(Unavailable, match="404"):
        await names(archive)
    assert len(archive.requests) == 1


def test_a_record_is_a_markdown_document_with_metadata() -> None:
    made = record(FIELDS, "ROOF")
    assert made.source == "https://hal.example/hal-00000001"
    assert made.text.splitlines()[::2] == ["# Rain on slate roofs", "Slate sheds water.", "L'ardoise évacue l'eau."]
    assert made.metadata == {
        "collection": "ROOF",
        "type": "ART",
        "year": 2021,
        "authors": ["Ada Stone", "Luc Pluie"],
        "laboratories": ["ROOF"],
    }


def test_journal_and_doi_are_kept() -> None:
    made = record({**FIELDS, "journalTitle_s": "Roofs", "doiId_s": "10.1000/1"}, "ROOF")
    assert (made.metadata["journal"], made.metadata["doi"]) == ("Roofs", "10.1000/1")


def test_a_record_without_an_abstract_is_a_document_with_title_authors_and_year() -> None:
    made = record({**FIELDS, "abstract_s": [" "]}, "ROOF")
    assert made.text == "# Rain on slate roofs\n\nAda Stone, Luc Pluie. Rain on slate roofs. 2021.\n"
    made = record({"halId_s": "hal-2", "title_s": ["Only a title"]}, "ROOF")
    assert made.text == "# Only a title\n\nOnly a title\n"
    assert made.source == "https://hal.science/hal-2"
    assert made.metadata == {"collection": "ROOF", "type": "UNDEFINED"}
