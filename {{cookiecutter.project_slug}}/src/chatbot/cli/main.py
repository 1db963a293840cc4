"""`chatbot`: every process and every admin task, from the same code and the same settings (factors VI, VIII, XII).

Each command imports what it needs when it runs, so that `chatbot --help` answers at once.
"""

from __future__ import annotations

import asyncio
from typing import Any

import click

from chatbot.cli import config, corpus, feedback, jobs, keys, processes, questions, run, users
from chatbot.domain import ChatbotError

INTERRUPTED = 130
"""The shell's exit code for a command stopped by Ctrl-C."""


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


for command in (
    processes.web,
    processes.worker,
    processes.scheduler,
    processes.dev,
    questions.ask,
    questions.search,
    corpus.ingest,
    corpus.documents,
    feedback.feedback,
    run.run,
    users.export_user,
    users.erase_user,
    keys.keys,
    jobs.jobs,
    config.config,
):
    main.add_command(command)
