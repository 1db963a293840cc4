"""Harvests of archives that are ill, change their records, take them back, and keep full texts to themselves."""

from __future__ import annotations

import json
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chatbot.bootstrap import Services, bootstrap
from chatbot.domain import ChatbotError, Unavailable
from chatbot.ingestion.records import Record, plain
from chatbot.pipelines import harvest
from chatbot.pipelines.pipeline import alone, pipeline, run
from chatbot.settings import Settings
from chatbot.storage.database import Database
from chatbot.storage.documents import document_id
from tests.archives import CIRED, S3, Hal, Oai, publication, serving
from tests.conftest import TABLES
from tests.unit.pdfs import document, lines

pytestmark = pytest.mark.slow
CC = "http://creativecommons.org/licenses/by/4.0/"
LATER = {"modifiedDate_tdate": "2025-01-01T00:00:00Z"}
PAPERS = CIRED.parents[1] / "pdfs"
Once = Callable[..., Awaitable[dict[str, Any]]]


class Killed(Exception):
    """Stands for the death of the process, in the midst of a step."""


@pytest.fixture
def archive() -> Iterator[Hal]:
    with serving(Hal()) as server:
        yield server


@pytest.fixture
async def services(
    archive: Hal, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Services]:
    ports = f"{archive.server_port}"
    for module in ("pipelines.harvest.POLITE", "ingestion.hal.PAUSE", "ingestion.oai.PAUSE"):
        monkeypatch.setattr(f"chatbot.{module}", 0.01)
    changes = {"hal_url": f"{archive.url}/search/", "fetch_ports": ports, "fetch_allowed_hosts": "127.0.0.1"}
    services = bootstrap(settings.model_copy(update=changes))
    yield services
    await services.aclose()


@pytest.fixture
def once(services: Services) -> Once:
    """Harvests, and gives the figures."""

    async def once(corpus: str = "hal:ROOF", die_at: int = 0, **settings: Any) -> dict[str, Any]:
        seen, using = 0, replace(services, settings=services.settings.model_copy(update=settings))

        async def watch(what: str, fraction: float) -> None:
            nonlocal seen
            seen += fraction > 0
            if die_at and seen == die_at:
                raise Killed

        return await run(using, pipeline("harvest"), {"corpus": corpus}, watch)

    return once


async def texts(services: Services) -> dict[str, str]:
    """What is found, by source."""
    found = await services.documents.list(1000)
    return {each.source: " ".join(c.text for c in await services.documents.chunks(each.id)) for each in found}


async def text_of(services: Services, number: int) -> str:
    chunks = await services.documents.chunks(document_id(f"https://hal.example/hal-{number:04}"))
    return " ".join(chunk.text for chunk in chunks)


async def rows(database: Database) -> dict[str, str]:
    """Of each table, what changes with every write: where its rows lie, and who wrote them."""
    found = {}
    for table in TABLES:
        told = "md5(coalesce(string_agg(each.ctid::text || each.xmin::text, ',' ORDER BY each.ctid), ''))"
        row = await database.row(f"SELECT {told} AS digest FROM {table} AS each")
        assert row
        found[table] = row["digest"]
    return {table: digest for table, digest in found.items() if table != "pipeline_runs"}


async def problems(database: Database) -> list[dict[str, Any]]:
    return await database.rows("SELECT problem, try_again_at FROM harvested ORDER BY source")


