"""Harvests of an archive with faults, schedules, erasures after a restore, benchmarks, and the report's page."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chatbot.bootstrap import Services, bootstrap
from chatbot.domain import ChatbotError, InvalidConfiguration
from chatbot.ingestion.records import Record
from chatbot.jobs.starter import Starter
from chatbot.pipelines import comparison, harvest, thresholds
from chatbot.pipelines.benchmark import scores
from chatbot.pipelines.pipeline import pipeline, run
from chatbot.pipelines.report import themes
from chatbot.pipelines.report_page import page
from chatbot.schedules import latest, problem
from chatbot.settings import Settings, home
from chatbot.storage.database import Database
from chatbot.storage.documents import document_id
from chatbot.storage.pipeline_runs import PipelineRuns
from chatbot.storage.tombstones import Tombstones
from tests.processes import python
from tests.unit.pdfs import document, lines

CC = "http://creativecommons.org/licenses/by/4.0/"
ROWS = 3


def fields(number: int, **other: Any) -> dict[str, Any]:
    title = f"A study of the slate roofs of village {number}"
    common = {"halId_s": f"hal-{number:04}", "uri_s": f"https://hal.example/hal-{number:04}", "docType_s": "ART"}
    about = {"title_s": [title], "abstract_s": f"Slate number {number} sheds water.", "authFullName_s": ["Ada Stone"]}
    return {**common, **about, "producedDateY_i": 2020, "modifiedDate_tdate": "2024-01-01T00:00:00Z", **other}


class Archive(ThreadingHTTPServer):
    """Speaks HAL's protocol by pages of three; each fault of `faults` is met once, in turn, by the next requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.records: dict[str, dict[str, Any]] = {}
        self.faults: list[str] = []
        self.files: dict[str, tuple[int, bytes]] = {}

    def put(self, record: dict[str, Any]) -> None:
        self.records[record["halId_s"]] = record


class Handler(BaseHTTPRequestHandler):
    server: Archive

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if path.path in self.server.files:
            return self._say(*self.server.files[path.path])
        query = {key: values[0] for key, values in parse_qs(path.query).items()}
        fault = self.server.faults.pop(0) if self.server.faults else ""
        if fault == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"response"')
            return self.connection.close()
        if fault == "expired" and query["cursorMark"] != "*":
            return self._say(400, b"{}")
        if fault.isdigit():
            return self._say(int(fault), b"", {"Retry-After": "0"})
        since = query["fq"].partition("[")[2].partition(" ")[0] if "fq" in query else ""
        found = [each for _, each in sorted(self.server.records.items()) if each["modifiedDate_tdate"] >= since]
        start = 0 if query["cursorMark"] == "*" else int(query["cursorMark"])
        docs, following = found[start : start + ROWS], min(start + ROWS, len(found))
        body = {"response": {"numFound": len(found), "docs": docs}, "nextCursorMark": str(following)}
        self._say(200, json.dumps(body).encode())

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
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


