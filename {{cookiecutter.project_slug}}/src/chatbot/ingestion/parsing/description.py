"""What a file says of itself, in the words of a reference: authors, year, journal, DOI; only what can be relied on."""

from __future__ import annotations

import re
from collections.abc import Iterable

from chatbot.domain import Metadata
from chatbot.ingestion.parsing.outline import one_line

YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
DOI = re.compile(r"\b10\.\d{4,9}/[-._;()/:<>\w]+[\w)]", re.IGNORECASE)
NOBODY = re.compile(
    r"user|admin|administrator|owner|author|unknown|anonymous|root|python-\w+|openpyxl|xlsxwriter|apache poi.*"
    r"|libreoffice.*|microsoft.*|.*\.\w{2,4}|.*@.*",
    re.I,
)
"""What programs write for want of a name."""
MOST_AUTHORS = 500
LONGEST = 200


def description(authors: Iterable[str] = (), date: str = "", journal: str = "", doi: str = "") -> Metadata:
    """Only the keys that have a value: `authors`, a list; `year`, a number; `journal`; `doi`, without its address."""
    names = [
        name for each in authors if (name := one_line(each)) and len(name) <= LONGEST and not NOBODY.fullmatch(name)
    ]
    found: dict[str, list[str] | int | str] = {}
    if names:
        found["authors"] = names[:MOST_AUTHORS]
    if year := YEAR.search(date):
        found["year"] = int(year[1])
    if journal := one_line(journal)[:LONGEST]:
        found["journal"] = journal
    if identifier := DOI.search(doi):
        found["doi"] = identifier[0]
    return found


def several(names: str) -> list[str]:
    """The authors in one string, as file properties have them: "Ada Lovelace; Charles Babbage"."""
    separator = r"\s*;\s*" if ";" in names else r"\s*,\s*(?:and\s+)?|\s+(?:and|et|&)\s+"
    parts = [part for part in re.split(separator, names.strip()) if part]
    return parts if all(" " in part for part in parts) or ";" in names else [names.strip()]