async def test_a_harvest_survives_faults_and_a_second_one_writes_nothing(
    archive: Hal, once: Once, services: Services, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All real records where they are, else as many as it takes to come by each kind."""
    real = json.loads(CIRED.read_text("utf-8"))["response"]["docs"] if CIRED.exists() else []
    archive.rows = 25 if real else 3
    for fields in real or [publication(n, **({"abstract_s": None} if n == 4 else {})) for n in range(10)]:
        archive.put({key: value for key, value in fields.items() if value is not None})
    archive.faults = ["429", "cut", "", "expired", "503", "", "cut", "500"]
    first = await once()
    assert (first["records read"], first["failed"]) == (len(archive.records), 0)
    assert first["new"] == len(archive.records) - first["other versions"]
    assert archive.faults == []
    found = await texts(services)
    assert len(found) == first["new"]
    for fields in (each for each in archive.records.values() if each["uri_s"] in found):
        text = plain(found[fields["uri_s"]])
        assert plain(fields["title_s"][0]) in text  # those without an abstract, too
        assert plain(fields["authFullName_s"][0]) in text

    def none(*_: Any) -> None:
        raise AssertionError("nothing is new, so there is nothing to embed")

    monkeypatch.setattr(services.index._embedder, "embed_passages", none)
    before = await rows(database)
    second = await once()
    assert {second[each] for each in ("records changed", "new", "changed", "unchanged", "removed")} == {0}
    assert await rows(database) == before


async def test_changes_follow_and_what_is_gone_goes_after_three_harvests(
    archive: Hal, once: Once, services: Services
) -> None:
    for number in range(3):
        archive.put(publication(number))
    await once()
    archive.put(publication(1, abstract_s=["Zinc came later."], **LATER))
    gone = archive.records.pop("hal-0002")
    assert [(await once())["removed"] for _ in range(2)] == [0, 0]
    assert "village 2" in await text_of(services, 2)
    assert (await once())["removed"] == 1
    assert "Zinc" in await text_of(services, 1)
    assert await text_of(services, 2) == ""
    archive.put(gone)  # with the date that it had: only the list of all records tells
    assert (await once())["new"] == 1
    assert "village 2" in await text_of(services, 2)


async def test_a_full_text_is_taken_where_licence_and_embargo_allow_it(
    archive: Hal, once: Once, services: Services, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the real papers where they are; one is refused, one under embargo, one not licensed, one busy at first."""
    whole = document([lines(["The whole paper about kestrels."])])
    papers = [each.read_bytes() for each in sorted(PAPERS.glob("*.pdf"))] or [whole] * 3
    for number, content in enumerate([whole, *papers]):
        archive.put(publication(number, fileMain_s=archive.keep(f"/{number}.pdf", content), licence_s=CC))
    refused, embargoed, unlicensed, busy, last = range(100, 105)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    archive.put(publication(refused, fileMain_s=archive.keep("/no.pdf", b"", 403), licence_s=CC))
    archive.put(publication(embargoed, fileMain_s=f"{archive.url}/0.pdf", licence_s=[CC], releasedDate_tdate=tomorrow))
    archive.put(publication(unlicensed, fileMain_s=f"{archive.url}/0.pdf"))
    url = archive.keep("/busy.pdf", b"", 503, Retry_After="1")
    archive.put(publication(busy, fileMain_s=url, licence_s=CC))
    archive.put(publication(last, fileMain_s=archive.keep("/page.html", b"<p>Log in"), licence_s=CC))
    figures = await once()
    assert (figures["full texts"], figures["failed"]) == (1 + len(papers), 0)
    assert "kestrels" in await text_of(services, 0)
    for number in (refused, embargoed, unlicensed, busy, last):
        assert f"Slate number {number}" in await text_of(services, number)
    found = (await problems(database))[-5:]
    assert [bool(row["try_again_at"]) for row in found] == [True, True, False, True, True]
    for said, row in zip(("403", "embargo", "licence", "503", "no PDF"), found, strict=True):
        assert said in row["problem"]
    assert archive.requests.count("/busy.pdf") == 2  # after the pause that it asked for

    assert (await once())["full texts"] == 0  # not yet
    archive.keep("/busy.pdf", whole)
    archive.keep("/no.pdf", whole)
    await database.rows("UPDATE harvested SET try_again_at = now() WHERE try_again_at IS NOT NULL")
    archive.put(publication(0, fileMain_s=f"{archive.url}/0.pdf", licence_s="", **LATER))
    figures = await once()
    assert figures["full texts"] == 2
    assert "kestrels" in await text_of(services, busy)
    assert "kestrels" not in await text_of(services, 0)  # the licence was withdrawn
    assert "embargo" in (await problems(database))[-4]["problem"]


def record(source: str, title: str, kind: str = "ART", **metadata: Any) -> Record:
    known = {"authors": ["Ada Stone"], "type": kind, **metadata}
    return Record(source, "x.md", title, known, title, is_published=kind in ("ART", "COUV"))


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
            record("g", "The first chapter of a book", "COUV", doi="10.1/book"),
            record("h", "The second chapter of a book", "COUV", doi="10.1/book"),
        ]
    )
    same = {"a": "c", "d": "b"}
    assert chosen == {source: same.get(source) for source in "abcdefgh"}


