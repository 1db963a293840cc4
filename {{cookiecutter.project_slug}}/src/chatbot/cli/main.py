"""`chatbot`: every process and every admin task, from the same code and the same settings (factors VI, VIII, XII).

Each command imports what it needs when it runs, so that `chatbot --help` answers at once.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import click

from chatbot.domain import ChatbotError, JobState, Language, Scope

if TYPE_CHECKING:
    from chatbot.bootstrap import Services
    from chatbot.ingestion.corpus import Collected, Outcome

T = TypeVar("T")

INTERRUPTED = 130
"""The shell's exit code for a command stopped by Ctrl-C."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")
through_queue = click.option("--queue", "through_queue", is_flag=True, help="Let the workers do it, and follow them.")


class Chatbot(click.Group):
    """Says what went wrong in one sentence, whatever the command, instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ChatbotError as error:
            click.secho(str(error), fg="red", err=True)
            ctx.exit(1)
        except (KeyboardInterrupt, asyncio.CancelledError):
            ctx.exit(INTERRUPTED)


@click.group(cls=Chatbot, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Answers questions from your documents, with citations.

    \b
    chatbot dev                          everything, with its services, on this machine
    chatbot ingest papers/               add documents
    chatbot ask "What is a carbon tax?"  ask a question
    """


# Processes ------------------------------------------------------------------------------------------------------------


@main.command()
def web() -> None:
    """Serve the chat page and the HTTP API on HOST and PORT.

    Example: PORT=9000 chatbot web
    """
    from chatbot.runtime.process import serve_web

    serve_web()


@main.command()
def worker() -> None:
    """Do the jobs of the queue, WORKER_CONCURRENCY at a time, until SIGTERM.

    Example: WORKER_CONCURRENCY=4 chatbot worker
    """
    from chatbot.jobs.worker import work
    from chatbot.runtime.process import run

    run("worker", work)


@main.command()
def scheduler() -> None:
    """Send jobs that are due to the queue, each second. More than one may run.

    Example: chatbot scheduler
    """
    from chatbot.jobs.scheduler import schedule
    from chatbot.runtime.process import run

    run("scheduler", schedule)


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def dev(ctx: click.Context, command: tuple[str, ...]) -> None:
    """Start the services and all processes on this machine; or, with a COMMAND, only what that command needs.

    \b
    Examples:
      chatbot dev                         the chat page, until Ctrl-C
      chatbot dev ingest ../papers        one command, with the services around it
      chatbot dev ask "Who are you?"
    """
    from chatbot.runtime.dev import run_command, run_processes

    ctx.exit(run_command(command) if command else run_processes())


# Questions ------------------------------------------------------------------------------------------------------------


@main.command()
@click.argument("question")
@click.option("--language", type=click.Choice(get_args(Language)), help="Answer in it; default: the question's.")
@click.option("--extractive", is_flag=True, help="Quote the documents, without the language model.")
@as_json
def ask(question: str, language: Language | None, extractive: bool, as_json: bool) -> None:
    """Answer QUESTION from the documents, with citations.

    Example: chatbot ask "What does a carbon tax change?" --language fr
    """
    from chatbot.cli.output import show_answer
    from chatbot.domain import ModelUnavailable, Question
    from chatbot.text.analysis import detect_language

    asked = Question(question, language or detect_language(question), extractive=extractive)
    try:
        answer = _with_services(lambda services: services.answerer.answer(asked))
    except ModelUnavailable as error:
        raise ChatbotError(f"{error}. Add --extractive for quotes from the documents instead.") from None
    _print_json(answer) if as_json else show_answer(answer)


@main.command()
@click.argument("text")
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="Passages at most.")
@as_json
def search(text: str, limit: int, as_json: bool) -> None:
    """Show the passages nearest to TEXT, best first.

    Example: chatbot search "flood risk in Paris" --limit 3
    """
    from chatbot.cli.output import show_passages

    passages = _with_services(lambda services: services.retriever.search(text, limit))
    _print_json(passages) if as_json else show_passages(passages)


