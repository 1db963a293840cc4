"""Records of a collection in the HAL open archive, one Markdown document each: the title and the abstract, if any.

    async for record in harvest("https://api.archives-ouvertes.fr/search/", "CIRED"):
        print(record.source, record.metadata["year"])

HAL's search API is Solr's: https://api.archives-ouvertes.fr/docs/search. Deep results are paged with a cursor, which
the archive returns with each page and repeats on the last one. A field may be a string or a list of strings.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2

from chatbot.clients import http
from chatbot.clients.retry_after import retry_after
from chatbot.domain import Unavailable
from chatbot.ingestion.records import Item, Record, described, earlier
from chatbot.text.reference import reference

ROWS = 500
"""Records a page."""
ATTEMPTS = 5
RESTARTS = 3
"""How often the listing begins again when its cursor has expired."""
TIMEOUT = 30
"""Seconds."""
PAUSE = 1.0
"""Seconds until the first retry, and between two pages."""
LONGEST_PAUSE = 900
"""Seconds. An archive that asks for a longer pause is asked again by a later harvest, not earlier than it wishes."""
OVERLAP = 2
"""Days before the last change read from which on is asked again: the archive may list a change late."""
BUSY = frozenset({429, 500, 502, 503, 504})
EXPIRED = 400
"""What Solr answers when it does not know a cursor any more."""

IDENTITY = "halId_s,uri_s"
FIELDS = (
    f"{IDENTITY},title_s,abstract_s,authFullName_s,producedDateY_i,producedDate_tdate,docType_s,labStructAcronym_s,"
    "journalTitle_s,doiId_s,licence_s,domain_s,language_s,fileMain_s,releasedDate_tdate,modifiedDate_tdate"
)
PREPRINTS = frozenset({"UNDEFINED", "PREPRINT", "PRESCONF", "OTHER"})
"""HAL's document types of what has not been published elsewhere; UNDEFINED is its word for a preprint."""


class CursorExpired(Exception):
    """The archive does not know the page's cursor any more."""


class Hal:
    """A collection as the harvest asks it; see `records.Source`."""

    def __init__(self, url: str, collection: str) -> None:
        self._url, self._collection, self._pause = url, collection, PAUSE

    def changed(self, since: str) -> AsyncIterator[Record]:
        return harvest(self._url, self._collection, self._pause, since)

    async def present(self) -> set[str]:
        listed = listing(self._url, self._collection, self._pause, "", IDENTITY)
        return {_source(fields) async for fields in listed}

    async def item(self, record: Record) -> Item:
        return described(record)


async def harvest(hal_url: str, collection: str, pause: float = PAUSE, since: str = "") -> AsyncIterator[Record]:
    """All records of a collection, or those changed at `since` or later. Unavailable when the archive does not answer.

    `pause`: seconds until the first retry, and between two pages.
    """
    async for fields in listing(hal_url, collection, pause, since, FIELDS):
        yield record(fields, collection)


async def listing(
    hal_url: str, collection: str, pause: float, since: str, names: str
) -> AsyncIterator[Mapping[str, Any]]:
    """The fields of each record, once, even when the cursor expires on the way. Raises as `harvest`."""
    url = f"{hal_url.rstrip('/')}/{collection}/"
    seen = set[str]()
    async with http.client(timeout=TIMEOUT, follow_redirects=True) as client:
        for _ in range(RESTARTS):
            try:
                async for fields in _pages(client, url, pause, since, names):
                    if (id := _first(fields.get("halId_s")) or _source(fields)) not in seen:
                        seen.add(id)
                        yield fields
            except CursorExpired:
                continue
            return
    raise Unavailable("The HAL archive", "it forgot the listing's cursor each time; try again later.")


async def _pages(
    client: httpx2.AsyncClient, url: str, pause: float, since: str, names: str
) -> AsyncIterator[Mapping[str, Any]]:
    cursor: str | None = "*"
    while cursor:
        page = await _page(client, url, _query(cursor, since, names), pause)
        for fields in page["response"]["docs"]:
            yield fields
        following = page.get("nextCursorMark")
        cursor = following if following != cursor and page["response"]["docs"] else None
        if cursor:
            await asyncio.sleep(pause / 4)  # a guest does not hurry


