"""Ingestion: what is unchanged costs nothing, what fails leaves things as they were, and nothing is found twice."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from chatbot.clients import embedder
from chatbot.clients.fetch import Fetcher, Page
from chatbot.domain import ChatbotError, InvalidConfiguration, Unavailable, UnreadableDocument
from chatbot.ingestion import corpus
from chatbot.ingestion.ingest import Ingester, ensure_index
from chatbot.ingestion.rebuild import rebuild
from chatbot.storage.documents import IndexRecord, document_id
from tests.unit import openai_server
from tests.unit.memory import CountingEmbedder, MemoryDocuments, MemoryJobs, MemoryVectors, parse_here

NOTE = b"# Rain\n\n## Roofs\n\nSlate sheds water quickly.\n\n## Roads\n\nTarmac holds water for an hour.\n"
CHANGED = NOTE.replace(b"for an hour", b"for a day")


class FakeWeb(Fetcher):
    """What each URL holds."""

    def __init__(self) -> None:
        super().__init__(max_bytes=10_000, seconds=1)
        self.pages: dict[str, Page] = {}

    async def fetch(self, url: str) -> Page:
        return self.pages[url]


class World(SimpleNamespace):
    """The services that ingestion touches, in memory."""

    def __init__(self) -> None:
        documents, vectors, embedder, web = MemoryDocuments(), MemoryVectors(), CountingEmbedder(), FakeWeb()
        ingester = Ingester(documents, vectors, embedder, 1000, 0, 10_000, parse_here, web)
        given = {"documents": documents, "vectors": vectors, "embedder": embedder, "jobs": MemoryJobs()}
        super().__init__(**given, ingester=ingester, web=web)

    async def ingest(self, content: bytes, source: str = "rain.md", **metadata: object) -> bool:
        document, changed = await self.ingester.register(source, Path(source).name, content, metadata)
        if changed:
            await self.ingester.process(document.id, nothing)
        return changed

    def points(self, index: str = "tiny_2") -> dict[str, object]:
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
    assert set(world.points()) == await world.documents.chunk_ids(document_id("rain.md"))
    assert not any("hour" in chunk.text for chunk in world.documents.held[document_id("rain.md")])


async def test_a_crash_while_embedding_leaves_the_document_to_be_done_again(world: World) -> None:
    world.vectors.down = True
    with pytest.raises(Unavailable):
        await world.ingest(NOTE)
    assert (await world.documents.find("rain.md")).content_hash is None
    world.vectors.down = False
    assert await world.ingest(NOTE)
    assert len(world.points()) == 2


async def test_a_change_that_cannot_be_read_keeps_what_was_found_before(world: World) -> None:
    await world.ingest(NOTE)
    before = await world.documents.chunk_ids(document_id("rain.md"))
    with pytest.raises(UnreadableDocument):
        await world.ingest(b"---\n---\n")
    assert await world.documents.chunk_ids(document_id("rain.md")) == before == set(world.points())


async def test_other_metadata_reaches_every_point(world: World) -> None:
    await world.ingest(NOTE, year=2020)
    assert await world.ingest(NOTE, year=2021)
    assert [point.metadata for point in world.points().values()] == [{"year": 2021, "language": "en"}] * 2
    assert not await world.ingest(NOTE, year=2021)


async def test_front_matter_that_changed_reaches_every_point(world: World) -> None:
    await world.ingest(b"---\nyear: 2020\n---\n" + NOTE)
    await world.ingest(b"---\nyear: 2021\n---\n" + NOTE)
    assert {str(point.metadata["year"]) for point in world.points().values()} == {"2021"}


async def test_content_that_was_replaced_meanwhile_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    document, _ = await world.ingester.register("rain.md", "rain.md", NOTE)

    async def replaced(_: float) -> None:
        world.documents.originals[document.id] = CHANGED

    await world.ingester.process(document.id, replaced)
    assert any("for a day" in chunk.text for chunk in world.documents.held[document.id])
    assert len(world.points()) == 2


async def test_a_document_removed_meanwhile_leaves_no_vectors(world: World) -> None:
    document, _ = await world.ingester.register("rain.md", "rain.md", NOTE)
    describe = world.documents.describe

    async def removed(id: str, **found: object) -> None:
        await describe(id, **found)
        await world.documents.delete(id)

    world.documents.describe = removed
    with pytest.raises(UnreadableDocument):
        await world.ingester.process(document.id, nothing)
    assert world.points() == {}


async def test_removal_leaves_nothing(world: World) -> None:
    await world.ingest(NOTE)
    assert await world.ingester.remove(document_id("rain.md"))
    assert (world.points(), world.documents.rows) == ({}, {})
    assert not await world.ingester.remove(document_id("rain.md"))


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
    document = await world.ingester.announce(url, metadata)
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
    assert any("for a day" in chunk.text for chunk in world.documents.held[document_id(URL)])


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
    document = await world.ingester.announce(URL)
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


async def test_an_index_of_another_model_is_refused_with_what_to_do(world: World) -> None:
    await world.ingest(NOTE)
    with pytest.raises(InvalidConfiguration, match=r"tiny.*other.*chatbot run index"):
        await ensure_index(world.documents, world.vectors, CountingEmbedder("other", 3))


async def test_the_dimension_that_only_an_api_knows_is_asked_for(world: World) -> None:
    with openai_server.running() as server:
        remote = embedder.connect(server.url, "some-model", "")
        assert await ensure_index(world.documents, world.vectors, remote) == "some-model_2"
        await remote.close()
    assert world.documents.records == [IndexRecord("some-model_2", "some-model", 2, True)]


async def test_a_rebuild_switches_to_the_new_model_and_drops_the_old_index(world: World) -> None:
    await world.ingest(NOTE)
    old = set(world.points())
    world.embedder = CountingEmbedder("other", 3)
    heard: list[tuple[int, int]] = []
    assert await rebuild(world, lambda *progress: heard.append(progress)) == "other_3"
    assert list(world.vectors.indexes) == ["other_3"]
    assert set(world.points("other_3")) == old
    assert (await world.documents.active_index()).model == "other"
    assert heard == [(1, 1)]


async def test_a_rebuild_takes_along_what_changes_meanwhile(world: World) -> None:
    await world.ingest(NOTE)
    changed = list[bool]()

    async def changing() -> None:
        document, _ = await world.ingester.register("rain.md", "rain.md", CHANGED)
        await world.ingester.process(document.id, nothing)

    class Changing(CountingEmbedder):
        async def embed_passages(self, texts):  # type: ignore[no-untyped-def]
            if not changed:
                changed.append(True)
                await changing()
            return await super().embed_passages(texts)

    world.embedder = Changing("other", 3)
    await rebuild(world, lambda *_: None)
    assert set(world.points("other_3")) == await world.documents.chunk_ids(document_id("rain.md"))


# Many documents -------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.md", "sub/a.md", "sub/.hidden.md", ".git/c.md", "film.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(NOTE)
    return tmp_path


async def all_of(outcomes: AsyncIterator[corpus.Outcome]) -> list[corpus.Outcome]:
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


def test_a_file_has_one_name_whatever_system_wrote_it(folder: Path) -> None:
    (folder / "re\u0301sume\u0301.md").write_bytes(NOTE)
    Path(os.fsdecode(os.fsencode(folder) + b"/not\xe9.md")).write_bytes(NOTE)
    assert {"résumé.md", "noté.md"} < {item.source for item in corpus.files([folder], folder).items}


async def test_a_file_that_cannot_be_read_does_not_stop_the_others(world: World, folder: Path) -> None:
    (folder / "aa.pdf").write_bytes(b"no PDF")
    (folder / "ab.md").write_bytes(b"---\n---\n")
    items = corpus.files([folder], folder).items
    outcomes = await all_of(corpus.ingest(world, items, nothing))
    assert [(each.source, each.state) for each in outcomes] == [
        ("aa.pdf", "failed"),
        ("ab.md", "failed"),
        ("b.md", "new"),
        ("sub/a.md", "new"),
    ]
    assert all(each.error and each.error.endswith(".") for each in outcomes[:2])
    assert [job.state for job in world.jobs.rows.values()] == ["failed", "succeeded", "succeeded"]
    again = await all_of(corpus.ingest(world, items, nothing))
    assert [each.state for each in again] == ["failed", "failed", "unchanged", "unchanged"]
    (folder / "b.md").write_bytes(CHANGED)
    third = await all_of(corpus.ingest(world, items, nothing))
    seen = [(each.state, each.chunks, each.new_chunks) for each in third[2:]]
    assert seen == [("changed", 2, 1), ("unchanged", 2, 0)]


async def test_an_interrupted_job_does_not_stay_running(world: World, folder: Path) -> None:
    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await all_of(corpus.ingest(world, corpus.files([folder], folder).items, interrupted))
    assert [job.state for job in world.jobs.rows.values()] == ["failed"]


async def test_what_is_gone_from_a_corpus_is_found_and_nothing_else(world: World) -> None:
    for source in ("docs/a.md", "docs/b.md", "docs-2/c.md", "https://hal.example/d.md"):
        await world.ingest(NOTE, source)
    gone = await corpus.missing(world, corpus.below(["docs"]), {"docs/a.md"})
    assert [document.source for document in gone] == ["docs/b.md"]
