"""`chatbot run NAME`: one step over the whole corpus, or one admin task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from chatbot.cli.corpus import ingest_corpus, ingest_named
from chatbot.cli.shared import as_json, counted, exit_if_failed, print_json, through_queue, with_services
from chatbot.domain import ChatbotError

if TYPE_CHECKING:
    from chatbot.bootstrap import Services
    from chatbot.jobs.batch import Outcome


@click.group("run")
def run() -> None:
    """Run one step over the whole corpus.

    Example: chatbot run ingest
    """


@run.command()
def migrate() -> None:
    """Bring the database, the vector index and the queue to this release. Safe to repeat, and from many at once.

    Example: chatbot run migrate
    """
    from chatbot import settings
    from chatbot.runtime.migrate import migrate

    asyncio.run(migrate(settings.load()))


@run.command("ingest")
@click.option("--prune", is_flag=True, help="Also remove documents that are not in the corpus any more.")
@click.option("--if-empty", is_flag=True, help="Only when no document has been ingested yet.")
@through_queue
@as_json
def run_ingest(prune: bool, if_empty: bool, through_queue: bool, as_json: bool) -> None:
    """Ingest the corpus: the folder or the HAL collection that CORPUS names.

    Example: CORPUS=hal:CIRED chatbot run ingest --prune
    """
    exit_if_failed(with_services(lambda services: ingest_corpus(services, prune, if_empty, through_queue, as_json)))


@run.command()
def index() -> None:
    """Rebuild the vector index for the configured EMBEDDINGS_MODEL, while the old one still answers.

    Example: EMBEDDINGS_MODEL=my-model chatbot run index
    """
    from chatbot.ingestion.rebuild import rebuild

    def report(done: int, total: int) -> None:
        click.echo(f"{done} of {total} documents", err=True)

    async def work(services: Services) -> str:
        s = services
        return await rebuild(s.index, s.indexes, s.embeddings, s.documents, s.vectors, report)

    click.echo(f"The index {with_services(work)} is active.")


@run.command()
@as_json
def reconcile(as_json: bool) -> None:
    """Compare documents, chunks, vectors and jobs, and mend what differs. The scheduler does it once a day.

    Example: chatbot run reconcile
    """
    from dataclasses import asdict

    from chatbot.cli.output import show_found

    found = with_services(lambda services: services.reconciler.run())
    print_json(asdict(found)) if as_json else show_found(found)


@run.command()
@click.argument("collection", required=False)
@click.option("--prune", is_flag=True, help="Also remove records that the archive does not list any more.")
@through_queue
@as_json
def harvest(collection: str | None, prune: bool, through_queue: bool, as_json: bool) -> None:
    """Ingest a COLLECTION of the HAL open archive; default: the one that CORPUS names.

    Example: chatbot run harvest CIRED
    """
    from chatbot.ingestion.corpus import HAL

    async def work(services: Services) -> list[Outcome]:
        corpus = f"{HAL}{collection}" if collection else services.settings.corpus
        if not corpus.startswith(HAL):
            raise ChatbotError("Which collection? Name it, as in `chatbot run harvest CIRED`, or set CORPUS=hal:CIRED.")
        return await ingest_named(services, corpus, prune, through_queue, as_json)

    exit_if_failed(with_services(work))


@run.command()
@as_json
def purge(as_json: bool) -> None:
    """Delete old conversations, by CONVERSATION_RETENTION_DAYS, and old counters. The scheduler does it once a day.

    Example: CONVERSATION_RETENTION_DAYS=90 chatbot run purge
    """
    from chatbot.jobs.retention import purge

    async def work(services: Services) -> dict[str, int]:
        return await purge(services.personal, services.limits, services.settings.conversation_retention_days)

    removed = with_services(work)
    print_json(removed) if as_json else click.echo(f"Removed: {counted(removed)}.")