async def test_when_the_published_version_goes_the_other_comes_back(
    archive: Hal, once: Once, services: Services
) -> None:
    archive.put(publication(0, doiId_s="10.1/x"))
    archive.put(publication(1, doiId_s=["10.1/X"], docType_s="UNDEFINED"))
    figures = await once()
    assert (figures["new"], figures["other versions"]) == (1, 1)
    del archive.records["hal-0000"]
    for _ in range(3):
        await once()
    assert [*await texts(services)] == ["https://hal.example/hal-0001"]


@pytest.mark.parametrize("seed", range(int(os.environ.get("HISTORIES", "2"))))
async def test_after_any_history_the_bot_holds_what_the_archive_holds(
    archive: Hal, once: Once, services: Services, seed: int
) -> None:
    """Records are added, changed, hidden, shown and doubled; the archive is ill, and the harvest dies in its midst."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    hidden: dict[str, dict[str, Any]] = {}
    known: dict[str, tuple[dict[str, Any], int]] = {}
    clock = 0

    def change() -> None:
        nonlocal clock
        clock += 1
        stamp = {"modifiedDate_tdate": f"2024-01-{1 + clock // 24:02}T{clock % 24:02}:00:00Z"}
        number = dice.randrange(6)
        id = f"hal-{number:04}"
        match dice.choice(["write", "write", "hide", "show", "double"]):
            case "hide" if len(archive.records) > 1 and id in archive.records:
                hidden[id] = archive.records.pop(id)
            case "show" if id in hidden:
                archive.put(hidden.pop(id))
            case "double" if id not in hidden:
                twin = {"doiId_s": f"10.1/{number // 2}", "docType_s": dice.choice(["ART", "UNDEFINED"])}
                archive.put(publication(number, abstract_s=f"Thatch in {clock}.", **twin, **stamp))
            case "write" if id not in hidden:
                archive.put(publication(number, abstract_s=[f"Thatch in {clock}."], **stamp))

    async def harvested() -> None:
        archive.faults = [dice.choice(["", "", "429", "cut", "503", "expired"]) for _ in range(4)]
        try:
            await once(die_at=dice.choice([0, 0, 1, 2]))
        except Killed:
            await once()
            count()
        count()

    def count() -> None:
        for source, (fields, missed) in [*known.items()]:
            if source not in archive.records:
                known[source] = fields, missed + 1
                if missed == 2:
                    del known[source]
        known.update({source: (fields, 0) for source, fields in archive.records.items()})

    archive.put(publication(0))
    for _ in range(8):
        for _ in range(dice.randrange(5)):
            change()
        await harvested()
        found = await texts(services)
        expected = answered([fields for fields, _ in known.values()])
        assert found.keys() == expected.keys()
        for source, abstract in expected.items():
            assert abstract in found[source]


def answered(records: list[dict[str, Any]]) -> dict[str, str]:
    """By source, the abstract: of those with one DOI the published one, then the longest, then the first."""
    chosen: dict[str, dict[str, Any]] = {}

    def rank(fields: dict[str, Any]) -> tuple[bool, int, str]:
        return fields["docType_s"] != "ART", -len(harvested_text(fields)), fields["uri_s"]

    for fields in sorted(records, key=rank):
        chosen.setdefault(fields.get("doiId_s", fields["halId_s"]), fields)
    return {fields["uri_s"]: harvested_text(fields) for fields in chosen.values()}


def harvested_text(fields: dict[str, Any]) -> str:
    abstract = fields["abstract_s"]
    return abstract if isinstance(abstract, str) else str(abstract[0])


async def test_an_archive_that_lists_nothing_is_not_believed(archive: Hal, once: Once, services: Services) -> None:
    with pytest.raises(ChatbotError, match="check its name"):
        await once()
    archive.put(publication(0))
    await once()
    archive.records.clear()
    with pytest.raises(Unavailable, match="not believed"):
        await once()
    with pytest.raises(Unavailable, match="name"):
        await once("hal:NOSUCH")
    for _ in range(5):
        archive.faults += ["503"]
    with pytest.raises(Unavailable, match="HAL"):
        await once()
    with pytest.raises(ChatbotError, match="names no archive"):
        await once("ftp:roofs")
    assert len(await texts(services)) == 1


async def test_an_oai_repository(services: Services, once: Once, database: Database) -> None:
    about = {"title": ["On slate"], "creator": ["Stone, Ada"], "date": ["2021-05-03"], "type": ["article"]}
    with serving(Oai()) as repository:
        corpus = f"oai:{repository.url}/oai#roofs"
        for number in range(7):
            repository.records[f"oai:x:{number}"] = "2024-01-01", {**about, "description": [f"Slate number {number}."]}
        repository.faults = ["503", "", "expired", "cut"]
        first = await once(corpus)
        assert (first["records read"], first["new"], first["failed"]) == (7, 7, 0)
        assert repository.faults == []
        before = await rows(database)
        assert (await once(corpus))["records changed"] == 0
        assert await rows(database) == before
        repository.records["oai:x:1"] = "2024-02-01", {**about, "description": ["Zinc came later."]}
        repository.records["oai:x:2"] = "2024-02-01", None
        figures = await once(corpus)
        assert (figures["changed"], figures["removed"]) == (1, 1)
        found = await texts(services)
        assert "Zinc" in found["oai:x:1"]
        assert "oai:x:2" not in found
        before = await rows(database)
        assert (await once(corpus))["removed"] == 0
        assert await rows(database) == before
    with pytest.raises(Unavailable):
        await once(corpus)


async def test_pages_of_a_sitemap_and_of_a_list(
    archive: Hal, once: Once, services: Services, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slate = archive.keep("/slate.html", b"<title>Slate</title><p>Slate roofs last.", Content_Type="text/html")
    zinc = archive.keep("/zinc", "# Zinc\n\nZinc roofs are light.".encode("utf-16"), Content_Type="text/markdown")
    gone = archive.keep("/gone.html", b"", 503)
    entries = "".join(f"<url><loc>{url}</loc><lastmod>2024-01-01</lastmod></url>" for url in (slate, zinc, gone))
    spaced = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    inner = archive.keep("/inner.xml", f"{spaced}{entries}</urlset>".encode())
    index = archive.keep("/index.xml", f"<sitemapindex><sitemap><loc>{inner}</loc></sitemap></sitemapindex>".encode())
    figures = await once(f"sitemap:{index}")
    assert (figures["new"], figures["failed"]) == (2, 1)  # one page that is ill holds up no other
    found = await texts(services)
    assert "Slate roofs last" in found[slate]
    assert "Zinc roofs are light" in found[zinc]
    asked = len(archive.requests)
    assert (await once(f"sitemap:{index}"))["records changed"] == 0
    assert len(archive.requests) == asked + 2  # the lists alone: their dates say that nothing has changed

    listed = folder / "urls.txt"
    listed.write_text(f"# pages\n{slate}\n\n{zinc}#part\n")
    monkeypatch.setattr("chatbot.pipelines.sources.home", lambda: folder)
    figures = await once("urls:urls.txt")
    assert (figures["new"], figures["failed"]) == (0, 0)  # they are there already
    assert (await once("urls:urls.txt"))["unchanged"] == 2
    archive.keep("/slate.html", b"<title>Slate</title><p>Slate roofs crack.", Content_Type="text/html")
    assert (await once("urls:urls.txt"))["changed"] == 1  # nobody says when, so it was looked at again
    assert "crack" in (await texts(services))[slate]
    with pytest.raises(ChatbotError, match="no such file"):
        await once("urls:none.txt")
    with pytest.raises(ChatbotError, match="503"):
        await once(f"sitemap:{gone}")


async def test_a_folder_and_a_bucket(
    once: Once, services: Services, database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatbot.pipelines.sources.home", lambda: folder)
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "word", "REGION": "eu-west-3"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    papers = folder / "papers"
    papers.mkdir()
    with serving(S3("library")) as store:
        for number in range(5):
            text = f"# Roof {number}\n\nSlate number {number}."
            (papers / f"{number}.md").write_text(text)
            store.objects[f"roofs/é {number}.md"] = "2026-01-01T00:00:00.000Z", text.replace("Slate", "Turf").encode()
        store.objects["roofs/picture.xyz"] = "2026-01-01T00:00:00.000Z", b""
        corpora = ("folder:papers", "s3://library/roofs")
        for corpus in corpora:
            assert (await once(corpus, s3_url=store.url))["new"] == 5
            before = await rows(database)
            assert (await once(corpus, s3_url=store.url))["records changed"] == 0
            assert await rows(database) == before
        (papers / "1.md").write_text("# Roof 1\n\nZinc.")
        (papers / "2.md").unlink()
        store.objects["roofs/é 1.md"] = "2026-01-02T00:00:00.000Z", b"# Roof 1\n\nZinc."
        del store.objects["roofs/é 2.md"]
        for corpus in corpora:
            figures = [await once(corpus, s3_url=store.url) for _ in range(3)]
            assert (figures[0]["changed"], figures[-1]["removed"]) == (1, 1)
        found = await texts(services)
        assert len(found) == 8
        assert "Zinc" in found["papers/1.md"]
        assert "Zinc" in found["s3://library/roofs/é 1.md"]
        with pytest.raises(ChatbotError, match="nothing"):
            await once("s3://library/none", s3_url=store.url)
        with pytest.raises(ChatbotError, match="The bucket other"):
            await once("s3://other/roofs", s3_url=store.url)
    with pytest.raises(Unavailable, match="S3_URL"):
        await once("s3://library/roofs", s3_url=store.url)
    with pytest.raises(ChatbotError, match="no such file or folder"):
        await once("folder:none")


async def test_a_first_ingestion_of_an_archive_is_its_harvest(archive: Hal, services: Services) -> None:
    """By `run ingest --if-empty`, as at each start: the manual, with which a bot begins, is no document then."""
    for number in range(3):
        archive.put(publication(number))
    await services.ingester.register("docs/index.md", "index.md", b"# Manual\n\nHow it works.\n")

    async def quiet(what: str, fraction: float) -> None: ...

    options = {"corpus": "hal:ROOF", "if_empty": True}
    async with alone(services, harvest.PIPELINE):
        with pytest.raises(ChatbotError, match="`run harvest` is running already"):
            await run(services, pipeline("ingest"), options, quiet)
    first = await run(services, pipeline("ingest"), options, quiet)
    assert (first["new"], first["manual removed"]) == (3, 1)
    assert len(await texts(services)) == 3
    archive.put(publication(3))
    assert await run(services, pipeline("ingest"), options, quiet) == {}
    again = await run(services, pipeline("ingest"), {**options, "if_empty": False}, quiet)
    assert (again["new"], again["records changed"]) == (1, 1)