# Documents ------------------------------------------------------------------------------------------------------------


@main.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take these files and URLs, or all in these folders, out of the bot.")
@through_queue
@as_json
def ingest(paths: tuple[str, ...], remove: bool, through_queue: bool, as_json: bool) -> None:
    """Make the files in PATHS, all below folders, and what URLs hold, findable. What is unchanged is left alone.

    \b
    Examples:
      chatbot ingest report.pdf papers/
      chatbot ingest https://example.org/report.pdf
      chatbot ingest papers/ --remove
    """
    from chatbot.ingestion import corpus

    urls = [path for path in paths if "://" in path]
    folders = [Path(path) for path in paths if path not in urls]
    if remove:
        sources = [*urls, *(corpus.source_of(path, Path.cwd()) for path in folders)]
        removed = _with_services(lambda services: _remove(services, corpus.below(sources), set()))
        click.echo(json.dumps({"removed": removed}) if as_json else f"{len(removed)} documents removed")
    else:
        found = corpus.files(folders, Path.cwd())
        collected = corpus.Collected([*found.items, *corpus.urls(urls)], found.skipped)
        if not collected.items:
            raise ChatbotError(f"Nothing to ingest: {collected.skipped} files there, none of a type that can be read.")
        outcomes = _with_services(lambda services: _ingest(services, collected, through_queue, as_json))
        _exit_if_failed(outcomes)


@main.group("run")
def run_() -> None:
    """Run one step over the whole corpus.

    Example: chatbot run ingest
    """


@run_.command()
def migrate() -> None:
    """Bring the database, the vector index and the queue to this release. Safe to repeat, and from many at once.

    Example: chatbot run migrate
    """
    from chatbot import settings
    from chatbot.runtime.migrate import migrate

    asyncio.run(migrate(settings.load()))


@run_.command("ingest")
@click.option("--prune", is_flag=True, help="Also remove documents that are not in the corpus any more.")
@click.option("--if-empty", is_flag=True, help="Only when no document has been ingested yet.")
@through_queue
@as_json
def run_ingest(prune: bool, if_empty: bool, through_queue: bool, as_json: bool) -> None:
    """Ingest the corpus: the folder or the HAL collection that CORPUS names.

    Example: CORPUS=hal:CIRED chatbot run ingest --prune
    """
    _exit_if_failed(_with_services(lambda services: _ingest_corpus(services, prune, if_empty, through_queue, as_json)))


@run_.command()
def index() -> None:
    """Rebuild the vector index for the configured EMBEDDINGS_MODEL, while the old one still answers.

    Example: EMBEDDINGS_MODEL=my-model chatbot run index
    """
    from chatbot.ingestion.rebuild import rebuild

    def report(done: int, total: int) -> None:
        click.echo(f"{done} of {total} documents", err=True)

    name = _with_services(lambda services: rebuild(services, report))
    click.echo(f"The index {name} is active.")


@run_.command()
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
        return await _ingest_named(services, corpus, prune, through_queue, as_json)

    _exit_if_failed(_with_services(work))


@run_.command()
@as_json
def purge(as_json: bool) -> None:
    """Delete old conversations, by CONVERSATION_RETENTION_DAYS, and old counters. The scheduler does it once a day.

    Example: CONVERSATION_RETENTION_DAYS=90 chatbot run purge
    """
    from chatbot.jobs.retention import purge

    removed = _with_services(purge)
    _print_json(removed) if as_json else click.echo(f"Removed: {_counted(removed)}.")


# Users ----------------------------------------------------------------------------------------------------------------


