"""What several commands share: their options, the services they work with, and how results are printed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

if TYPE_CHECKING:
    from chatbot.bootstrap import Services
    from chatbot.jobs.batch import Outcome


T = TypeVar("T")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")
through_queue = click.option("--queue", "through_queue", is_flag=True, help="Share it with the workers, and follow it.")


def with_services(work: Callable[[Services], Awaitable[T]]) -> T:
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


def exit_if_failed(outcomes: list[Outcome]) -> None:
    if any(outcome.state == "failed" for outcome in outcomes):
        click.get_current_context().exit(1)


def counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def print_json(value: Any) -> None:
    click.echo(to_json(value))


def to_json(value: Any) -> str:
    def plain(item: Any) -> Any:
        if dataclasses.is_dataclass(item):
            return dataclasses.asdict(cast(Any, item))
        return sorted(item) if isinstance(item, frozenset) else str(item)

    return json.dumps(value, default=plain, ensure_ascii=False, indent=2)
