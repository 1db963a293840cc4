"""`run purge`: what need not be kept any longer goes, and after a restore once more who was erased since that backup.

A tombstone is the hash of a caller who was erased, and when. They are remembered for as long as backups are kept
(BACKUP_DAYS); `--tombstones FILE` applies those that were saved elsewhere, since a backup does not know what came after
it. Repeating it changes nothing.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from chatbot.jobs import retention
from chatbot.pipelines.pipeline import Figures, Options, Pipeline, Step, Watch
from chatbot.storage.tombstones import Tombstones

if TYPE_CHECKING:
    from chatbot.bootstrap import Services


async def erase_again(services: Services, options: Options, watch: Watch) -> Figures:
    """First what was erased already: nobody waits for that longer than needed."""
    tombstones = Tombstones(services.database)
    await tombstones.add(options.get("tombstones") or ())
    again = await tombstones.apply()
    if save := options.get("save"):
        text = "".join(f"{line}\n" for line in await tombstones.lines())
        await asyncio.to_thread(Path(save).write_text, text, "utf-8")
    return {"erased again": again}


async def forget(services: Services, options: Options, watch: Watch) -> Figures:
    """By age: conversations with their feedback, records of jobs and runs, counters."""
    return {**await retention.purge(services)}


PIPELINE = Pipeline("purge", (Step("erase again", erase_again), Step("forget", forget)))
