"""What an archive says of one publication, in our words, whatever protocol it was asked by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from chatbot.domain import Metadata


@dataclass(frozen=True, slots=True)
class Record:
    """One publication. `text` is Markdown: title, authors, year and abstract, as far as they are known."""

    source: str
    name: str
    text: str
    metadata: Metadata
    title: str = ""
    modified: str = ""
    """When the archive changed it last: ISO 8601, as the archive writes it, so that the text sorts as the time does."""
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

    async def present(self) -> set[str]:
        """The sources of all records that are there now."""
        ...


def same_publication(record: Record) -> list[str]:
    """What two versions of one publication have in common: its DOI, or its title under the same first author."""
    keys = []
    if doi := str(record.metadata.get("doi", "")):
        keys.append(f"doi:{doi.lower()}")
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