@pytest.fixture
async def harvesting(archive: Archive, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Harvests the archive, and gives the figures."""
    await database.rows("TRUNCATE harvested, harvests, pipeline_runs")
    port = archive.server_port
    changes = {
        "hal_url": f"http://127.0.0.1:{port}/search/",
        "fetch_ports": str(port),
        "fetch_allowed_hosts": "127.0.0.1",
    }
    services = bootstrap(settings.model_copy(update=changes))
    monkeypatch.setattr(harvest, "POLITE", 0)
    monkeypatch.setattr("chatbot.ingestion.hal.PAUSE", 0.01)

    async def once() -> dict[str, Any]:
        return await run(services, pipeline("harvest"), {"corpus": "hal:ROOF"}, quiet)

    once.services = services  # type: ignore[attr-defined]
    yield once
    await services.aclose()


async def quiet(what: str, fraction: float) -> None: ...


async def text_of(services: Services, number: int) -> str:
    chunks = await services.documents.chunks(document_id(f"https://hal.example/hal-{number:04}"))
    return " ".join(chunk.text for chunk in chunks)


@pytest.mark.slow
async def test_a_harvest_survives_faults_and_a_second_one_changes_nothing(archive: Archive, harvesting: Any) -> None:
    for number in range(7):
        archive.put(fields(number) if number else {**fields(0), "abstract_s": None})
    archive.faults = ["429", "cut", "", "expired", "503"]
    first = await harvesting()
    assert (first["records read"], first["new"], first["failed"]) == (7, 7, 0)
    second = await harvesting()
    assert (second["records changed"], second["new"], second["changed"], second["removed"]) == (0, 0, 0, 0)
    assert "slate roofs of village 0" in await text_of(harvesting.services, 0)  # without an abstract, and found


@pytest.mark.slow
async def test_changes_follow_and_what_is_gone_goes_after_three_harvests(archive: Archive, harvesting: Any) -> None:
    for number in range(3):
        archive.put(fields(number))
    await harvesting()
    archive.put(fields(1, abstract_s=["Zinc came later."], modifiedDate_tdate="2025-01-01T00:00:00Z"))
    del archive.records["hal-0002"]
    removed = [(await harvesting())["removed"] for _ in range(3)]
    assert removed == [0, 0, 1]
    assert "Zinc" in await text_of(harvesting.services, 1)
    assert await text_of(harvesting.services, 2) == ""


@pytest.mark.slow
async def test_a_full_text_is_taken_where_licence_and_embargo_allow_it(archive: Archive, harvesting: Any) -> None:
    url = f"http://127.0.0.1:{archive.server_port}"
    archive.files = {"/0.pdf": (200, document([lines(["The whole paper about kestrels."])])), "/1.pdf": (403, b"")}
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    archive.put(fields(0, fileMain_s=f"{url}/0.pdf", licence_s=CC))
    archive.put(fields(1, fileMain_s=f"{url}/1.pdf", licence_s=CC))
    archive.put(fields(2, fileMain_s=f"{url}/0.pdf", licence_s=CC, releasedDate_tdate=tomorrow))
    archive.put(fields(3, fileMain_s=f"{url}/0.pdf"))
    assert (await harvesting())["full texts"] == 1
    services = harvesting.services
    rows = await services.database.rows("SELECT problem, try_again_at FROM harvested ORDER BY source")
    assert "kestrels" in await text_of(services, 0)
    assert [f"Slate number {n}" in await text_of(services, n) for n in (1, 2, 3)] == [True] * 3
    assert [bool(row["try_again_at"]) for row in rows] == [False, True, True, False]
    assert "403" in rows[1]["problem"]
    assert "embargo" in rows[2]["problem"]
    archive.put(fields(0, fileMain_s=f"{url}/0.pdf", licence_s="", modifiedDate_tdate="2025-01-01T00:00:00Z"))
    await harvesting()
    assert "kestrels" not in await text_of(services, 0)  # the licence was withdrawn


def record(source: str, title: str, kind: str = "ART", **metadata: Any) -> Record:
    return Record(source, "x.md", title, {"authors": ["Ada Stone"], **metadata}, title, is_published=kind == "ART")


def test_of_several_versions_the_published_one_is_answered_from() -> None:
    title = "Rain on the slate roofs of Europe"
    chosen = harvest.preferred(
        [
            record("a", title, "UNDEFINED"),
            record("b", "Something else entirely, and long", doi="10.1/x"),
            record("c", title.upper() + "!"),
            record("d", "Another title altogether, quite long", "UNDEFINED", doi="10.1/X"),
            record("e", "Introduction"),
            record("f", "Introduction"),
        ]
    )
    assert chosen == {"a": "c", "b": None, "c": None, "d": "b", "e": None, "f": None}


class Ended:
    returncode = 0

    async def communicate(self) -> tuple[bytes, bytes]:
        await asyncio.sleep(0)
        return b"", b""


async def test_two_schedulers_start_each_tick_once(database: Database) -> None:
    await database.rows("TRUNCATE schedule_ticks")
    started: list[str] = []

    async def start(name: str) -> Any:
        started.append(name)
        return Ended()

    both = [Starter(PipelineRuns(database), "report=*/5 * * * *", start) for _ in range(2)]
    now = datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)
    for minutes in (0, 1, 5, 6):
        await asyncio.gather(*[each.look(now + timedelta(minutes=minutes)) for each in both])
        await asyncio.sleep(0.05)
    assert started == ["report", "report"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("report=0 6 * * 1; purge=*/5 * * * *", None), ("dance=0 6 * * 1", "dance"), ("report=often", "report")],
)
def test_schedules_are_checked(text: str, expected: str | None) -> None:
    found = problem(text)
    assert (found is None) if expected is None else expected in (found or "")


def test_the_latest_tick_is_not_in_the_future() -> None:
    assert latest("0 6 * * *", datetime(2026, 1, 2, 6, 0, 0, tzinfo=UTC)) == datetime(2026, 1, 2, 6, tzinfo=UTC)
    assert latest("0 6 * * *", datetime(2026, 1, 2, 5, 59, 59, tzinfo=UTC)) == datetime(2026, 1, 1, 6, tzinfo=UTC)


async def test_who_was_erased_is_erased_again_after_a_restore(settings: Settings, database: Database) -> None:
    services = bootstrap(settings)
    restored = "INSERT INTO conversations (id, caller_id, title, created_at) VALUES (%(id)s, %(who)s, 't', %(at)s)"
    before, after = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(minutes=1)
    await services.personal.erase("visitor:1")
    saved = await Tombstones(database).lines()
    assert "visitor" not in "".join(saved)
    await database.rows("TRUNCATE erasures, conversations CASCADE")  # the backup knows nothing of it
    for id, who, at in (("a", "visitor:1", before), ("b", "visitor:1", after), ("c", "visitor:2", before)):
        await database.rows(restored, {"id": id, "who": who, "at": at})
    for expected in (1, 0):
        figures = await run(services, pipeline("purge"), {"tombstones": saved}, quiet)
        assert figures["erased again"] == expected
    left = await database.rows("SELECT id FROM conversations ORDER BY id")
    assert [row["id"] for row in left] == ["b", "c"]
    with pytest.raises(InvalidConfiguration, match="Line 1"):
        await Tombstones(database).add(["nonsense"])
    await services.aclose()


async def test_answers_of_dead_processes_are_forgotten_even_without_a_retention(
    settings: Settings, database: Database
) -> None:
    services = bootstrap(settings.model_copy(update={"conversation_retention_days": 0}))
    await database.rows("INSERT INTO open_answers VALUES ('m', 'visitor:1', now() - interval '1 h', now())")
    await run(services, pipeline("purge"), {}, quiet)
    assert await database.rows("SELECT * FROM open_answers") == []
    await services.aclose()


async def test_a_pipeline_that_runs_is_not_started_again(settings: Settings, database: Database) -> None:
    services = bootstrap(settings)
    async with PipelineRuns(database).alone("purge") as alone:
        assert alone
        with pytest.raises(ChatbotError, match="running already"):
            await run(services, pipeline("purge"), {}, quiet)
    await services.aclose()


def test_ranking_is_measured_as_trec_eval_does() -> None:
    found = scores({"q": ["a", "b", "c"], "r": []}, {"q": {"c": 1, "x": 1}, "r": {"z": 1}})
    assert found["q"]["R@10"] == 0.5
    assert found["q"]["RR@10"] == pytest.approx(1 / 3)
    assert found["q"]["nDCG@10"] == pytest.approx(0.5 / (1 + 1 / 1.5849625007))
    assert found["r"] == {"nDCG@10": 0, "R@10": 0, "RR@10": 0}


def test_thresholds() -> None:
    figures = {"right": 0.7, "seconds p99": 3.0, "refusal recall": None}
    assert thresholds.missed(["right>=0.7", "seconds_p99<=5"], figures) == []
    assert len(thresholds.missed(["right>=0.8", "refusal_recall>=0.5"], figures)) == 2
    with pytest.raises(InvalidConfiguration, match="charm"):
        thresholds.missed(["charm>=1"], figures)


def test_a_difference_that_may_be_chance_is_told_from_one_that_is_not() -> None:
    assert comparison._p_value([(1.0, 1.0)] * 20) == 1
    assert (comparison._p_value([(1.0, 0.0), (0.0, 1.0)] * 10) or 0) > 0.5
    assert (comparison._p_value([(1.0, 0.0)] * 20) or 1) < 0.01


def test_words_of_fewer_than_three_askers_are_not_shown() -> None:
    rows = [{"caller_id": who, "question": "What about slate"} for who in ("a", "b", "c", "c")]
    rows += [{"caller_id": who, "question": "Private matters of zinc"} for who in ("a", "a", "b")]
    assert [each["word"] for each in themes(rows)] == ["slate"]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_report_loads_nothing_and_shows_what_it_was_given(language: str) -> None:
    data = {
        "name": "<b>Bot</b>", "made": "2026-01-01", "days": 30,
        "questions": 1234, "unanswered": 1, "tokens": 5, "cost": 0.5,
        "by_day": [{"day": "2026-01-01", "questions": 3, "unanswered": 1}],
        "ratings": {"up": 2}, "cited": [], "asked": [],
        "themes": [{"word": "ardoise", "askers": 3}], "corpus": {"year": {"2020": 3}, "type": {"": 2}, "licence": {}},
        "benchmarks": [],
    }  # fmt: skip
    html = page(data, language)
    assert "<script" not in html
    assert "&lt;b&gt;Bot" in html
    assert "ardoise" in html
    assert html.count("<svg") == 5
    assert not [part for part in ("src=", "@import", "url(http") if part in html]


@pytest.mark.slow
@pytest.mark.parametrize("module", ["web.app", "jobs.worker", "jobs.scheduler", "cli.main", "pipelines.pipeline"])
def test_no_process_that_serves_imports_prefect(module: str) -> None:
    assert python(f"import sys, chatbot.{module}; print('prefect' in sys.modules)") == "False"


def test_only_the_flows_import_prefect() -> None:
    importing = [
        path.name
        for path in (home() / "src").rglob("*.py")
        if re.search(r"^\s*(from|import) prefect", path.read_text("utf-8"), re.M)
    ]
    assert set(importing) <= {"flows.py", "with_prefect.py"}