def _query(cursor: str, since: str, names: str) -> dict[str, str]:
    # A cursor needs an order in which no two records are equal.
    query = {"q": "*:*", "fl": names, "rows": str(ROWS), "sort": "docid asc", "cursorMark": cursor, "wt": "json"}
    begin = earlier(since, OVERLAP)
    return {**query, "fq": f"modifiedDate_tdate:[{begin:%Y-%m-%dT%H:%M:%SZ} TO *]"} if begin else query


def record(fields: Mapping[str, Any], collection: str) -> Record:
    """What HAL's fields say, in our words. Titles and abstracts are lists there, one item a language."""
    id = _first(fields.get("halId_s")) or _source(fields).rpartition("/")[2]
    title = _first(fields.get("title_s")) or id
    abstracts = [text.strip() for text in _list(fields.get("abstract_s")) if text.strip()]
    authors = _list(fields.get("authFullName_s"))
    year = _year(fields)
    kind = _first(fields.get("docType_s")) or "UNDEFINED"
    known: dict[str, Any] = {
        "authors": authors,
        "year": year,
        "laboratories": _list(fields.get("labStructAcronym_s")),
        "journal": _first(fields.get("journalTitle_s")),
        "doi": _first(fields.get("doiId_s")).lower(),
        "licence": _first(fields.get("licence_s")),
        "domains": _list(fields.get("domain_s")),
        "languages": _list(fields.get("language_s")),
    }
    metadata = {"collection": collection, "type": kind, **{key: value for key, value in known.items() if value}}
    return Record(
        source=_source(fields),
        name=f"{id}.md",
        text="\n\n".join((f"# {title}", *(abstracts or [reference(title, metadata) or title]))) + "\n",
        metadata=metadata,
        title=title,
        modified=_first(fields.get("modifiedDate_tdate")),
        is_published=kind not in PREPRINTS,
        file=_first(fields.get("fileMain_s")),
        released=_first(fields.get("releasedDate_tdate"))[:10],
    )


async def _page(client: httpx2.AsyncClient, url: str, query: Mapping[str, str], pause: float) -> dict[str, Any]:
    """One page of results. An archive that is busy or down is asked again, each time after a longer pause."""
    for attempt in range(ATTEMPTS):
        wait = pause * 2**attempt * random.uniform(0.5, 1)  # noqa: S311, jitter is no secret
        try:
            response = await client.get(url, params=dict(query))
        except httpx2.TransportError:
            await asyncio.sleep(wait)
            continue
        if response.status_code in BUSY:
            asked = retry_after(response.headers) or wait
            if asked > LONGEST_PAUSE:
                raise Unavailable("The HAL archive", f"it asks for a pause of {asked / 60:.0f} minutes.")
            await asyncio.sleep(asked)
            continue
        if response.status_code == EXPIRED and query["cursorMark"] != "*":
            raise CursorExpired
        return _results(response)
    raise Unavailable("The HAL archive", "try again later, or check HAL_URL.")


def _results(response: httpx2.Response) -> dict[str, Any]:
    """The answer as JSON. Solr reports a wrong query or collection inside a page of status 200 as well."""
    try:
        page = response.json()
        if response.is_success and all(_source(fields) for fields in page["response"]["docs"]):
            return dict(page)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    said = f"it gave no records (status {response.status_code}): check HAL_URL and the collection's name."
    raise Unavailable("The HAL archive", said)


def _year(fields: Mapping[str, Any]) -> int | None:
    year = (_first(fields.get("producedDateY_i")) or _first(fields.get("producedDate_tdate")))[:4]
    return int(year) if year.isdigit() else None


def _source(fields: Mapping[str, Any]) -> str:
    """KeyError for what has no identifier at all."""
    return _first(fields.get("uri_s")) or f"https://hal.science/{_first(fields['halId_s'])}"


def _list(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _first(value: Any) -> str:
    return next(iter(_list(value)), "").strip()
