"""Ingestion: what is unchanged costs nothing, what fails leaves things as they were, and nothing is found twice."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from chatbot.clients import embedder
from chatbot.clients.fetch import Fetcher, Page
from chatbot.domain import ChatbotError, Document, InvalidConfiguration, Unavailable, UnreadableDocument
from chatbot.ingestion import corpus
from chatbot.ingestion.ingest import Ingester
from chatbot.ingestion.rebuild import rebuild
from chatbot.ingestion.reconcile import GRACE, Found, Reconciler
from chatbot.ingestion.vector_index import VectorIndex
from chatbot.jobs import batch
from chatbot.storage.documents import document_id
from chatbot.storage.indexes import IndexRecord
from tests.unit import openai_server
from tests.unit.memory import (
    CountingEmbedder,
    MemoryDocuments,
    MemoryEmbeddings,
    MemoryIndexes,
    MemoryJobs,
    MemoryVectors,
    Tables,
    parse_here,
)

NOTE = b"# Rain\n\n## Roofs\n\nSlate sheds water quickly.\n\n## Roads\n\nTarmac holds water for an hour.\n"
CHANGED = NOTE.replace(b"for an hour", b"for a day")
RAIN = document_id("rain.md")


class FakeWeb(Fetcher):
    """What each URL holds."""

    def __init__(self) -> None:
        super().__init__(max_bytes=10_000, seconds=1)
        self.pages: dict[str, Page] = {}

    async def fetch(self, url: str) -> Page:
        return self.pages[url]


class World(SimpleNamespace):
    """The services that ingestion touches, in memory. `with_model` is another process, of another model."""

    def __init__(self, tables: Tables | None = None, model: str = "tiny", dimension: int = 2) -> None:
        tables = tables or Tables()
        stores = {"documents": MemoryDocuments, "indexes": MemoryIndexes, "embeddings": MemoryEmbeddings}
        stores |= {"jobs": MemoryJobs, "vectors": MemoryVectors}
        super().__init__(tables=tables, web=FakeWeb(), **{name: make(tables) for name, make in stores.items()})
        self.wire(CountingEmbedder(model, dimension, tables))

    def wire(self, embedder: CountingEmbedder) -> None:
        self.embedder = embedder
        self.index = VectorIndex(self.indexes, self.embeddings, self.vectors, embedder)
        self.ingester = Ingester(self.documents, self.index, 1000, 0, 10_000, parse_here, self.web)
        self.reconciler = Reconciler(self.documents, self.jobs, self.index, self.indexes, self.embeddings, self.vectors)

    def with_model(self, model: str, dimension: int) -> World:
        other = World(self.tables, model, dimension)
        other.vectors.indexes = self.vectors.indexes
        return other

    async def ingest(self, content: bytes, source: str = "rain.md", **metadata: object) -> bool:
        document, job = await self.ingester.register(source, Path(source).name, content, metadata)
        if job is None:
            return False
        begun = await self.jobs.start(job.id)
        await self.ingester.process(document.id, nothing, begun.claim)
        await self.jobs.succeed(begun.claim)
        return True

    async def rebuild(self) -> str:
        return await rebuild(self.index, self.indexes, self.embeddings, self.documents, self.vectors, lambda *_: None)

    async def found_by_meaning(self, **filters: list) -> list[str]:
        """The texts of the chunks that a search for meaning finds."""
        hits = await self.index.search([1.0] + [0.0] * (self.embedder.dimension - 1), 100, filters)
        return sorted(passage.chunk.text for passage in await self.documents.passages(hits))

    async def texts(self, source: str = "rain.md") -> list[str]:
        """The texts of the chunks that a search for words finds."""
        return sorted(chunk.text for chunk in await self.documents.chunks(document_id(source)))

    async def known(self, source: str = "rain.md") -> Document:
        found = await self.documents.find(source)
        assert found is not None
        return found

    def points(self, index: str = "tiny_2") -> dict:
        return self.vectors.indexes[index]


async def nothing(*_: object) -> None: ...


@pytest.fixture
def world() -> World:
    return World()


async def test_the_same_content_is_ingested_once(world: World) -> None:
    assert await world.ingest(NOTE)
    embedded = list(world.embedder.texts)
    assert len(embedded) == 2
    assert not await world.ingest(NOTE)
    assert world.embedder.texts == embedded
    assert len(world.points()) == 2


async def test_only_new_chunks_are_embedded_and_old_ones_disappear(world: World) -> None:
    await world.ingest(NOTE)
    world.embedder.texts.clear()
    await world.ingest(CHANGED)
    assert len(world.embedder.texts) == 1
    assert "for a day" in world.embedder.texts[0]
    assert len(world.points()) == 2
    assert await world.found_by_meaning() == await world.texts()
    assert not any("hour" in text for text in await world.texts())


async def test_a_document_is_found_by_its_words_before_and_by_its_meaning_after_it_is_embedded(world: World) -> None:
    await world.ingester.register("rain.md", "rain.md", NOTE)
    assert (await world.known()).state == "waiting"
    await world.ingester.read(RAIN)
    assert (await world.known()).state == "words"
    assert len(await world.texts()) == 2
    assert await world.found_by_meaning() == []
    await world.ingester.process(RAIN, nothing)
    assert (await world.known()).state == "complete"
    assert await world.found_by_meaning() == await world.texts()


async def test_what_was_found_by_its_words_only_is_work_to_do(world: World) -> None:
    """The hash alone says nothing about vectors."""
    world.vectors.down = True
    with pytest.raises(Unavailable):
        await world.ingest(NOTE)
    world.vectors.down = False
    assert await world.ingest(NOTE)
    assert len(world.points()) == 2
    assert not await world.ingest(NOTE)


async def test_a_change_that_cannot_be_read_keeps_what_was_found_before(world: World) -> None:
    await world.ingest(NOTE)
    before = await world.texts()
    with pytest.raises(UnreadableDocument):
        await world.ingest(b"---\n---\n")
    assert await world.texts() == before == await world.found_by_meaning()


async def test_other_metadata_reaches_every_point_and_the_document_is_found_all_the_while(world: World) -> None:
    await world.ingest(NOTE, year=2020)
    _, job = await world.ingester.register("rain.md", "rain.md", NOTE, {"year": 2021})
    assert job
    assert await world.found_by_meaning(year=[2020]) == await world.texts()
    await world.ingester.read(RAIN)
    assert await world.found_by_meaning() == await world.texts(), "the former points serve until there are new ones"
    assert await world.found_by_meaning(year=[2020]) == [], "no filter is passed by what is not so any more"
    await world.ingester.process(RAIN, nothing)
    assert await world.found_by_meaning(year=[2021]) == await world.texts()
    assert [point.metadata for point in world.points().values()] == [{"year": 2021, "language": "en"}] * 2
    assert not await world.ingest(NOTE, year=2021)


async def test_front_matter_that_changed_reaches_every_point(world: World) -> None:
    await world.ingest(b"---\nyear: 2020\n---\n" + NOTE)
    await world.ingest(b"---\nyear: 2021\n---\n" + NOTE)
    assert {str(point.metadata["year"]) for point in world.points().values()} == {"2021"}


async def test_content_that_was_replaced_meanwhile_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    document, _ = await world.ingester.register("rain.md", "rain.md", NOTE)
    parse = world.ingester._parse

    async def replaced(content: bytes, name: str) -> object:
        if content == NOTE:
            await world.ingester.register("rain.md", "rain.md", CHANGED)
        return await parse(content, name)

    monkeypatch.setattr(world.ingester, "_parse", replaced)
    await world.ingester.process(document.id, nothing)
    assert any("for a day" in text for text in await world.texts())
    assert len(world.points()) == 2


async def test_a_document_removed_while_it_is_embedded_leaves_no_vectors(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, _ = await world.ingester.register("rain.md", "rain.md", NOTE)
    embed = world.embedder.embed_passages

    async def removed(texts: list[str]) -> object:
        await world.ingester.remove(document.id)
        return await embed(texts)

    monkeypatch.setattr(world.embedder, "embed_passages", removed)
    await world.ingester.process(document.id, nothing)
    assert world.points() == {}
    assert world.tables.embeddings == {}


async def test_who_removes_former_points_late_hits_none_of_a_newer_version(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker is at its last step, the removal, while another one ingests a version with the first one's content."""
    await world.ingest(NOTE)
    delete, begun = world.vectors.delete, list[bool]()

    async def late(index: str, ids: list[str]) -> None:
        if not begun:
            begun.append(True)
            await world.ingest(NOTE)
        await delete(index, ids)

    monkeypatch.setattr(world.vectors, "delete", late)
    await world.ingest(CHANGED)
    assert begun
    assert (await world.known()).state == "complete"
    assert await world.found_by_meaning() == await world.texts()
    assert any("for an hour" in text for text in await world.texts())
    assert len(world.points()) == 2


