"""Which documents there are to ingest: files, folders, URLs; and which are gone.

items = files([Path("docs")], base=Path.cwd()).items
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chatbot.domain import ChatbotError, Document
from chatbot.ingestion.parsing.parse import IMAGES, SUFFIXES
from chatbot.ingestion.records import Item
from chatbot.storage.documents import Documents

PAGE = 200
"""Documents read at a time."""
MANUAL = "docs"
"""The folder of the bot's own manual: its first corpus, until there is another one."""
NO_DOCUMENT = re.compile(rb"---[ \t]*\r?\n(?:[\w-]+:.*\n){0,20}?ingest:[ \t]*false[ \t]*\r?\n")
FRONT = 2000
"""Bytes in which a front matter is looked for."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or a folder that is not read, and why not."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Collected:
    items: Sequence[Item]
    skipped: Sequence[Skipped] = ()


def files(paths: Iterable[Path], base: Path, name: str = "") -> Collected:
    """The supported files among `paths` and below the folders among them, each once. ChatbotError for a wrong path.

    `name`: what their sources begin with; see `source_of`.
    """
    found: dict[str, Item] = {}
    skipped: dict[str, Skipped] = {}
    for path in paths:
        if not path.exists():
            raise ChatbotError(f"{path}: no such file or folder.")
        for file in _below(path):
            source = source_of(file, base, path, name)
            if reason := _why_not(file, path):
                skipped[source] = Skipped(source, reason)
            else:
                found[source] = Item(source, source.rpartition("/")[2], file.read_bytes, path=file)
    return Collected(list(found.values()), [each for source, each in skipped.items() if source not in found])


def urls(given: Iterable[str]) -> list[Item]:
    """The documents at these URLs."""
    return [Item(url, url, None) for url in given]


def source_of(path: Path, base: Path, root: Path | None = None, name: str = "") -> str:
    """What identifies a file, wherever it is ingested from: never where it lies on somebody's disk.

    Its path relative to `base`, the project, when it is below it. Otherwise the name of the folder that was given,
    `root`, and the path below that; its own name alone when it was given itself. `name` stands in place of the root's.
    """
    absolute, base = Path(os.path.abspath(path)), Path(os.path.abspath(base))
    root = absolute if root is None else Path(os.path.abspath(root))
    if not name and absolute.is_relative_to(base):
        return readable(absolute.relative_to(base).as_posix())
    top = name.strip("/") or root.name
    parts = absolute.relative_to(root).parts or ((absolute.name,) if name and absolute.is_file() else ())
    return readable("/".join([top, *parts]))


def readable(name: str) -> str:
    """A file's name in composed Unicode, as most systems write it; bytes that are not UTF-8 read as Windows-1252, and
    control characters, such as a line break, replaced."""
    try:
        name.encode()
    except UnicodeEncodeError:
        name = os.fsencode(name).decode("cp1252", errors="replace")
    return "".join(
        "\ufffd" if unicodedata.category(each) == "Cc" else each for each in unicodedata.normalize("NFC", name)
    )


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
    exact = {unicodedata.normalize("NFC", source) for source in sources}
    folders = tuple(source.rstrip("/") + "/" for source in exact)
    return lambda document: document.source in exact or document.source.startswith(folders)


def _below(path: Path) -> Iterator[Path]:
    """Files, and the folders that are not gone into: hidden ones, and links, which may lead anywhere."""
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        left_out = {each for each in folders if each.startswith(".") or Path(folder, each).is_symlink()}
        folders[:] = sorted(each for each in folders if each not in left_out)
        yield from sorted(Path(folder, each) for each in [*names, *left_out])


def _why_not(file: Path, given: Path) -> str:
    """Why a file, or a folder, is skipped; "" when it is read. What was named itself is taken at its word."""
    if file.is_symlink() and file.is_dir():
        return "a linked folder: name it to have it read"
    if file != given and file.name.startswith("."):
        return "hidden"
    if file.name.startswith(("~$", ".~lock.")):
        return "the lock file of an open document"
    if not file.is_file():
        return "a broken link" if file.is_symlink() else "no file"
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        return f"files of type {suffix} cannot be read" if suffix else "it has no type: give its name an ending"
    if suffix in IMAGES and file != given:
        return "a picture: name it to have its text read"
    if suffix == ".md" and file != given and _is_no_document(file):
        return "its front matter says that it is no document"
    return ""


def _is_no_document(file: Path) -> bool:
    """Whether a Markdown file begins with `ingest: false` in its front matter, as corpus/README.md does."""
    with file.open("rb") as opened:
        return bool(NO_DOCUMENT.match(opened.read(FRONT)))
