"""`chatbot run NAME`: one step over the whole corpus, or one admin task."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from chatbot.cli.pipelines import exit_if_below, run_pipeline
from chatbot.cli.shared import as_json, print_json, through_queue, with_services


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
    run_pipeline("migrate", {}, ping=False)


@run.command("ingest")
@click.option("--prune", is_flag=True, help="Also remove documents that are not in the corpus any more.")
@click.option("--if-empty", is_flag=True, help="Only when no document has been ingested yet.")
@through_queue
@as_json
def run_ingest(prune: bool, if_empty: bool, through_queue: bool, as_json: bool) -> None:
    """Ingest the corpus: the folder or the archive that CORPUS names.

    Example: CORPUS=hal:CIRED chatbot run ingest --prune
    """
    run_pipeline("ingest", {"prune": prune, "if_empty": if_empty, "through_queue": through_queue}, as_json)


@run.command()
@as_json
def index(as_json: bool) -> None:
    """Rebuild the vector index for the configured EMBEDDINGS_MODEL, while the old one still answers.

    Example: EMBEDDINGS_MODEL=my-model chatbot run index
    """
    run_pipeline("index", {}, as_json)


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
@click.argument("corpus", required=False)
@click.option("--prune", is_flag=True, hidden=True, help="No longer needed: what is gone is removed by itself.")
@through_queue
@as_json
def harvest(corpus: str | None, prune: bool, through_queue: bool, as_json: bool) -> None:
    """Ingest what an archive has changed: a collection of HAL, or oai:URL, sitemap:URL, urls:FILE; default: CORPUS.

    \b
    Examples:
      chatbot run harvest CIRED
      chatbot run harvest oai:https://zenodo.org/oai2d#user-cired
    """
    run_pipeline("harvest", {"corpus": corpus, "through_queue": through_queue}, as_json)


@run.command()
@click.option("--questions", type=click.Path(dir_okay=False), help="The file of questions; default: QUESTIONS.")
@click.option("--beir", type=click.Path(file_okay=False), help="A data set in the BEIR layout, into an empty database.")
@click.option("--threshold", "thresholds", multiple=True, help="What fails the run, e.g. nDCG@10>=0.6; repeatable.")
@click.option("--against", type=click.Path(dir_okay=False), help="A file of variables: the other configuration.")
@as_json
def benchmark(
    questions: str | None, beir: str | None, thresholds: tuple[str, ...], against: str | None, as_json: bool
) -> None:
    """Measure ranking, answers and refusals on questions whose answers are known. Exit code 1 below a threshold.

    \b
    Examples:
      chatbot run benchmark --questions questions.yaml --threshold "right>=0.8"
      chatbot run benchmark --against lexical.env
    """
    options = {"questions": questions, "beir": beir, "thresholds": list(thresholds), "against": against}
    run_pipeline("benchmark", options, as_json)


@run.command()
@click.option("--folder", type=click.Path(file_okay=False), help="Where report.html and report.json go; default: here.")
@click.option("--language", type=click.Choice(["en", "fr"]), help="Default: BOT_LANGUAGE.")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How far back it looks.")
@as_json
def report(folder: str | None, language: str | None, days: int, as_json: bool) -> None:
    """Write how the bot is used and how good it is: one HTML page, and the same as JSON. No personal data.

    Example: chatbot run report --language fr --days 30
    """
    run_pipeline("report", {"folder": folder, "language": language, "days": days}, as_json)


@run.command()
@click.option("--tombstones", type=click.Path(dir_okay=False), help="Those saved before a restore: erase them again.")
@click.option("--save-tombstones", type=click.Path(dir_okay=False), help="Write who was erased, to keep with backups.")
@as_json
def purge(tombstones: str | None, save_tombstones: str | None, as_json: bool) -> None:
    """Delete what is older than the retention variables allow. The scheduler does it once a day.

    \b
    Examples:
      CONVERSATION_RETENTION_DAYS=90 chatbot run purge
      chatbot run purge --save-tombstones tombstones.txt     beside each backup
      chatbot run purge --tombstones tombstones.txt          after a restore
    """
    lines = _lines(tombstones) if tombstones else []
    run_pipeline("purge", {"tombstones": lines, "save": save_tombstones}, as_json)


@run.command(hidden=True)
@click.argument("name")
@click.argument("tick", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]))
@click.argument("attempt", type=int)
def scheduled(name: str, tick: datetime, attempt: int) -> None:
    """Run a pipeline at a tick of its schedule: what the scheduler starts.

    Example: chatbot run scheduled report 2026-01-05T06:00:00+0000 1
    """
    from chatbot.pipelines.scheduled import run
    from chatbot.storage.pipeline_runs import Tick

    figures = with_services(lambda services: run(services, Tick(name, tick, attempt)))
    exit_if_below(figures or {})


def _lines(path: str) -> list[str]:
    from chatbot.domain import ChatbotError

    try:
        return Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ChatbotError(f"{path}: no such file that `run purge --save-tombstones` wrote.") from None
