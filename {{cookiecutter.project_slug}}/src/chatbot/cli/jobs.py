"""The jobs that the workers do."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import click

from chatbot.cli.shared import as_json, print_json, with_services
from chatbot.domain import ChatbotError, JobState

if TYPE_CHECKING:
    from chatbot.bootstrap import Services


@click.group()
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

    found = with_services(lambda services: services.jobs.list(state, limit))
    print_json(found) if as_json else show_jobs(found)


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

    if refused := with_services(work):
        raise ChatbotError(f"Neither dead nor failed: {', '.join(refused)}")
