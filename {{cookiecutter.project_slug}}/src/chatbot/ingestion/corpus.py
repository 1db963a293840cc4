"""Which documents there are to ingest: files, folders, URLs, the records of a collection; and which are gone.

items = files([Path("docs")], base=Path.cwd()).items
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chatbot.domain import ChatbotError, Document, Metadata
from chatbot.ingestion.hal import harvest
from chatbot.ingestion.parsing.parse import SUFFIXES
from chatbot.storage.documents import Documents

HAL = "hal:"
PAGE = 200
"""Documents read at a time."""


@dataclass(frozen=True, slots=True)
class Item:
    """One document to ingest; `read` gives its bytes when its turn comes. Without it, `source` is a URL to fetch."""

    source: str
    name: str
    read: Callable[[], bytes] | None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collected:
    items: Sequence[Item]
    skipped: int
    """Files of a type that cannot be read, hidden files, records without an abstract."""


def files(paths: Iterable[Path], base: Path) -> Collected:
    """The supported files among `paths` and below the folders among them, each once. ChatbotError for a wrong path."""
    found: dict[str, Item] = {}
    skipped = 0
    for path in paths:
        if not path.exists():
            raise ChatbotError(f"{path}: no such file or folder.")
        for file in _below(path):
            if _hidden(file, path) or file.suffix.lower() not in SUFFIXES:
                skipped += 1
            else:
                source = source_of(file, base)
                found[source] = Item(source, file.name, file.read_bytes)
    return Collected(list(found.values()), skipped)


def urls(given: Iterable[str]) -> list[Item]:
    """The documents at these URLs."""
    return [Item(url, url, None) for url in given]


async def records(hal_url: str, collection: str) -> Collected:
    """The publications of a HAL collection that have an abstract."""
    every = [record async for record in harvest(hal_url, collection)]
    with_text = [
        Item(record.source, record.name, record.text.encode, record.metadata) for record in every if record.text
    ]
    return Collected(with_text, len(every) - len(with_text))


def source_of(path: Path, base: Path) -> str:
    """What identifies a file: its path relative to `base` when it is below it, absolute otherwise, with slashes."""
    absolute, base = Path(os.path.abspath(path)), Path(os.path.abspath(base))
    return (absolute.relative_to(base) if absolute.is_relative_to(base) else absolute).as_posix()


async def missing(documents: Documents, belongs: Callable[[Document], bool], present: set[str]) -> list[Document]:
    """The documents that belong to a corpus and whose source is not in `present` any more."""
    every = every_document(documents)
    return [each async for each in every if belongs(each) and each.source not in present]


async def every_document(documents: Documents) -> AsyncIterator[Document]:
    """In the order of ids."""
    after: str | None = None
    while page := await documents.list(PAGE, after):
        for document in page:
            yield document
        after = page[-1].id


def below(sources: Iterable[str]) -> Callable[[Document], bool]:
    """Whether a document is one of these files, or in one of these folders."""
    exact = set(sources)
    folders = tuple(source.rstrip("/") + "/" for source in exact)
    return lambda document: document.source in exact or document.source.startswith(folders)


def of_collection(collection: str) -> Callable[[Document], bool]:
    """Whether a document was harvested from this HAL collection."""
    return lambda document: document.metadata.get("collection") == collection


def _below(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def _hidden(file: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(root).parts)
