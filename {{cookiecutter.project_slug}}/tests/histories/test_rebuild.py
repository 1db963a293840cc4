"""A rebuild for another model while documents are changed and deleted, and processes of both models answer questions.

There is no error, nothing missing, and nothing left over. HISTORY_DOCUMENTS=1000 makes it as large as a corpus.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator

import pytest

from chatbot import settings as settings_module
from chatbot.bootstrap import Services, bootstrap
from chatbot.ingestion.corpus import every_document
from chatbot.ingestion.rebuild import rebuild
from chatbot.ingestion.reconcile import Found
from chatbot.storage.documents import document_id
from tests.unit.memory import CountingEmbedder, parse_here

pytestmark = pytest.mark.slow

DOCUMENTS = int(os.environ.get("HISTORY_DOCUMENTS", "60"))
CHANGED, DELETED = DOCUMENTS // 5, DOCUMENTS // 20
PAUSE = 0.05
"""Seconds between two questions."""


@pytest.fixture
async def both(environ: dict[str, str]) -> AsyncIterator[tuple[Services, Services]]:
    """A process of the former model and one of the latter, each with an embedder in memory."""
    values = {name.lower(): value for name, value in environ.items()}
    loaded = settings_module.load(_env_file=None, **values)
    pair = [bootstrap(loaded, embedder=CountingEmbedder(model, 4)) for model in ("former", "latter")]
    for services in pair:
        services.ingester._parse = parse_here  # a process for each file would take longer than all the rest
        await services.vectors.drop(await services.index.name())
    yield pair[0], pair[1]
    for services in pair:
        await services.vectors.drop(await services.index.name())
        services.embedder.close = _nothing  # type: ignore[method-assign]
        await services.aclose()


async def _nothing(*_: object) -> None: ...


async def ingest(services: Services, number: int, text: str) -> None:
    source = f"{number}.md"
    content = f"# Stone {number}\n\nThis {text} number {number}.\n".encode()
    document, job = await services.ingester.register(source, source, content)
    begun = await services.jobs.start(job.id) if job else None
    if begun:
        await services.ingester.process(document.id, _nothing, begun.claim)
        await services.jobs.succeed(begun.claim)


async def ask(services: Services, stop: asyncio.Event, lacking: list[str]) -> int:
    """How many questions were answered; an error is an error of the test."""
    asked = 0
    while not stop.is_set():
        found = await services.retriever.search("which stone", 5)
        if not found:
            lacking.append("nothing found")
        asked += 1
        await asyncio.sleep(PAUSE)
    return asked


async def change(services: Services, draw: random.Random) -> set[int]:
    """Change some documents and delete others; which ones are gone."""
    gone = set(draw.sample(range(DOCUMENTS), DELETED))
    changed = draw.sample(sorted(set(range(DOCUMENTS)) - gone), CHANGED)
    work = [*changed, *gone]
    draw.shuffle(work)
    for number in work:
        if number in gone:
            await services.ingester.remove(document_id(f"{number}.md"))
        else:
            await ingest(services, number, "boulder")
        await asyncio.sleep(0.01)
    return gone


async def test_a_rebuild_under_way(both: tuple[Services, Services]) -> None:
    former, latter = both
    for number in range(DOCUMENTS):
        await ingest(former, number, "stone")
    stop, lacking = asyncio.Event(), list[str]()
    asking = [asyncio.create_task(ask(each, stop, lacking)) for each in both]
    parts = latter.index, latter.indexes, latter.embeddings, latter.documents, latter.vectors
    gone, name = await asyncio.gather(change(former, random.Random(1)), rebuild(*parts, lambda *_: None))
    stop.set()
    asked = sum(await asyncio.gather(*asking))
    assert lacking == []
    await latter.reconciler.attend()
    for job in await latter.jobs.list("pending", 10 * DOCUMENTS):
        begun = await latter.jobs.start(job.id)
        if begun:
            await latter.ingester.process(begun.document_id or "", _nothing, begun.claim)
            await latter.jobs.succeed(begun.claim)
    found = await latter.reconciler.run()
    print(f"{DOCUMENTS} documents, {CHANGED} changed, {DELETED} deleted, {asked} questions; {found}")
    assert found == Found()
    documents = [each async for each in every_document(latter.documents)]
    assert {each.source for each in documents} == {f"{n}.md" for n in set(range(DOCUMENTS)) - gone}
    assert all(each.state == "complete" for each in documents)
    assert await latter.vectors.count(name) == (await latter.documents.count())[1]
