"""`run ingest`: the corpus that CORPUS names becomes findable: a folder's files here, an archive by its harvest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbot import settings
from chatbot.ingestion import corpus
from chatbot.jobs.batch import Outcome
from chatbot.pipelines import documents, harvest, sources
from chatbot.pipelines.pipeline import Figures, Options, Pipeline, Step, Watch

if TYPE_CHECKING:
    from chatbot.bootstrap import Services


async def ingest(services: Services, options: Options, watch: Watch) -> Figures:
    """Every file of the folder, or every record of the archive; with `prune`, also without those that are gone."""
    name = str(options.get("corpus") or services.settings.corpus)
    if sources.is_harvested(name):
        figures = Figures()
        for step in harvest.PIPELINE.steps:
            figures |= await step.do(services, {**options, "corpus": name, **figures}, watch)
        return figures
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
    return figures


PIPELINE = Pipeline("ingest", (Step("ingest", ingest),))
