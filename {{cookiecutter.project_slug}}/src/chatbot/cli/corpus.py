"""Documents in and out: files, folders, URLs, and the corpus that the settings name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from chatbot.cli.shared import as_json, exit_if_failed, print_json, through_queue, with_services
from chatbot.domain import ChatbotError, Document

if TYPE_CHECKING:
    from chatbot.bootstrap import Services
    from chatbot.ingestion.corpus import Collected
    from chatbot.jobs.batch import Outcome


MANUAL_STAYS = (
    "The bot answers from its manual too, since CORPUS=docs: take it out with `chatbot ingest docs --remove`."
)


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take these files and URLs, or all in these folders, out of the bot.")
@click.option("--name", default="", help="What their sources begin with, in place of the folder's name.")
@click.option("--fast", is_flag=True, help="Make files findable by their words; the workers embed them afterwards.")
@through_queue
@as_json
def ingest(paths: tuple[str, ...], remove: bool, name: str, fast: bool, through_queue: bool, as_json: bool) -> None:
    """Make the files in PATHS, all below folders, and what URLs hold, findable. What is unchanged is left alone.

    \b
    Examples:
      chatbot ingest report.pdf papers/
      chatbot ingest https://example.org/report.pdf
      chatbot ingest /srv/share/p2024 --name papers
      chatbot ingest papers/ --remove
    """
    from chatbot import settings
    from chatbot.ingestion import corpus
    from chatbot.pipelines.ingest import is_manual

    home = settings.home()
    urls = [path for path in paths if "://" in path]
    folders = [Path(path) for path in paths if path not in urls]
    if remove:
        # The path as it is, too: sources of earlier releases were that, outside of the project.
        absolute = [Path(os.path.abspath(path)).as_posix() for path in folders]
        sources = [*urls, *(corpus.source_of(path, home, path, name) for path in folders), *absolute]
        removed = with_services(lambda services: remove_absent(services, corpus.below(sources), set()))
        click.echo(json.dumps({"removed": removed}) if as_json else f"{len(removed)} documents removed")
    else:
        found = corpus.files(folders, home, name)
        collected = corpus.Collected([*found.items, *corpus.urls(urls)], found.skipped)
        if not collected.items:
            reasons = "; ".join(dict.fromkeys(f"{each.source}: {each.reason}" for each in collected.skipped[:5]))
            raise ChatbotError(f"Nothing to ingest: {len(collected.skipped)} files there. {reasons}".strip())
        outcomes = with_services(lambda services: ingest_collected(services, collected, through_queue, as_json, fast))
        if settings.load().corpus == corpus.MANUAL and not all(is_manual(path) for path in paths):
            click.echo(MANUAL_STAYS, err=True)
        exit_if_failed(outcomes)


async def ingest_collected(
    services: Services, collected: Collected, through_queue: bool, as_json: bool, fast: bool = False
) -> list[Outcome]:
    """Ingest what was collected, show how far it is, and print what became of it."""
    from chatbot.cli.output import summary
    from chatbot.cli.progress import Progress
    from chatbot.pipelines import documents

    outcomes: list[Outcome] = []
    with Progress(len(collected.items)) as progress:
        async for outcome in documents.ingest(services, collected.items, progress.watch, through_queue, fast):
            outcomes.append(outcome)
            progress.done(outcome)
        for each in collected.skipped:
            progress.skipped(each)
    text = summary(outcomes, len(collected.skipped), progress.seconds)
    print_json({"summary": text, "skipped": collected.skipped, "documents": outcomes}) if as_json else click.echo(text)
    return outcomes


async def remove_absent(services: Services, belongs: Callable[[Any], bool], present: set[str]) -> list[str]:
    """Remove the documents of a corpus that are not `present`; returns their sources."""
    from chatbot.ingestion import corpus

    gone = await corpus.missing(services.documents, belongs, present)
    for document in gone:
        await services.ingester.remove(document.id)
    return [document.source for document in gone]


@click.group()
def documents() -> None:
    """Look at what the bot answers from.

    Example: chatbot documents list
    """


@documents.command("list")
@click.option("--partial", is_flag=True, help="Only those of which much was left out, or nothing can be found.")
@click.option("--words", default="", help="Only those with these words in the title or the source.")
@click.option("--year", multiple=True, help="Only of this year; this and what follows may be given several times.")
@click.option("--author", multiple=True, help="Only by this author.")
@click.option("--type", "types", multiple=True, help="Only of this type, as the metadata has it.")
@click.option("--licence", multiple=True, help="Only under this licence.")
@click.option("--language", multiple=True, help="Only in this language: en or fr.")
@as_json
def list_(
    partial: bool,
    words: str,
    year: tuple[str, ...],
    author: tuple[str, ...],
    types: tuple[str, ...],
    licence: tuple[str, ...],
    language: tuple[str, ...],
    as_json: bool,
) -> None:
    """List the documents, and what was left out of each.

    \b
    Examples:
      chatbot documents list --partial
      chatbot documents list --author "Roe, J." --year 2024 --json
    """
    from chatbot.cli.output import show_documents
    from chatbot.ingestion.corpus import every_document

    chosen = {"year": year, "author": author, "type": types, "licence": licence, "language": language}

    async def work(services: Services) -> list[Document]:
        narrowed = words or any(chosen.values())
        every = services.catalogue.every(chosen, words) if narrowed else every_document(services.documents)
        return [each async for each in every if not partial or each.reading.is_partial or not each.chunks]

    found = with_services(work)
    print_json(found) if as_json else show_documents(found)


@documents.command("cite")
@click.argument("sources", nargs=-1)
@click.option(
    "--format", type=click.Choice(["bibtex", "ris", "csl"]), default="bibtex", show_default=True, help="Of the entries."
)
def cite(sources: tuple[str, ...], format: str) -> None:
    """Print entries for a bibliography, of the documents of these SOURCES or ids, or of all.

    \b
    Examples:
      chatbot documents cite papers/stone.pdf
      chatbot documents cite --format ris
    """
    from chatbot.ingestion.corpus import every_document
    from chatbot.text import bibliography

    async def work(services: Services) -> list[Document]:
        return [each async for each in every_document(services.documents)]

    documents = with_services(work)
    known = {name for each in documents for name in (each.id, each.source)}
    if unknown := [each for each in sources if each not in known]:
        raise ChatbotError(f"There is no document {unknown[0]}: `chatbot documents list` shows them.")
    chosen = [each for each in documents if not sources or {each.id, each.source} & {*sources}]
    click.echo(bibliography.written(cast(bibliography.Format, format), chosen), nl=False)
