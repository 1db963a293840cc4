"""`run harvest`: an archive's records become documents, and follow what the archive does with them.

collect   read what was changed since the last harvest, and count for each record how often in a row it was not listed
settle    take out what was withdrawn, or not listed three times: an archive that omits a record may just be ill
resolve   of several versions of one publication, choose the published one
ingest    make each record findable: by its full text where licence and embargo allow, else by title and abstract

Every record is a row of `harvested` with what is still to be done for it, so a run goes on where another was killed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from chatbot.clients.fetch import Page
from chatbot.domain import ChatbotError, Unavailable, UnreadableDocument
from chatbot.ingestion.records import Item, Record, Source, described, same_publication
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
REFUSED, OUTAGE = timedelta(days=7), timedelta(hours=1)
"""Until a full text is tried again: after a refusal; after its server was ill, so at the next harvest."""
POLITE = 1.0
"""Seconds between two files of an archive."""
LONGEST_PAUSE = 120
"""Seconds that its Retry-After is waited for. Who asks for more is asked by a later harvest."""
PDF = b"%PDF-"


async def collect(services: Services, options: Options, watch: Watch) -> Figures:
    corpus, harvests = _corpus(services, options), Harvests(services.database)
    source = sources.named(corpus, services)
    since, latest, changed = await harvests.since(corpus), "", 0
    read, live = set[str](), set[str]()

    async def keep(since: str) -> None:
        nonlocal latest, changed
        async for record in source.changed(since):
            read.add(record.source)
            if not record.is_withdrawn:
                live.add(record.source)
            latest = max(latest, record.modified)
            changed += await harvests.keep(corpus, record.source, asdict(record))
            await watch(record.source, 0)

    await keep(since)
    listed = await source.present() if since else None
    present = live if listed is None else listed
    known = await harvests.sources(corpus)
    if not present:
        if not known:
            raise ChatbotError(f"{corpus} lists nothing to harvest: check its name.")
        raise Unavailable(corpus, "it lists no record at all, which is not believed.")
    if listed and not listed <= known:  # it came without a new date, such as into a set, or back
        await keep("")
    await harvests.look_again(corpus)
    await harvests.read_until(corpus, latest)
    await harvests.listed(corpus, present)  # last, so that a step that is tried again counts once
    return {"corpus": corpus, "records read": len(read), "records changed": changed}


async def settle(services: Services, options: Options, watch: Watch) -> Figures:
    harvests, corpus = Harvests(services.database), options["corpus"]
    removed = 0
    for source in await harvests.withdrawn(corpus):
        removed += await _take_out(services, harvests, corpus, source)
        await harvests.taken_out(corpus, source)
    for source in await harvests.missed(corpus, PATIENCE):
        removed += await _take_out(services, harvests, corpus, source)
        await harvests.forget(corpus, source)
    return {"removed": removed}


async def resolve(services: Services, options: Options, watch: Watch) -> Figures:
    harvests, corpus, removed = Harvests(services.database), options["corpus"], options["removed"]
    records = [Record(**fields) for fields in await harvests.records(corpus)]
    chosen = preferred(records)
    await harvests.prefer(corpus, chosen)
    for source in await harvests.set_aside(corpus):
        removed += await _take_out(services, harvests, corpus, source)
        await harvests.taken_out(corpus, source)
    return {"other versions": sum(each is not None for each in chosen.values()), "removed": removed}


async def ingest(services: Services, options: Options, watch: Watch) -> Figures:
    harvests, corpus = Harvests(services.database), options["corpus"]
    source = sources.named(corpus, services)
    counts, full_texts, done = Counter[str](), 0, 0
    total = await harvests.waiting(corpus)
    while batch := await harvests.due(corpus, BATCH):
        prepared = [await _prepare(services, source, each) for each in batch]
        outcomes = await _ingest(services, [each.item for each in prepared if each.item], options)
        for each in prepared:
            outcome = outcomes.get(each.waiting.source) or Outcome(each.waiting.source, "failed", each.problem)
            if outcome.state == "failed" and each.is_full_text:
                each = _Prepared(each.waiting, described(each.record), f"full text: {outcome.error}", _later(REFUSED))
                outcome = (await _ingest(services, [described(each.record)], options))[each.waiting.source]
            again = each.try_again_at or (_later(REFUSED) if outcome.state == "failed" else None)
            await harvests.done(corpus, each.waiting, outcome.error or each.problem, again)
            full_texts += each.is_full_text
            counts[outcome.state] += 1
            done += 1
            await watch(each.waiting.source, done / max(total, done))
    states = {state: counts[state] for state in ("new", "changed", "unchanged", "failed")}
    return {**states, "full texts": full_texts}


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


def _rank(record: Record) -> tuple[bool, int, str]:
    return not record.is_published, -len(record.text), record.source


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is handed on for a record, and what is to be said of its file."""

    waiting: Waiting
    item: Item | None
    problem: str = ""
    try_again_at: datetime | None = None
    is_full_text: bool = False

    @property
    def record(self) -> Record:
        return Record(**self.waiting.record)


