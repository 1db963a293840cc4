"""`run migrate`: the database, the vector index and the queue come to this release, however many start at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbot.pipelines.pipeline import Figures, Options, Pipeline, Step, Watch
from chatbot.runtime import migrate

if TYPE_CHECKING:
    from chatbot.bootstrap import Services


async def to_this_release(services: Services, options: Options, watch: Watch) -> Figures:
    await migrate.migrate(services.settings)
    return {}


PIPELINE = Pipeline("migrate", (Step("to this release", to_this_release),), is_recorded=False)