async def test_removal_leaves_nothing(world: World) -> None:
    await world.ingest(NOTE)
    assert await world.ingester.remove(RAIN)
    assert (world.points(), world.documents.rows) == ({}, {})
    assert not await world.ingester.remove(RAIN)


async def test_a_document_is_removed_although_the_vector_database_is_down_and_its_points_later(world: World) -> None:
    await world.ingest(NOTE)
    world.vectors.down = True
    assert await world.ingester.remove(RAIN)
    world.vectors.down = False
    assert await world.found_by_meaning() == []
    await world.ingest(NOTE, "other.md")
    assert len(world.points()) == 2


@pytest.mark.parametrize(("name", "content"), [("big.md", b"x" * 10_001), ("film.mp4", b"x"), ("fake.pdf", b"words")])
async def test_what_cannot_be_read_is_refused_before_it_is_kept(world: World, name: str, content: bytes) -> None:
    with pytest.raises(UnreadableDocument, match=name):
        await world.ingester.register(name, name, content)
    assert world.documents.rows == {}


async def test_a_url_without_a_suffix_is_read_as_what_it_was_registered(world: World) -> None:
    document, _ = await world.ingester.register("https://hal.example/hal-1", "hal-1.md", NOTE)
    assert (await world.ingester.process(document.id, nothing)).chunks == 2
    assert (await world.documents.get(document.id)).title == "Rain"


