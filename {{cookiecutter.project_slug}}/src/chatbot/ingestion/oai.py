"""Records of an OAI-PMH repository (https://www.openarchives.org/pmh/), by its Dublin Core, one document each.

async for record in Repository("https://zenodo.org/oai2d", "user-x", "oai:https://zenodo.org/oai2d#user-x").changed(""):
    print(record.source)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from chatbot.domain import Unavailable
from chatbot.ingestion.records import Item, Record, described, earlier

if TYPE_CHECKING:
    from oaipmh_scythe import Scythe

ATTEMPTS = 5
RESTARTS = 3
"""How often a listing begins again when its resumption token has expired."""
OVERLAP = 1
"""Days; see hal.py."""
PAUSE = 30.0
"""Seconds until the next attempt, when the repository does not say."""
BUSY = (429, 500, 502, 503, 504)
PREPRINTS = ("preprint", "workingpaper", "draft", "submittedversion")


class Repository:
    """A set of a repository, or all of it; see `records.Source`."""

    def __init__(self, url: str, chosen: str | None, name: str) -> None:
        self._url, self._set, self._name, self._pause = url, chosen, name, PAUSE

    async def changed(self, since: str) -> AsyncIterator[Record]:
        def listed(client: Scythe) -> Iterator[Any]:
            begin = earlier(since, OVERLAP)
            return client.list_records(from_=f"{begin:%Y-%m-%d}" if begin else None, set_=self._set)

        seen = set[str]()
        async for item in self._items(listed):
            if item.header.identifier not in seen:  # a listing that began again
                seen.add(item.header.identifier)
                yield _record(item, self._name)

    async def present(self) -> set[str]:
        def listed(client: Scythe) -> Iterator[Any]:
            return client.list_identifiers(set_=self._set, ignore_deleted=True)

        return {header.identifier async for header in self._items(listed)}

    async def item(self, record: Record) -> Item:
        return described(record)

    async def _items(self, listed: Any) -> AsyncIterator[Any]:
        """What a listing gives, item by item, some twice when it had to begin again."""
        from oaipmh_scythe.exceptions import BadResumptionToken

        for _ in range(RESTARTS):
            try:
                async for item in self._listing(listed):
                    yield item
            except BadResumptionToken:
                continue
            return
        raise Unavailable(self._name, "it forgot the listing's resumption token each time; try again later.")

    async def _listing(self, listed: Any) -> AsyncIterator[Any]:
        """The client blocks, so it works in a thread."""
        import httpx2
        from oaipmh_scythe import Scythe
        from oaipmh_scythe.config import HTTPConfig, RetryConfig
        from oaipmh_scythe.exceptions import BadResumptionToken, NoRecordsMatch, OAIPMHException

        retry = RetryConfig(ATTEMPTS, BUSY, self._pause, True, self._pause / 30)
        with Scythe(self._url, http_config=HTTPConfig(user_agent="chatbot"), retry_config=retry) as client:
            try:
                items = await asyncio.to_thread(lambda: iter(listed(client)))
                while (item := await asyncio.to_thread(next, items, None)) is not None:
                    yield item
            except NoRecordsMatch:
                return
            except BadResumptionToken:
                raise
            except (OAIPMHException, httpx2.HTTPError, httpx2.InvalidURL, SyntaxError, ValueError, AttributeError):
                # SyntaxError is lxml's for a page that is no XML, AttributeError what becomes of one that is not OAI's
                raise Unavailable(self._name, "it gave no records; try again later, or check its URL.") from None


def _record(item: Any, collection: str) -> Record:
    """What the Dublin Core says, in our words; each element may be repeated."""
    header = item.header
    if item.deleted:
        return Record(header.identifier, "", "", {}, modified=header.datestamp, is_withdrawn=True)
    fields = {name: [value for value in values if value] for name, values in item.metadata.items()}
    title = _first(fields, "title") or header.identifier
    authors, identifiers = fields.get("creator", []), fields.get("identifier", [])
    year = _first(fields, "date")[:4]
    abstracts = fields.get("description", [])
    known: dict[str, Any] = {
        "authors": authors,
        "year": int(year) if year.isdigit() else None,
        "journal": _first(fields, "source"),
        "doi": next((doi for each in identifiers if (doi := _doi(each))), ""),
        "licence": _first(fields, "rights"),
        "domains": fields.get("subject", []),
        "languages": fields.get("language", []),
        "url": next((each for each in identifiers if each.startswith("http")), ""),
    }
    kind = _first(fields, "type") or "UNDEFINED"
    metadata = {"collection": collection, "type": kind, **{key: value for key, value in known.items() if value}}
    byline = [", ".join(authors), year]
    parts = [f"# {title}", ". ".join(part for part in byline if part), *abstracts]
    return Record(
        source=header.identifier,
        name=f"{header.identifier.rsplit(':', 1)[-1].replace('/', '-')}.md",
        text="\n\n".join(part for part in parts if part) + "\n",
        metadata=metadata,
        title=title,
        modified=header.datestamp,
        is_published=not any(word in kind.lower().replace(" ", "") for word in PREPRINTS),
        file=next((each for each in identifiers if each.lower().endswith(".pdf")), ""),
    )


def _doi(identifier: str) -> str:
    start = identifier.lower().find("10.")
    is_doi = "doi" in identifier.lower() or start == 0
    return identifier[start:].lower() if is_doi and start >= 0 else ""


def _first(fields: Mapping[str, list[str]], name: str) -> str:
    return next(iter(fields.get(name, [])), "").strip()
