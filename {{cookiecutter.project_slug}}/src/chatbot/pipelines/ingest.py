"""`run ingest`: the corpus that CORPUS names becomes findable: a folder's files here, an archive by its harvest.

Where that is not the manual, with which every bot begins, the manual leaves once a document of the corpus is there.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from chatbot import settings
from chatbot.domain import Document
from chatbot.ingestion import corpus
from chatbot.jobs.batch import Outcome
from chatbot.pipelines import documents, harvest, sources
from chatbot.pipelines.pipeline import Figures, Options, Pipeline, Step, Watch, alone

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

MOST_NOTES = 100
"""Documents of which is told what went wrong; the records of their jobs have the others."""


async def ingest(services: Services, options: Options, watch: Watch) -> Figures:
    """Every file of the folder, or every record of the archive; with `prune`, also without those that are gone.

    With `if_empty` only when there is no document yet, or none but a manual that is to leave; else no figures.
    """
    name = str(options.get("corpus") or services.settings.corpus)
    manual = [] if is_manual(name) else await _manual(services)
    if options.get("if_empty") and (await services.documents.count())[0] > len(manual):
        return {}
    if sources.is_harvested(name):
        figures = Figures()
        async with alone(services, harvest.PIPELINE):
            for step in harvest.PIPELINE.steps:
                figures |= await step.do(services, {**options, "corpus": name, **figures}, watch)
    else:
        figures = await _folder(services, name, options, watch)
    if manual and any(figures.get(state) for state in ("new", "changed", "unchanged")):
        for document in manual:
            await documents.remove(services, document.source)
        figures["manual removed"] = len(manual)
    return figures


async def _folder(services: Services, name: str, options: Options, watch: Watch) -> Figures:
    folder = settings.home() / name
    collected = corpus.files([folder], settings.home())
    outcomes, total = list[Outcome](), max(len(collected.items), 1)

    async def within(source: str, fraction: float) -> None:
        await watch(source, (len(outcomes) + fraction) / total)

    async for outcome in documents.ingest(services, collected.items, within, bool(options.get("through_queue"))):
        outcomes.append(outcome)
        await watch(outcome.source, len(outcomes) / total)
    figures = {"corpus": name, **documents.counted(outcomes), "skipped": len(collected.skipped)}
    if options.get("prune"):
        belongs = corpus.below([corpus.source_of(folder, settings.home())])
        gone = await corpus.missing(services.documents, belongs, {item.source for item in collected.items})
        figures["removed"] = sum([await documents.remove(services, each.source) for each in gone])
    notes = [f"{each.source}: {each.error}" for each in outcomes if each.error]
    notes += [f"{each.source}: WARNING: {each.note}" for each in outcomes if each.is_partial]
    notes += [f"{each.source}: skipped: {each.reason}" for each in collected.skipped]
    return {**figures, "notes": notes[:MOST_NOTES]} if notes else figures


def is_manual(name: str) -> bool:
    """Whether a corpus is the manual, or a folder around it or in it."""
    return not sources.is_harvested(name) and PurePosixPath(name).parts[:1] in ((corpus.MANUAL,), ())


async def _manual(services: Services) -> list[Document]:
    return await corpus.missing(services.documents, corpus.below([corpus.MANUAL]), set())


PIPELINE = Pipeline("ingest", (Step("ingest", ingest),))