URL = "https://example.org/notes/rain"


async def fetched(
    world: World, content: bytes, declared: str = "text/markdown", url: str = URL, **metadata: object
) -> object:
    document, _ = await world.ingester.announce(url, metadata)
    world.web.pages[document.source] = Page(content, declared)
    return await world.ingester.fetch(document.id, nothing)


async def test_a_url_is_fetched_and_found_under_its_one_form(world: World) -> None:
    result = await fetched(world, NOTE, url="HTTPS://Example.org:443/notes/rain#roofs", year=2024)
    assert (result.document_id, result.chunks) == (document_id(URL), 2)
    document = world.documents.rows[document_id(URL)]
    assert (document.source, document.title, document.media_type) == (URL, "Rain", "text/markdown")
    assert [point.metadata for point in world.points().values()] == [{"year": 2024, "language": "en"}] * 2


async def test_a_url_fetched_again_costs_nothing_unless_it_changed(world: World) -> None:
    await fetched(world, NOTE)
    world.embedder.texts.clear()
    assert await fetched(world, NOTE) is None
    assert world.embedder.texts == []
    assert (await fetched(world, CHANGED)).new_chunks == 1
    assert any("for a day" in text for text in await world.texts(URL))


async def test_a_url_keeps_what_was_found_before_when_it_cannot_be_fetched(world: World) -> None:
    await fetched(world, NOTE)
    before = dict(world.points())
    for content in (b"", b"\x89PNG\r\n\x1a\n", b"---\n---\n"):
        with pytest.raises(UnreadableDocument):
            await fetched(world, content, year=2025)
    assert world.points() == before
    await fetched(world, NOTE, year=2026)
    assert {point.metadata["year"] for point in world.points().values()} == {2026}


