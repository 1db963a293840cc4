"""What an archive says of one publication, in our words, whatever protocol it was asked by; and what is ingested."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from chatbot.domain import Metadata

PARTS = ("couv", "book part", "bookpart", "chapter", "info:eu-repo/semantics/bookpart")
"""What HAL and the Dublin Core of others call a chapter, in small letters."""


@dataclass(frozen=True, slots=True)
class Item:
    """One document to ingest; `read` gives its bytes when its turn comes. Without it, `source` is a URL to fetch."""

    source: str
    name: str
    read: Callable[[], bytes] | None
    metadata: Metadata = field(default_factory=dict)
    path: Path | None = None
    """Where it lies, if it is a file."""


@dataclass(frozen=True, slots=True)
class Record:
    """One publication. `text` is Markdown: title, authors, year and abstract, as far as they are known.

    Of a file, such as a page of the web, nothing is known before it is read: its text is empty.
    """

    source: str
    name: str
    text: str
    metadata: Metadata
    title: str = ""
    modified: str = ""
    """When the archive changed it last: ISO 8601, as the archive writes it, so that the text sorts as the time does.
    "" when it does not say: a file is then read again at each harvest."""
    is_published: bool = True
    """Not a preprint: of two versions this one is answered from."""
    file: str = ""
    """URL of the full text."""
    released: str = ""
    """ISO date before which the full text is under embargo."""
    is_withdrawn: bool = False
    """The archive says itself that it is gone."""


class Source(Protocol):
    """An archive, as the harvest asks it."""

    def changed(self, since: str) -> AsyncIterator[Record]:
        """What was changed at `since` or later; everything for "". Unavailable when the archive does not answer."""
        ...

    async def present(self) -> set[str] | None:
        """The sources of all records that are there now; None where `changed` gives them all, whatever `since` says."""
        ...

    async def item(self, record: Record) -> Item:
        """The document of a record: what is known of a publication, or the file itself. UnreadableDocument when this
        one cannot be had, now or ever; Unavailable when the archive does not answer."""
        ...


def described(record: Record) -> Item:
    """A publication by its title, authors, year and abstract."""
    return Item(record.source, record.name, record.text.encode, record.metadata)


def earlier(since: str, days: int) -> datetime | None:
    """Where to begin to ask for what was changed since then: archives list a change some time after they date it."""
    try:
        return datetime.fromisoformat(since) - timedelta(days=days)
    except ValueError:
        return None


def same_publication(record: Record) -> list[str]:
    """What two versions of one publication have in common: its DOI, or its title under the same first author.

    Chapters may be given the DOI of their book, so theirs counts with their title only.
    """
    keys = []
    if doi := str(record.metadata.get("doi", "")).lower():
        is_part = str(record.metadata.get("type")).lower() in PARTS
        keys.append(f"doi:{doi}/{plain(record.title)}" if is_part else f"doi:{doi}")
    authors = record.metadata.get("authors")
    first = str(authors[0]) if isinstance(authors, list) and authors else ""
    title = plain(record.title)
    if first and len(title) >= 20:  # shorter ones, such as «Introduction», are shared by chance
        keys.append(f"title:{title}/{plain(first.split()[-1])}")
    return keys


def plain(text: str) -> str:
    """Letters and digits alone, without case and accents, one blank between words."""
    decomposed = unicodedata.normalize("NFKD", text)
    letters = "".join(each for each in decomposed if not unicodedata.combining(each)).casefold()
    return " ".join(re.findall(r"[^\W_]+", letters))
