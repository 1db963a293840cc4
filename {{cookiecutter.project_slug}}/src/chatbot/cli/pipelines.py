"""Runs a pipeline for `chatbot run`: its steps in this process, or with PREFECT_API_URL its flow under that server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import click

from chatbot.cli.shared import print_json

SHOWN_EVERY = 1.0
"""Seconds between two lines that say how far a step is."""


def run_pipeline(name: str, options: Mapping[str, Any], as_json: bool = False, ping: bool = True) -> None:
    """Run it and print its figures. ChatbotError for a mistake or an outage."""
    from chatbot import settings

    loaded = settings.load()  # before the imports that take seconds
    if loaded.prefect_api_url:
        from chatbot.pipelines.with_prefect import run

        figures = run(str(loaded.prefect_api_url), name, options)
    else:
        figures = asyncio.run(_run(loaded, name, options, ping))
    if as_json:
        print_json(figures)
    elif figures or not options.get("if_empty"):
        click.echo("\n".join([f"{name}: {_told(figures)}.", *figures.get("notes", [])]))
    exit_if_below(figures)


def exit_if_below(figures: Mapping[str, Any]) -> None:
    """With code 1, when something failed: documents, or a threshold."""
    if figures.get("failed"):
        click.get_current_context().exit(1)


async def _run(loaded: Any, name: str, options: Mapping[str, Any], ping: bool) -> dict[str, Any]:
    from chatbot.pipelines import pipeline

    async with pipeline.opened(loaded) as services:
        if ping:
            await services.database.ping()
        return await pipeline.run(services, pipeline.pipeline(name), options, _watch())


def _watch() -> Any:
    shown = time.monotonic()

    async def watch(what: str, fraction: float) -> None:
        nonlocal shown
        if time.monotonic() - shown > SHOWN_EVERY:
            shown = time.monotonic()
            click.echo(f"{fraction:4.0%}  {what}", err=True)

    return watch


def _told(figures: Mapping[str, Any]) -> str:
    plain = [f"{name} {value}" for name, value in figures.items() if isinstance(value, str | int | float)]
    return ", ".join(plain) or "done"