@main.command("export-user")
@click.argument("id")
@click.option("--output", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write to this file.")
def export_user(id: str, output: Path | None) -> None:
    """Print all that is kept of the user ID, as JSON: conversations, feedback, consent.

    Example: chatbot export-user visitor:8fJ2kQ --output user.json
    """
    record = _with_services(lambda services: services.personal.export(id))
    if not record.conversations and record.consent.updated_at is None:
        raise ChatbotError("Nothing is kept of this user.")
    if output is None:
        return _print_json(record)
    output.touch(mode=0o600)
    output.write_text(_as_json(record) + "\n", "utf-8")
    click.echo(f"{len(record.conversations)} conversations written to {output}", err=True)


@main.command("erase-user")
@click.argument("id")
@click.option("--yes", is_flag=True, help="Do not ask first.")
def erase_user(id: str, yes: bool) -> None:
    """Erase all that is kept of the user ID, at once and for good.

    Example: chatbot erase-user visitor:8fJ2kQ --yes
    """
    if not yes:
        click.confirm("Erase everything that is kept of this user, for good?", abort=True)
    click.echo(f"Erased: {_counted(_with_services(lambda services: services.personal.erase(id)))}.")


# Keys -----------------------------------------------------------------------------------------------------------------


@main.group()
def keys() -> None:
    """Give programs and people keys to the HTTP API, and take them back.

    Example: chatbot keys list
    """


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(get_args(Scope)),
    multiple=True,
    default=("ask",),
    show_default=True,
    help="What it may do; may be given several times.",
)
def create_key(name: str, scopes: tuple[Scope, ...]) -> None:
    """Make a key for NAME and print it, this once: only its hash is kept.

    Example: chatbot keys create "the intranet" --scope ask --scope ingest
    """
    if not name.isprintable() or not 0 < len(name.strip()) <= 80:
        raise click.UsageError("A name has 1 to 80 printable characters.")
    key, secret = _with_services(lambda services: services.keys.create(name.strip(), frozenset(scopes)))
    click.echo(f"Key {key.id}, for {', '.join(sorted(key.scopes))}. It is not shown again:", err=True)
    click.echo(secret)


@keys.command("list")
@as_json
def list_keys(as_json: bool) -> None:
    """List the keys, the latest first: never the keys themselves, only how they begin.

    Example: chatbot keys list --json
    """
    from chatbot.cli.output import show_keys

    found = _with_services(lambda services: services.keys.list())
    _print_json(found) if as_json else show_keys(found)


@keys.command("revoke")
@click.argument("id")
def revoke_key(id: str) -> None:
    """Refuse the key with this ID from now on, in every process.

    Example: chatbot keys revoke 0f3c9a
    """
    if not _with_services(lambda services: services.keys.revoke(id)):
        raise ChatbotError(f"There is no key {id} that could be revoked: see `chatbot keys list`.")
    click.echo(f"The key {id} is revoked.")


# Jobs and configuration -----------------------------------------------------------------------------------------------


@main.group()
def jobs() -> None:
    """Look after the jobs that the workers do.

    Example: chatbot jobs list --state dead
    """


@jobs.command("list")
@click.option("--state", type=click.Choice(get_args(JobState)), help="Only jobs in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Jobs at most.")
@as_json
def list_(state: JobState | None, limit: int, as_json: bool) -> None:
    """List jobs, the latest first.

    Example: chatbot jobs list --state failed
    """
    from chatbot.cli.output import show_jobs

    found = _with_services(lambda services: services.jobs.list(state, limit))
    _print_json(found) if as_json else show_jobs(found)


@jobs.command()
@click.argument("ids", nargs=-1, metavar="ID...")
@click.option("--all", "everything", is_flag=True, help="Every dead job.")
def requeue(ids: tuple[str, ...], everything: bool) -> None:
    """Give dead or failed jobs new attempts, by their ID.

    Example: chatbot jobs requeue --all
    """
    if bool(ids) == everything:
        raise click.UsageError("Name the jobs by their ID, or say --all.")

    async def work(services: Services) -> list[str]:
        wanted = [job.id for job in await services.jobs.list("dead", 10_000)] if everything else ids
        return [id for id in wanted if not await services.jobs.requeue(id)] if wanted else []

    if refused := _with_services(work):
        raise ChatbotError(f"Neither dead nor failed: {', '.join(refused)}")


@main.group()
def config() -> None:
    """Look at the settings.

    Example: chatbot config check
    """


