"""`run harvest`: an archive's records become documents, and follow what the archive does with them.

collect   read what was changed since the last harvest
resolve   of several versions of one publication, choose the published one
ingest    make each record findable: by its full text where licence and embargo allow, else by title and abstract
settle    take out what three harvests in a row did not find: one that does not list a record may just be ill

Every record is a row of `harvested` with what is still to be done for it, so a run goes on where another was killed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from chatbot.domain import ChatbotError, Unavailable, UnreadableDocument
from chatbot.ingestion.corpus import Item
from chatbot.ingestion.records import Record, same_publication
from chatbot.jobs.batch import Outcome
from chatbot.pipelines import documents, sources
from chatbot.pipelines.pipeline import Figures, Options, Pipeline, Step, Watch
from chatbot.settings import Settings, words
from chatbot.storage.harvests import Harvests, Waiting

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

PATIENCE = 3
"""Harvests in a row that do not list a record, until it is removed."""
BATCH = 8
"""Records ingested at a time: so many full texts are held in memory."""
TRY_AGAIN = timedelta(days=7)
"""After a full text was refused."""
POLITE = 1.0
"""Seconds between two full texts."""
PDF = b"%PDF-"


async def collect(services: Services, options: Options, watch: Watch) -> Figures:
    corpus, harvests = _corpus(services, options), Harvests(services.database)
    source = sources.named(corpus, services.settings)
    read = changed = 0
    latest = ""
    async for record in source.changed(await harvests.since(corpus)):
        read, latest = read + 1, max(latest, record.modified)
        changed += await harvests.keep(corpus, record.source, asdict(record))
        await watch(record.source, 0)
    await harvests.read_until(corpus, latest)
    return {"corpus": corpus, "records read": read, "records changed": changed}


async def resolve(services: Services, options: Options, watch: Watch) -> Figures:
    harvests, corpus = Harvests(services.database), options["corpus"]
    records = [Record(**fields) for fields in await harvests.records(corpus)]
    await harvests.prefer(corpus, preferred(records))
    removed = 0
    for source in await harvests.set_aside(corpus):
        removed += await documents.remove(services, source)
        await harvests.taken_out(corpus, source)
    for record in records:
        if record.is_withdrawn:
            removed += await documents.remove(services, record.source)
            await harvests.forget(corpus, record.source)
    chosen = preferred([record for record in records if not record.is_withdrawn])
    return {"other versions": sum(each is not None for each in chosen.values()), "removed": removed}


async def ingest(services: Services, options: Options, watch: Watch) -> Figures:
    harvests, corpus = Harvests(services.database), options["corpus"]
    counts, full_texts, done = Counter[str](), 0, 0
    total = await harvests.waiting(corpus)
    while batch := await harvests.due(corpus, BATCH):
        prepared = [await _prepare(services, each) for each in batch]
        outcomes = await _ingest(services, [each.item for each in prepared], watch, options)
        for each in prepared:
            outcome = outcomes[each.waiting.source]
            if outcome.state == "failed" and each.is_full_text:
                each = _Prepared(each.waiting, abstract(each.record), f"full text: {outcome.error}", _later())
                outcome = (await _ingest(services, [each.item], watch, options))[each.waiting.source]
            problem = outcome.error or each.problem
            await harvests.done(corpus, each.waiting, problem, each.try_again_at)
            full_texts += each.is_full_text
            counts[outcome.state] += 1
            done += 1
            await watch(each.waiting.source, done / max(total, done))
    states = {state: counts[state] for state in ("new", "changed", "unchanged", "failed")}
    return {**states, "full texts": full_texts}


async def settle(services: Services, options: Options, watch: Watch) -> Figures:
    harvests, corpus = Harvests(services.database), options["corpus"]
    present = await sources.named(corpus, services.settings).present()
    if not present and await harvests.records(corpus):
        raise Unavailable(corpus, "it lists no record at all, which is not believed.")
    removed = 0
    for source in await harvests.listed(corpus, present, PATIENCE):
        removed += await documents.remove(services, source)
        await harvests.forget(corpus, source)
    return {"removed": options["removed"] + removed}


def preferred(records: Iterable[Record]) -> dict[str, str | None]:
    """By source, the version of the same publication that is answered from instead; None for those themselves.

    Published versions go before others, then those with more text, then the older deposit.
    """
    chosen: dict[str, str | None] = {}
    known: dict[str, str] = {}
    for record in sorted(records, key=_rank):
        keys = same_publication(record)
        best = next((known[key] for key in keys if key in known), None)
        chosen[record.source] = best
        for key in keys:
            known.setdefault(key, best or record.source)
    return chosen


def _rank(record: Record) -> tuple[bool, bool, int, str]:
    return record.is_withdrawn, not record.is_published, -len(record.text), record.source


class _Prepared:
    """What is handed on for a record, and what is to be said of its full text."""

    def __init__(self, waiting: Waiting, item: Item, problem: str = "", try_again_at: datetime | None = None) -> None:
        self.waiting, self.item, self.problem, self.try_again_at = waiting, item, problem, try_again_at
        self.record = Record(**waiting.record)
        self.is_full_text = bool(self.record.text) and item.name.endswith(".pdf")


async def _prepare(services: Services, waiting: Waiting) -> _Prepared:
    record = Record(**waiting.record)
    if not record.text:  # a page of the web: there is nothing but the file
        return _Prepared(waiting, Item(record.source, record.source, None, record.metadata))
    problem, until = barrier(record, services.settings, datetime.now(UTC).date())
    if problem:
        return _Prepared(waiting, abstract(record), problem, until)
    try:
        page = await services.fetcher.fetch(record.file)
        await asyncio.sleep(POLITE)
        if not page.content.startswith(PDF):
            raise UnreadableDocument("The archive gives no PDF.")
    except (UnreadableDocument, Unavailable) as error:
        return _Prepared(waiting, abstract(record), f"full text: {error}", _later())
    name = record.name.removesuffix(".md") + ".pdf"
    return _Prepared(waiting, Item(record.source, name, lambda: page.content, record.metadata))


def barrier(record: Record, settings: Settings, today: date) -> tuple[str, datetime | None]:
    """Why the full text may not be taken, "" when it may, and from when on to try again."""
    if not record.file or not settings.full_text_licences:
        return "no full text" if not record.file else "full texts are not taken (FULL_TEXT_LICENCES)", None
    licence = str(record.metadata.get("licence", "")).lower()
    if not any(accepted.lower() in licence for accepted in words(settings.full_text_licences)):
        return f"the licence does not allow the full text: {licence or 'none is given'}", None
    if record.released > today.isoformat():
        return f"under embargo until {record.released}", datetime.fromisoformat(record.released).replace(tzinfo=UTC)
    return "", None


def abstract(record: Record) -> Item:
    """Title, authors, year and abstract."""
    return Item(record.source, record.name, record.text.encode, record.metadata)


async def _ingest(services: Services, items: Sequence[Item], watch: Watch, options: Options) -> Mapping[str, Outcome]:
    async def quiet(source: str, fraction: float) -> None:
        """The step counts records, not the parts of one."""

    through_queue = bool(options.get("through_queue"))
    return {each.source: each async for each in documents.ingest(services, items, quiet, through_queue)}


def _later() -> datetime:
    return datetime.now(UTC) + TRY_AGAIN


def _corpus(services: Services, options: Options) -> str:
    corpus = str(options.get("corpus") or services.settings.corpus)
    if not sources.is_harvested(corpus) and not options.get("corpus"):
        raise ChatbotError("Which archive? Name it, as in `chatbot run harvest CIRED`, or set CORPUS=hal:CIRED.")
    return corpus if ":" in corpus else f"hal:{corpus}"


PIPELINE = Pipeline(
    "harvest", (Step("collect", collect), Step("resolve", resolve), Step("ingest", ingest), Step("settle", settle))
)