async def test_a_url_removed_meanwhile_stays_removed(world: World) -> None:
    document, _ = await world.ingester.announce(URL)
    world.web.pages[URL] = Page(NOTE, "")
    get = world.web.fetch

    async def removed(url: str) -> Page:
        await world.documents.delete(document.id)
        return await get(url)

    world.web.fetch = removed
    with pytest.raises(UnreadableDocument, match="deleted"):
        await world.ingester.fetch(document.id, nothing)
    assert world.documents.rows == {}


async def test_the_same_content_elsewhere_is_told(world: World) -> None:
    await world.ingest(NOTE)
    assert (await world.ingester.duplicate("copy.md", NOTE)).source == "rain.md"
    assert await world.ingester.duplicate("rain.md", NOTE) is None
    assert await world.ingester.duplicate("copy.md", CHANGED) is None
    with pytest.raises(UnreadableDocument, match=r"^The URL holds the same as rain\.md, which can be found already\.$"):
        await fetched(world, NOTE)
    await world.ingest(CHANGED, "other.md")
    assert await world.ingester.duplicate("other.md", NOTE) is None  # the name's own document is replaced


async def test_what_was_never_found_is_no_duplicate(world: World) -> None:
    await world.ingester.register("rain.md", "rain.md", NOTE)
    assert await world.ingester.duplicate("copy.md", NOTE) is None


async def test_a_model_without_an_index_writes_nothing_and_says_what_to_do(world: World) -> None:
    await world.ingest(NOTE)
    other = world.with_model("other", 3)
    with pytest.raises(InvalidConfiguration, match=r"tiny.*other.*chatbot run index"):
        await other.ingest(CHANGED)
    assert await other.texts() == await world.texts(), "found by its words all the same"
    assert any("for a day" in text for text in await other.texts())


async def test_the_dimension_that_only_an_api_knows_is_asked_for(world: World) -> None:
    with openai_server.running() as server:
        remote = embedder.connect(server.url, "some-model", "")
        world.wire(remote)
        assert await world.index.ready() == "some-model_2"
        await remote.close()
    assert await world.indexes.list() == [IndexRecord("some-model_2", "some-model", 2, True)]


async def test_a_rebuild_switches_and_processes_of_both_models_answer_before_and_after(world: World) -> None:
    await world.ingest(NOTE)
    other, texts = world.with_model("other", 3), await world.texts()
    assert await other.found_by_meaning() == [], "by words only, and no error"
    assert await other.rebuild() == "other_3"
    assert (await world.indexes.active()).model == "other"
    assert await world.found_by_meaning() == await other.found_by_meaning() == texts
    await world.ingest(CHANGED)
    assert await world.found_by_meaning() == await world.texts()
    assert (await world.known()).state == "words", "the index that is active by now lacks a chunk"
    assert (await other.reconciler.run()).not_embedded == 1
    await other.ingester.process(RAIN, nothing)
    assert await other.found_by_meaning() == await world.texts()


async def test_the_index_of_the_former_model_is_dropped_after_a_grace(world: World) -> None:
    await world.ingest(NOTE)
    other = world.with_model("other", 3)
    await other.rebuild()
    assert (await other.reconciler.run()).retired == 0
    world.tables.clock += GRACE + 1
    assert (await other.reconciler.run()).retired == 1
    assert list(world.vectors.indexes) == ["other_3"]
    assert len(world.tables.embeddings) == 2
    assert await other.reconciler.run() == Found()