@config.command()
def check() -> None:
    """Say which variables are missing or wrong; exit code 1 if any is.

    Example: chatbot config check
    """
    from chatbot import settings

    settings.load()
    click.echo("The configuration is usable.")


@config.command()
@as_json
def show(as_json: bool) -> None:
    """Print every variable as this process sees it, secrets masked.

    Example: chatbot config show --json
    """
    from chatbot import settings

    values = settings.masked(settings.load())
    _print_json(values) if as_json else click.echo("\n".join(f"{name}={value}" for name, value in values.items()))


# What several commands share ------------------------------------------------------------------------------------------


def _with_services(work: Callable[[Services], Awaitable[T]]) -> T:
    """Run `work` with the services that the settings describe, and close them."""
    from chatbot import settings

    loaded = settings.load()  # before the imports that take seconds
    from chatbot.bootstrap import bootstrap

    async def body() -> T:
        services = bootstrap(loaded)
        try:
            await services.database.ping()
            return await work(services)
        finally:
            await services.aclose()

    return asyncio.run(body())


async def _ingest_corpus(
    services: Services, prune: bool, if_empty: bool, through_queue: bool, as_json: bool
) -> list[Outcome]:
    documents, _ = await services.documents.count()
    if if_empty and documents:
        return []
    if if_empty:
        click.echo(f"No document has been ingested yet: ingesting {services.settings.corpus}.", err=True)
    return await _ingest_named(services, services.settings.corpus, prune, through_queue, as_json)


async def _ingest_named(
    services: Services, name: str, prune: bool, through_queue: bool, as_json: bool
) -> list[Outcome]:
    """Ingest the corpus `name`: a folder, relative to the project, or hal:COLLECTION."""
    from chatbot import settings
    from chatbot.ingestion import corpus

    if name.startswith(corpus.HAL):
        collection = name.removeprefix(corpus.HAL)
        collected = await corpus.records(str(services.settings.hal_url), collection)
        belongs = corpus.of_collection(collection)
    else:
        folder = settings.home() / name
        collected = corpus.files([folder], settings.home())
        belongs = corpus.below([corpus.source_of(folder, settings.home())])

    outcomes = await _ingest(services, collected, through_queue, as_json)
    if prune:
        removed = await _remove(services, belongs, {item.source for item in collected.items})
        click.echo(f"{len(removed)} documents removed", err=True)
    return outcomes


async def _ingest(services: Services, collected: Collected, through_queue: bool, as_json: bool) -> list[Outcome]:
    """Ingest what was collected, show how far it is, and print what became of it."""
    from chatbot.cli.output import Progress, summary
    from chatbot.ingestion import corpus

    flow = corpus.enqueue if through_queue else corpus.ingest
    outcomes: list[Outcome] = []
    with Progress(len(collected.items)) as progress:
        async for outcome in flow(services, collected.items, progress.watch):
            outcomes.append(outcome)
            progress.done(outcome)
    text = summary(outcomes, collected.skipped, progress.seconds)
    _print_json({"summary": text, "skipped": collected.skipped, "documents": outcomes}) if as_json else click.echo(text)
    return outcomes


async def _remove(services: Services, belongs: Callable[[Any], bool], present: set[str]) -> list[str]:
    """Remove the documents of a corpus that are not `present`; returns their sources."""
    from chatbot.ingestion import corpus

    gone = await corpus.missing(services, belongs, present)
    for document in gone:
        await services.ingester.remove(document.id)
    return [document.source for document in gone]


def _exit_if_failed(outcomes: list[Outcome]) -> None:
    if any(outcome.state == "failed" for outcome in outcomes):
        click.get_current_context().exit(1)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _print_json(value: Any) -> None:
    click.echo(_as_json(value))


def _as_json(value: Any) -> str:
    def plain(item: Any) -> Any:
        if dataclasses.is_dataclass(item):
            return dataclasses.asdict(cast(Any, item))
        return sorted(item) if isinstance(item, frozenset) else str(item)

    return json.dumps(value, default=plain, ensure_ascii=False, indent=2)
