"""The list of documents as people look through it: by words of title and source, and by what is known of each.

    page = await catalogue.page({"year": ["2024"]}, "carbon", limit=50)
    page.documents, page.count, page.facets["author"]    # {"Roe, J.": 12, …}

A facet is a name for readers over one or more keys of the metadata, since sources name things in their own ways.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chatbot.domain import Document
from chatbot.storage.database import Database
from chatbot.storage.documents import DOCUMENTS, document_of

KEYS = {
    "year": ("year",),
    "author": ("authors", "author"),
    "type": ("type",),
    "licence": ("licence", "license"),
}
FACETS = (*KEYS, "language", "format")
MOST = 200
"""Values of a facet, the most frequent first."""
BATCH = 200
"""Documents read at a time."""


def _values(key: str) -> str:
    """The values of a key of the metadata, as rows of text, be it one or a list."""
    value = f"documents.metadata -> '{key}'"
    listed = f"CASE jsonb_typeof({value}) WHEN 'array' THEN {value} ELSE jsonb_build_array({value}) END"
    return f"SELECT jsonb_array_elements_text({listed}) WHERE documents.metadata ? '{key}'"


VALUES = {name: " UNION ".join(map(_values, keys)) for name, keys in KEYS.items()}
VALUES |= {"language": "SELECT documents.language", "format": "SELECT documents.media_type"}
CHOSEN = [
    f"(%({name})s::text[] = '{{}}' OR EXISTS (SELECT FROM ({values}) AS own (value) WHERE value = ANY(%({name})s)))"
    for name, values in VALUES.items()
]
WORDS = "(%(words)s = '' OR strpos(lower(documents.title || ' ' || documents.source), lower(%(words)s)) > 0)"
MATCHING = " AND ".join([WORDS, *CHOSEN])
PAGE = f"""
{DOCUMENTS} WHERE {MATCHING}
    AND (%(moment)s::timestamptz IS NULL OR (documents.updated_at, documents.id) < (%(moment)s, %(id)s))
ORDER BY documents.updated_at DESC, documents.id DESC LIMIT %(limit)s
"""
COUNT = f"SELECT count(*) AS number FROM documents WHERE {MATCHING}"
COUNT_BY = {
    name: f"""
SELECT value, count(*) AS number FROM documents, LATERAL ({values}) AS own (value) WHERE {MATCHING}
GROUP BY value ORDER BY number DESC, value LIMIT {MOST}
"""
    for name, values in VALUES.items()
}


@dataclass(frozen=True, slots=True)
class CataloguePage:
    documents: Sequence[Document]
    """The latest first."""
    count: int
    """All that match, on this page or not."""
    facets: dict[str, dict[str, int]]
    """By facet: the values among those that match, and how many have each."""


class Catalogue:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        chosen: Mapping[str, Sequence[str]],
        words: str,
        limit: int,
        before: tuple[datetime, str] | None = None,
    ) -> CataloguePage:
        """Documents that have one of the values chosen of each facet, and these words: those before that moment."""
        query = _query(chosen, words, limit, before)
        documents = [document_of(row) for row in await self._database.rows(PAGE, query)]
        counted = await self._database.row(COUNT, query)
        assert counted
        return CataloguePage(documents, counted["number"], {name: await self._facet(name, query) for name in FACETS})

    async def every(self, chosen: Mapping[str, Sequence[str]], words: str) -> AsyncIterator[Document]:
        """All of them, a page at a time."""
        before = None
        while found := await self._database.rows(PAGE, _query(chosen, words, BATCH, before)):
            documents = [document_of(row) for row in found]
            for each in documents:
                yield each
            assert documents[-1].updated_at
            before = documents[-1].updated_at, documents[-1].id

    async def _facet(self, name: str, query: dict[str, object]) -> dict[str, int]:
        return {row["value"]: row["number"] for row in await self._database.rows(COUNT_BY[name], query)}


def _query(
    chosen: Mapping[str, Sequence[str]], words: str, limit: int, before: tuple[datetime, str] | None
) -> dict[str, object]:
    moment, id = before or (None, "")
    values = {name: [*chosen.get(name, ())] for name in FACETS}
    return {**values, "words": words, "limit": limit, "moment": moment, "id": id}
