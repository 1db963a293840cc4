"""`run index`: the vector index made again for the configured embedding model, while the old one still answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from chatbot.ingestion.rebuild import rebuild
from chatbot.pipelines.pipeline import Figures, Options, Pipeline, Step, Watch

if TYPE_CHECKING:
    from chatbot.bootstrap import Services


async def build(services: Services, options: Options, watch: Watch) -> Figures:
    reports: set[asyncio.Task[None]] = set()

    def report(done: int, total: int) -> None:
        task = asyncio.ensure_future(_told(watch, done, total))
        reports.add(task)
        task.add_done_callback(reports.discard)

    s = services
    name = await rebuild(s.index, s.indexes, s.embeddings, s.documents, s.vectors, report)
    await asyncio.gather(*reports)
    return {"index": name}


async def _told(watch: Watch, done: int, total: int) -> None:
    await watch(f"{done} of {total} documents", done / max(total, 1))


PIPELINE = Pipeline("index", (Step("build", build),))
