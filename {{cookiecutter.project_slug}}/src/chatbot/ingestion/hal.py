"""Records of a collection in the HAL open archive, one Markdown document each: the title and the abstract, if any.

    async for record in harvest("https://api.archives-ouvertes.fr/search/", "CIRED"):
        print(record.source, record.metadata["year"])

HAL's search API is Solr's: https://api.archives-ouvertes.fr/docs/search. Deep results are paged with a cursor, which
the archive returns with each page and repeats on the last one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from chatbot.domain import Metadata, Unavailable
from chatbot.text.reference import reference

ROWS = 500
"""Records a page."""
ATTEMPTS = 5
TIMEOUT = 30
"""Seconds."""
LONGEST_PAUSE = 60
"""Seconds, whatever the archive's Retry-After says."""
BUSY = frozenset({429, 500, 502, 503, 504})

FIELDS = (
    "halId_s,title_s,abstract_s,authFullName_s,producedDateY_i,producedDate_tdate,docType_s,uri_s,labStructAcronym_s"
    ",journalTitle_s,doiId_s"
)


@dataclass(frozen=True, slots=True)
class Record:
    """One publication. `text` is Markdown; where HAL has no abstract, it is the title with authors and year."""

    source: str
    name: str
    text: str
    metadata: Metadata


async def harvest(hal_url: str, collection: str, pause: float = 1.0) -> AsyncIterator[Record]:
    """All records of a collection. Unavailable when the archive does not answer; `pause` is the first retry's, in s."""
    url = f"{hal_url.rstrip('/')}/{collection}/"
    cursor: str | None = "*"
    async with httpx2.AsyncClient(timeout=TIMEOUT, follow_redirects=True) as client:
        while cursor:
            page = await _page(client, url, cursor, pause)
            for fields in page["response"]["docs"]:
                yield record(fields, collection)
            following = page.get("nextCursorMark")
            cursor = following if following != cursor and page["response"]["docs"] else None


def record(fields: Mapping[str, Any], collection: str) -> Record:
    """What HAL's fields say, in our words. Titles and abstracts are lists there, one item a language."""
    title = _first(fields.get("title_s")) or str(fields["halId_s"])
    abstracts = [text.strip() for text in _list(fields.get("abstract_s")) if text.strip()]
    authors = _list(fields.get("authFullName_s"))
    year = _year(fields)
    metadata: dict[str, Any] = {"collection": collection, "type": str(fields.get("docType_s", "UNDEFINED"))}
    if authors:
        metadata["authors"] = authors
    if year:
        metadata["year"] = year
    if laboratories := _list(fields.get("labStructAcronym_s")):
        metadata["laboratories"] = laboratories
    for key, name in (("journal", "journalTitle_s"), ("doi", "doiId_s")):
        if value := _first(fields.get(name)):
            metadata[key] = value
    text = "\n\n".join((f"# {title}", *(abstracts or [reference(title, metadata) or title]))) + "\n"
    return Record(_source(fields), f"{fields['halId_s']}.md", text, metadata)


async def _page(client: httpx2.AsyncClient, url: str, cursor: str, pause: float) -> dict[str, Any]:
    """One page of results. An archive that is busy or down is asked again, each time after a longer pause."""
    # A cursor needs an order in which no two records are equal.
    query = {"q": "*:*", "fl": FIELDS, "rows": str(ROWS), "sort": "docid asc", "cursorMark": cursor, "wt": "json"}
    for attempt in range(ATTEMPTS):
        wait = pause * 2**attempt * random.uniform(0.5, 1)  # noqa: S311, jitter is no secret
        try:
            response = await client.get(url, params=query)
        except httpx2.TransportError:
            await asyncio.sleep(wait)
            continue
        if response.status_code in BUSY:
            await asyncio.sleep(min(_retry_after(response) or wait, LONGEST_PAUSE))
            continue
        return _results(response)
    raise Unavailable("The HAL archive", "try again later, or check HAL_URL.")


def _results(response: httpx2.Response) -> dict[str, Any]:
    """The answer as JSON. Solr reports a wrong query or collection inside a page of status 200 as well."""
    try:
        page = response.json()
        if response.is_success and isinstance(page["response"]["docs"], list):
            return dict(page)
    except (ValueError, KeyError, TypeError):
        pass
    raise Unavailable("The HAL archive", f"it gave no records (status {response.status_code}); check HAL_URL.")


def _retry_after(response: httpx2.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def _year(fields: Mapping[str, Any]) -> int | None:
    year = str(fields.get("producedDateY_i") or fields.get("producedDate_tdate") or "")[:4]
    return int(year) if year.isdigit() else None


def _source(fields: Mapping[str, Any]) -> str:
    return str(fields.get("uri_s") or f"https://hal.science/{fields['halId_s']}")


def _list(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _first(value: Any) -> str:
    return next(iter(_list(value)), "").strip()
