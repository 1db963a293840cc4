"""Many documents in: which files or records there are, each of them ingested, and what became of it.

    items = files([Path("docs")], base=Path.cwd()).items
    async for outcome in ingest(services, items, watch):
        print(outcome.state, outcome.source)

A document that cannot be read is an outcome, not an error: the rest goes on.
"""

from __future__ import annotations

import asyncio
import os
import re
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from chatbot.domain import ChatbotError, Document, Job, Metadata, UnreadableDocument
from chatbot.ingestion.hal import harvest
from chatbot.ingestion.parsing.parse import IMAGES, SUFFIXES
from chatbot.ingestion.rebuild import every_document
from chatbot.storage.jobs import submit

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

HAL = "hal:"
MANUAL = "docs"
"""The folder of the bot's own manual: its first corpus, until there is another one."""
NO_DOCUMENT = re.compile(rb"---[ \t]*\r?\n(?:[\w-]+:.*\n){0,20}?ingest:[ \t]*false[ \t]*\r?\n")
FRONT = 2000
"""Bytes in which a front matter is looked for."""
POLL = 0.3
"""Seconds between two looks at the records of jobs that the workers do."""

State = Literal["new", "changed", "unchanged", "failed"]
Watch = Callable[[str, float], Awaitable[None]]
"""Told the source of the document under way and how much of it is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Item:
    """One document to ingest; `read` gives its bytes when its turn comes. Without it, `source` is a URL to fetch."""

    source: str
    name: str
    read: Callable[[], bytes] | None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, a folder or a record that is not read, and why not."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Collected:
    items: Sequence[Item]
    skipped: Sequence[Skipped] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document. Pages and new chunks are known only when this process did the work."""

    source: str
    state: State
    error: str | None = None
    pages: int = 0
    chunks: int = 0
    new_chunks: int = 0
    note: str = ""
    """What was left out of it, and how it was read."""
    is_partial: bool = False
    """So much was left out that somebody should look."""


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
                found[source] = Item(source, source.rpartition("/")[2], file.read_bytes)
    return Collected(list(found.values()), [each for source, each in skipped.items() if source not in found])


def urls(given: Iterable[str]) -> list[Item]:
    """The documents at these URLs."""
    return [Item(url, url, None) for url in given]


async def records(hal_url: str, collection: str) -> Collected:
    """The publications of a HAL collection, those without an abstract too: their title and authors are asked for."""
    every = [record async for record in harvest(hal_url, collection)]
    return Collected([Item(each.source, each.name, each.text.encode, each.metadata) for each in every])


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
    """A file's name in composed Unicode, as most systems write it; bytes that are not UTF-8 read as Windows-1252."""
    try:
        name.encode()
    except UnicodeEncodeError:
        name = os.fsencode(name).decode("cp1252", errors="replace")
    return unicodedata.normalize("NFC", name)


async def ingest(services: Services, items: Iterable[Item], watch: Watch) -> AsyncIterator[Outcome]:
    """Ingest one document after the other in this process, each with a job's record as if a worker did it."""
    for item in items:
        try:
            yield await _ingest(services, item, watch)
        except (UnreadableDocument, OSError) as error:
            yield Outcome(item.source, "failed", _sentence(error))


async def enqueue(services: Services, items: Iterable[Item], watch: Watch) -> AsyncIterator[Outcome]:
    """Hand each document to the workers, then follow the records of their jobs until all are done."""
    waiting: dict[str, Document] = {}
    for item in items:
        try:
            document, changed = await _register(services, item)
        except (UnreadableDocument, OSError) as error:
            yield Outcome(item.source, "failed", _sentence(error))
            continue
        if changed:
            job = await services.jobs.create(_kind(item), document.id)
            waiting[job.id] = document
            await submit(services.jobs, services.queue, job)
        else:
            yield Outcome(item.source, "unchanged", chunks=document.chunks)
    while waiting:
        await asyncio.sleep(POLL)
        for id, document in list(waiting.items()):
            record = await services.jobs.get(id)
            if record is None or record.state in ("succeeded", "failed", "dead"):
                del waiting[id]
                yield await _outcome(services, document, record)
            elif record.state == "running":
                await watch(document.source, record.progress)


async def missing(services: Services, belongs: Callable[[Document], bool], present: set[str]) -> list[Document]:
    """The documents that belong to a corpus and whose source is not in `present` any more."""
    documents = every_document(services)
    return [each async for each in documents if belongs(each) and each.source not in present]


def below(sources: Iterable[str]) -> Callable[[Document], bool]:
    """Whether a document is one of these files, or in one of these folders."""
    exact = {unicodedata.normalize("NFC", source) for source in sources}
    folders = tuple(source.rstrip("/") + "/" for source in exact)
    return lambda document: document.source in exact or document.source.startswith(folders)


def of_collection(collection: str) -> Callable[[Document], bool]:
    """Whether a document was harvested from this HAL collection."""
    return lambda document: document.metadata.get("collection") == collection


async def _ingest(services: Services, item: Item, watch: Watch) -> Outcome:
    document, changed = await _register(services, item)
    if not changed:
        return Outcome(item.source, "unchanged", chunks=document.chunks)
    job = await services.jobs.create(_kind(item), document.id)
    await services.jobs.start(job.id)

    async def progress(fraction: float) -> None:
        await services.jobs.progress(job.id, fraction)
        await watch(item.source, fraction)

    do = services.ingester.process if item.read else services.ingester.fetch
    try:
        result = await do(document.id, progress)
    except BaseException as error:
        # An interruption too: nobody else would ever finish a record that says "running".
        await services.jobs.fail(job.id, _sentence(error))
        raise
    await services.jobs.succeed(job.id, str(result.reading) if result else "")
    if result is None:
        return Outcome(item.source, "unchanged", chunks=document.chunks)
    return Outcome(
        item.source,
        _state(document),
        None,
        result.pages,
        result.chunks,
        result.new_chunks,
        str(result.reading),
        result.reading.is_partial,
    )


def _kind(item: Item) -> str:
    """What the job is called: see worker.py."""
    return "ingest" if item.read else "fetch"


async def _register(services: Services, item: Item) -> tuple[Document, bool]:
    if item.read is None:
        return await services.ingester.announce(item.source, item.metadata), True
    content = await asyncio.to_thread(item.read)
    return await services.ingester.register(item.source, item.name, content, item.metadata)


async def _outcome(services: Services, before: Document, job: Job | None) -> Outcome:
    after = await services.documents.get(before.id)
    if job is None or job.state != "succeeded" or after is None:
        error = job.error if job else None
        return Outcome(before.source, "failed", error or "It was deleted before it was read.")
    reading = after.reading
    return Outcome(before.source, _state(before), chunks=after.chunks, note=str(reading), is_partial=reading.is_partial)


def _state(before: Document) -> State:
    return "changed" if before.content_hash else "new"


def _sentence(error: BaseException) -> str:
    if isinstance(error, ChatbotError):
        return str(error)
    if isinstance(error, OSError):
        return f"It cannot be read: {error.strerror}."
    return "It was interrupted: ingest it again."


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
