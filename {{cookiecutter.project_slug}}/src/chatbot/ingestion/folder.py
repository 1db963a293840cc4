"""A folder of this machine as an archive: its supported files, under the names that `chatbot ingest` gives them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from chatbot.domain import UnreadableDocument
from chatbot.ingestion import corpus
from chatbot.ingestion.records import Item, Record


class Folder:
    """See `records.Source`."""

    def __init__(self, path: Path, base: Path, collection: str) -> None:
        self._path, self._base, self._collection = path, base, collection

    async def changed(self, since: str) -> AsyncIterator[Record]:
        for item in await asyncio.to_thread(self._files):
            modified = await asyncio.to_thread(_modified, item)
            yield Record(item.source, item.name, "", {"collection": self._collection}, modified=modified)

    async def present(self) -> None:
        return None

    async def item(self, record: Record) -> Item:
        for item in await asyncio.to_thread(self._files):
            if item.source == record.source:
                return replace(item, metadata=record.metadata)
        raise UnreadableDocument("The file is gone.")

    def _files(self) -> Sequence[Item]:
        return corpus.files([self._path], self._base).items


def _modified(item: Item) -> str:
    return datetime.fromtimestamp(item.path.stat().st_mtime, UTC).isoformat() if item.path else ""