async def test_a_rebuild_takes_along_what_changes_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.ingest(NOTE)
    await world.ingest(NOTE.replace(b"Slate", b"Straw"), "straw.md")
    other = world.with_model("other", 3)
    embed, changed = other.embedder.embed_passages, list[bool]()

    async def changing(texts: list[str]) -> object:
        if not changed:
            changed.append(True)
            await world.ingest(CHANGED)
            await world.ingester.remove(document_id("straw.md"))
        return await embed(texts)

    monkeypatch.setattr(other.embedder, "embed_passages", changing)
    await other.rebuild()
    assert await other.found_by_meaning() == await world.texts()
    assert len(world.points("other_3")) == 2
    assert await other.reconciler.run() == Found()


async def test_a_rebuild_under_the_same_model_fills_what_the_store_has_lost(world: World) -> None:
    await world.ingest(NOTE)
    world.vectors.indexes.clear()
    assert await world.rebuild() == "tiny_2"
    assert await world.found_by_meaning() == await world.texts()
    assert len(world.points()) == 2


# The reconciler -------------------------------------------------------------------------------------------------------


async def test_where_all_is_well_nothing_is_found(world: World) -> None:
    await world.ingest(NOTE)
    await world.ingest(CHANGED, "other.md")
    assert await world.reconciler.run() == Found()


async def test_orphans_are_removed_and_lost_points_made_again(world: World) -> None:
    await world.ingest(NOTE)
    lost, kept = world.points()
    world.points()["stray"] = world.points().pop(lost)
    assert await world.reconciler.run() == Found(orphans=1, missing=1, not_embedded=1)
    await world.ingester.process(RAIN, nothing)
    assert kept in world.points()
    assert await world.found_by_meaning() == await world.texts()
    assert "stray" not in world.points()


async def test_a_document_without_a_job_is_given_one_unless_it_failed(world: World) -> None:
    await world.ingester.register("rain.md", "rain.md", NOTE)
    world.tables.jobs.clear()
    assert (await world.reconciler.run()).without_job == 1
    (job,) = world.jobs.rows.values()
    assert (job.kind, job.document_id, job.state) == ("ingest", RAIN, "pending")
    assert (await world.reconciler.run()).without_job == 0
    await world.jobs.fail((await world.jobs.start(job.id)).claim, "It is empty.")
    assert (await world.reconciler.run()).without_job == 0, "a person has to look at it"


# Many documents -------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.md", "sub/a.md", "sub/.hidden.md", ".git/c.md", "film.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(NOTE)
    return tmp_path


async def all_of(outcomes: AsyncIterator[batch.Outcome]) -> list[batch.Outcome]:
    return [outcome async for outcome in outcomes]


def test_supported_files_are_found_in_folders_and_the_rest_is_named(folder: Path) -> None:
    (folder / "~$b.docx").touch()
    (folder / "logo.png").touch()
    (folder / "away").symlink_to(folder / "sub")
    (folder / "gone.md").symlink_to(folder / "nowhere")
    collected = corpus.files([folder, folder / "b.md"], base=folder)
    assert [item.source for item in collected.items] == ["b.md", "sub/a.md"]
    assert {each.source: each.reason for each in collected.skipped} == {
        ".git": "hidden",
        "away": "a linked folder: name it to have it read",
        "film.mp4": "files of type .mp4 cannot be read",
        "gone.md": "a broken link",
        "logo.png": "a picture: name it to have its text read",
        "sub/.hidden.md": "hidden",
        "~$b.docx": "the lock file of an open document",
    }
    assert [item.source for item in corpus.files([folder / "logo.png", folder / "away"], folder).items] == [
        "logo.png",
        "away/a.md",
    ]
    with pytest.raises(ChatbotError, match="nowhere"):
        corpus.files([folder / "nowhere"], base=folder)


