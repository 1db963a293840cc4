r"""Documents as entries for a bibliography: BibTeX, RIS and CSL-JSON, which Zotero, JabRef and LaTeX read.

written("bibtex", [document])
    '@article{Stone2021,\n  author = {Ada Stone and Luc Pluie},\n  title = {{Rain on roofs}},\n  …\n}\n'

All that an entry says comes from the document's metadata, that is from files of others: what means something to the
format is escaped, and a value is always one line. Names stay as they are given: « Stone, Ada » tells the family name,
and of « Ada Stone » nobody is asked to guess it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chatbot.domain import Document

Format = Literal["bibtex", "ris", "csl"]

LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",  # BibTeX counts braces, also those behind a backslash
    "}": r"\textbraceright{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    **{sign: f"\\{sign}" for sign in "$&%#_"},
}
"""What TeX would not print as it stands. Letters of all scripts stay: biber and today's LaTeX read UTF-8."""
URL_SAFE = {"{": "%7B", "}": "%7D", "\\": "%5C", " ": "%20"}
"""Addresses and DOIs are printed as they stand, but braces have to match."""
LANGUAGES = {"en": "english", "fr": "french"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What a bibliography says of a document; "" where that is not known."""

    id: str
    title: str
    authors: tuple[str, ...]
    year: str
    """Four digits."""
    journal: str
    doi: str
    """Bare, without an address in front."""
    url: str
    """Where it is on the web."""
    file: str
    """Its name, if it is not on the web."""
    language: str

    @classmethod
    def of(cls, document: Document) -> Entry:
        given = document.metadata
        authors = given.get("authors")
        names = [authors] if isinstance(authors, str) else authors if isinstance(authors, Sequence) else []
        on_web = document.source.lower().startswith(("http://", "https://"))
        return cls(
            id=document.id,
            title=_line(document.title),
            authors=tuple(name for name in map(_line, names) if name),
            year=next(iter(re.findall(r"(?<!\d)\d{4}(?!\d)", str(given.get("year", "")))), ""),
            journal=_line(given.get("journal", "")),
            doi=re.sub(r"^(https?://(dx\.)?doi\.org/|doi:\s*)", "", _line(given.get("doi", "")), flags=re.IGNORECASE),
            url=_line(document.source) if on_web else "",
            file="" if on_web else _line(document.source),
            language=document.language,
        )


def written(format: Format, documents: Sequence[Document]) -> str:
    """One entry a document, in order."""
    return WRITERS[format]([Entry.of(each) for each in documents])


def _bibtex(entries: Sequence[Entry]) -> str:
    return "\n".join(
        f"@{'article' if entry.journal else 'misc'}{{{key},\n{''.join(_bibtex_fields(entry))}}}\n"
        for key, entry in zip(_keys(entries), entries, strict=True)
    )


def _bibtex_fields(entry: Entry) -> Iterator[str]:
    fields = {
        # « and » parts two names, so one that has the word itself is held together.
        "author": " and ".join(f"{{{_latex(each)}}}" if " and " in each else _latex(each) for each in entry.authors),
        "title": f"{{{_latex(entry.title)}}}",  # the second pair keeps its capitals
        "journal": _latex(entry.journal),
        "year": entry.year,
        "doi": _verbatim(entry.doi),
        "url": _verbatim(entry.url),
        "note": _latex(entry.file),
        "language": LANGUAGES.get(entry.language, ""),
    }
    return (f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)


def _keys(entries: Sequence[Entry]) -> list[str]:
    """E.g. Stone2021; of several of the same, Stone2021a, Stone2021b…"""
    names = [_family(entry) + entry.year for entry in entries]
    several, seen = Counter(names), Counter[str]()
    keys = []
    for name in names:
        keys.append(name + (_letters(seen[name]) if several[name] > 1 else ""))
        seen[name] += 1
    return keys


def _letters(number: int) -> str:
    """a, b, … z, aa, ab…"""
    before, last = divmod(number, 26)
    return (_letters(before - 1) if before else "") + "abcdefghijklmnopqrstuvwxyz"[last]


def _family(entry: Entry) -> str:
    """Letters without accents that tell the entry: of the first author's family name, or else of the title."""
    first = entry.authors[0] if entry.authors else ""
    words = (first.partition(",")[0] if "," in first else first).split() or entry.title.split()
    word = words[-1 if first and "," not in first else 0] if words else ""
    return "".join(re.findall(r"[A-Za-z0-9]", unicodedata.normalize("NFKD", word))) or f"doc{entry.id[:8]}"


def _latex(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in text)


def _verbatim(address: str) -> str:
    return "".join(URL_SAFE.get(sign, sign) for sign in address)


def _ris(entries: Sequence[Entry]) -> str:
    """Lines end with CRLF, as the format has it."""
    return "".join(f"{tag}  - {value}\r\n" for entry in entries for tag, value in _ris_fields(entry))


def _ris_fields(entry: Entry) -> Iterator[tuple[str, str]]:
    fields = [
        ("TY", "JOUR" if entry.journal else "ELEC" if entry.url else "GEN"),
        *(("AU", each) for each in entry.authors),
        ("TI", entry.title),
        ("JO", entry.journal),
        ("PY", entry.year),
        ("DO", entry.doi),
        ("UR", entry.url),
        ("N1", entry.file),
        ("LA", entry.language),
        ("ID", entry.id),
    ]
    yield from (field for field in fields if field[1])
    yield "ER", ""


def _csl(entries: Sequence[Entry]) -> str:
    return json.dumps([_csl_item(each) for each in entries], ensure_ascii=False, indent=2) + "\n"


def _csl_item(entry: Entry) -> dict[str, Any]:
    item = {
        "id": entry.id,
        "type": "article-journal" if entry.journal else "webpage" if entry.url else "document",
        "title": entry.title,
        "author": [_csl_name(each) for each in entry.authors],
        "issued": {"date-parts": [[int(entry.year)]]} if entry.year else None,
        "container-title": entry.journal,
        "DOI": entry.doi,
        "URL": entry.url,
        "note": entry.file,
        "language": entry.language,
    }
    return {name: value for name, value in item.items() if value}


def _csl_name(name: str) -> dict[str, str]:
    family, comma, given = name.partition(",")
    return {"family": family.strip(), "given": given.strip()} if comma and given.strip() else {"literal": name}


def _line(value: Any) -> str:
    """One line without control characters, whatever it was."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(value)).split())


WRITERS: dict[Format, Callable[[Sequence[Entry]], str]] = {"bibtex": _bibtex, "ris": _ris, "csl": _csl}
MEDIA_TYPES: dict[Format, str] = {
    "bibtex": "application/x-bibtex",
    "ris": "application/x-research-info-systems",
    "csl": "application/vnd.citationstyles.csl+json",
}
SUFFIXES: dict[Format, str] = {"bibtex": ".bib", "ris": ".ris", "csl": ".json"}
