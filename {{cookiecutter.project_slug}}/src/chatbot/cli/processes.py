"""The long-running processes, and all of them at once on one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    pass


@click.command()
def web() -> None:
    """Serve the chat page and the HTTP API on HOST and PORT.

    Example: PORT=9000 chatbot web
    """
    from chatbot.runtime.process import started

    with started("web") as services:
        from chatbot.web.app import serve

        serve(services)


@click.command()
def worker() -> None:
    """Do the jobs of the queue, WORKER_CONCURRENCY at a time, until SIGTERM.

    Example: WORKER_CONCURRENCY=4 chatbot worker
    """
    from chatbot.jobs.worker import work
    from chatbot.runtime.process import run

    run("worker", work)


@click.command()
def scheduler() -> None:
    """Send jobs that are due to the queue, each second. More than one may run.

    Example: chatbot scheduler
    """
    from chatbot.jobs.scheduler import schedule
    from chatbot.runtime.process import run

    run("scheduler", schedule)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
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