def test_a_source_never_says_where_a_file_lies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    papers = folder.rename(folder.with_name("papers"))
    elsewhere = papers / "sub"
    assert corpus.source_of(papers / "sub" / ".." / "b.md", papers) == "b.md"
    assert corpus.source_of(papers / "b.md", elsewhere) == "b.md"
    assert corpus.source_of(papers / "sub" / "a.md", papers / ".git", papers) == "papers/sub/a.md"
    monkeypatch.chdir(papers)
    assert corpus.source_of(Path("sub/a.md"), papers / ".git", Path(".")) == "papers/sub/a.md"
    assert corpus.source_of(papers / "b.md", elsewhere, papers, "reports/2024") == "reports/2024/b.md"
    assert corpus.source_of(papers / "b.md", elsewhere, papers / "b.md", "reports") == "reports/b.md"
    assert corpus.source_of(papers / "two\nlines.md", papers) == "two\ufffdlines.md"


def test_a_file_has_one_name_whatever_system_wrote_it(folder: Path) -> None:
    (folder / "re\u0301sume\u0301.md").write_bytes(NOTE)
    Path(os.fsdecode(os.fsencode(folder) + b"/not\xe9.md")).write_bytes(NOTE)
    assert {"résumé.md", "noté.md"} < {item.source for item in corpus.files([folder], folder).items}


async def test_a_file_that_cannot_be_read_does_not_stop_the_others(world: World, folder: Path) -> None:
    (folder / "aa.pdf").write_bytes(b"no PDF")
    (folder / "ab.md").write_bytes(b"---\n---\n")
    items = corpus.files([folder], folder).items
    outcomes = await all_of(batch.ingest(world.jobs, world.ingester, items, nothing))
    assert [(each.source, each.state) for each in outcomes] == [
        ("aa.pdf", "failed"),
        ("ab.md", "failed"),
        ("b.md", "new"),
        ("sub/a.md", "new"),
    ]
    assert all(each.error and each.error.endswith(".") for each in outcomes[:2])
    assert sorted(job.state for job in world.jobs.rows.values()) == ["failed", "succeeded", "succeeded"]
    again = await all_of(batch.ingest(world.jobs, world.ingester, items, nothing))
    assert [each.state for each in again] == ["failed", "failed", "unchanged", "unchanged"]
    (folder / "b.md").write_bytes(CHANGED)
    third = await all_of(batch.ingest(world.jobs, world.ingester, items, nothing))
    seen = [(each.state, each.chunks, each.new_chunks) for each in third[2:]]
    assert seen == [("changed", 2, 1), ("unchanged", 2, 0)]


async def test_an_interrupted_job_does_not_stay_running(world: World, folder: Path) -> None:
    async def interrupted(*_: object) -> None:
        raise asyncio.CancelledError  # what Ctrl-C is to a coroutine

    with pytest.raises(asyncio.CancelledError):
        await all_of(batch.ingest(world.jobs, world.ingester, corpus.files([folder], folder).items, interrupted))
    assert {job.state for job in world.jobs.rows.values()} == {"failed"}


async def test_while_one_document_is_embedded_others_are_read(world: World, folder: Path) -> None:
    items = corpus.files([folder], folder).items
    assert len(items) == 2
    embed, arrived, both = world.embedder.embed_passages, [], asyncio.Event()

    async def waiting(texts: Sequence[str]) -> list[list[float]]:
        arrived.append(texts)
        if len(arrived) == len(items):
            both.set()
        await asyncio.wait_for(both.wait(), 5)
        return await embed(texts)

    world.embedder.embed_passages = waiting  # type: ignore[method-assign]
    outcomes = await all_of(batch.ingest(world.jobs, world.ingester, items, nothing))
    assert [each.source for each in outcomes] == [each.source for each in items]


async def test_what_is_gone_from_a_corpus_is_found_and_nothing_else(world: World) -> None:
    for source in ("docs/a.md", "docs/b.md", "docs-2/c.md", "https://hal.example/d.md"):
        await world.ingest(NOTE, source)
    gone = await corpus.missing(world.documents, corpus.below(["docs"]), {"docs/a.md"})
    assert [document.source for document in gone] == ["docs/b.md"]
