"""How far an ingestion is, on stderr: a bar in a terminal, one line a document elsewhere."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from chatbot.ingestion.corpus import Skipped
    from chatbot.jobs.batch import Outcome


class Progress:
    """How far an ingestion is, on stderr: a bar in a terminal, one line a document elsewhere."""

    def __init__(self, total: int) -> None:
        self._running: dict[str, float] = {}
        self._finished = 0
        self._pages = 0
        self._started = time.monotonic()
        self._bar = _bar() if sys.stderr.isatty() else None
        self._task = self._bar.add_task("", total=total, rate="") if self._bar else None

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def seconds(self) -> float:
        return max(time.monotonic() - self._started, 0.001)

    async def watch(self, source: str, fraction: float) -> None:
        self._running[source] = fraction
        self._show(source)
        await asyncio.sleep(0)

    def done(self, outcome: Outcome) -> None:
        self._running.pop(outcome.source, None)
        self._finished += 1
        self._pages += outcome.pages
        self._show(outcome.source)
        note = f"; {'WARNING: ' if outcome.is_partial else ''}{outcome.note}" if outcome.note else ""
        if outcome.error:
            self._say(f"{outcome.source}: {outcome.error}")
        elif note or not self._bar:
            self._say(f"{outcome.state:<9}  {outcome.source}  {outcome.chunks} chunks{note}")

    def skipped(self, each: Skipped) -> None:
        self._say(f"skipped    {each.source}: {each.reason}")

    def _show(self, source: str) -> None:
        if self._bar and self._task is not None:
            completed = self._finished + sum(self._running.values())
            rate = f"{self._pages / self.seconds:.1f} pages/s" if self._pages else ""
            description = source if len(source) <= 40 else "…" + source[-39:]
            self._bar.update(self._task, completed=completed, description=description, rate=rate)

    def _say(self, line: str) -> None:
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            click.echo(line, err=True)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True))