async def _prepare(services: Services, source: Source, waiting: Waiting) -> _Prepared:
    record = Record(**waiting.record)
    if not record.text:
        try:
            item = await source.item(record)
        except UnreadableDocument as error:
            return _Prepared(waiting, None, str(error), _later(REFUSED))
        await asyncio.sleep(POLITE if record.source.startswith("http") else 0)
        return _Prepared(waiting, item)
    problem, until = barrier(record, services.settings, datetime.now(UTC).date())
    if problem:
        return _Prepared(waiting, described(record), problem, until)
    try:
        page = await _full_text(services, record.file)
    except UnreadableDocument as error:
        return _Prepared(waiting, described(record), f"full text: {error}", _later(REFUSED))
    except Unavailable as error:
        again = _later(max(OUTAGE, timedelta(seconds=error.retry_after)))
        return _Prepared(waiting, described(record), f"full text: {error}", again)
    item = Item(record.source, record.name.removesuffix(".md") + ".pdf", lambda: page.content, record.metadata)
    return _Prepared(waiting, item, is_full_text=True)


async def _full_text(services: Services, url: str) -> Page:
    """Asked once more after the pause that the archive wishes."""
    await asyncio.sleep(POLITE)
    try:
        page = await services.fetcher.fetch(url)
    except Unavailable as error:
        if not 0 < error.retry_after <= LONGEST_PAUSE:
            raise
        await asyncio.sleep(error.retry_after)
        page = await services.fetcher.fetch(url)
    if not page.content.startswith(PDF):
        raise UnreadableDocument("The archive gives no PDF.")
    return page


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


async def _ingest(services: Services, items: Sequence[Item], options: Options) -> Mapping[str, Outcome]:
    async def quiet(source: str, fraction: float) -> None:
        """The step counts records, not the parts of one."""

    through_queue = bool(options.get("through_queue"))
    return {each.source: each async for each in documents.ingest(services, items, quiet, through_queue)}


async def _take_out(services: Services, harvests: Harvests, corpus: str, source: str) -> bool:
    """Unless another archive has it too."""
    return not await harvests.is_elsewhere(corpus, source) and await documents.remove(services, source)


def _later(pause: timedelta) -> datetime:
    return datetime.now(UTC) + pause


def _corpus(services: Services, options: Options) -> str:
    corpus = str(options.get("corpus") or services.settings.corpus)
    if not sources.is_harvested(corpus) and not options.get("corpus"):
        raise ChatbotError("Which archive? Name it, as in `chatbot run harvest CIRED`, or set CORPUS=hal:CIRED.")
    return corpus if ":" in corpus else f"hal:{corpus}"


PIPELINE = Pipeline(
    "harvest", (Step("collect", collect), Step("settle", settle), Step("resolve", resolve), Step("ingest", ingest))
)
