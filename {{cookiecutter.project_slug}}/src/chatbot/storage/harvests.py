"""What was harvested from each archive, and what became of it, in PostgreSQL: so that a harvest can stop at any point.

await harvests.keep("hal:CIRED", source, record)      # True: it is new, or not as it was
for each in await harvests.due("hal:CIRED", limit=8): …
await harvests.done("hal:CIRED", source)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from chatbot.storage.database import Database

Fields = dict[str, Any]

KEEP = """
INSERT INTO harvested (corpus, source, record) VALUES (%(corpus)s, %(source)s, %(record)s)
ON CONFLICT (corpus, source) DO UPDATE SET record = excluded.record, is_done = false, problem = '', try_again_at = NULL
    WHERE harvested.record <> excluded.record
RETURNING source
"""
SINCE = """
INSERT INTO harvests (corpus, since) VALUES (%(corpus)s, %(since)s)
ON CONFLICT (corpus) DO UPDATE SET since = excluded.since WHERE excluded.since > harvests.since
"""
WAITING = "corpus = %(corpus)s AND same_as IS NULL AND (NOT is_done OR try_again_at <= now())"
DUE = f"SELECT source, record FROM harvested WHERE {WAITING} ORDER BY source LIMIT %(limit)s"
DONE = """
UPDATE harvested SET is_done = true, problem = %(problem)s, try_again_at = %(try_again_at)s
WHERE corpus = %(corpus)s AND source = %(source)s AND record = %(record)s
"""
PREFER = """
UPDATE harvested SET same_as = chosen, is_done = false
FROM unnest(%(sources)s::text[], %(chosen)s::text[]) AS preferred (each, chosen)
WHERE corpus = %(corpus)s AND source = each AND same_as IS DISTINCT FROM chosen RETURNING source, same_as
"""
SET_ASIDE = """
SELECT source FROM harvested WHERE corpus = %(corpus)s AND same_as IS NOT NULL AND NOT is_done ORDER BY source
"""
IS_WITHDRAWN = "(record ->> 'is_withdrawn')::boolean"
LISTED = f"""
UPDATE harvested SET missed = CASE WHEN source = ANY(%(present)s) THEN 0 ELSE missed + 1 END
WHERE corpus = %(corpus)s AND (missed > 0 OR source <> ALL(%(present)s)) AND NOT {IS_WITHDRAWN}
"""
LOOK_AGAIN = """
UPDATE harvested SET is_done = false WHERE corpus = %(corpus)s AND record ->> 'modified' = '' AND record ->> 'text' = ''
    AND is_done
"""
ELSEWHERE = """
SELECT 1 FROM harvested WHERE corpus <> %(corpus)s AND source = %(source)s AND same_as IS NULL LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record that is to be ingested."""

    source: str
    record: Fields


class Harvests:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, corpus: str) -> str:
        """The latest change that a complete harvest has read; "" before the first."""
        row = await self._database.row("SELECT since FROM harvests WHERE corpus = %(corpus)s", {"corpus": corpus})
        return row["since"] if row else ""

    async def read_until(self, corpus: str, since: str) -> None:
        await self._database.rows(SINCE, {"corpus": corpus, "since": since})

    async def keep(self, corpus: str, source: str, record: Mapping[str, Any]) -> bool:
        """Whether it is new, or not as it was; only then it is to be ingested."""
        values = {"corpus": corpus, "source": source, "record": Jsonb(dict(record))}
        return await self._database.row(KEEP, values) is not None

    async def sources(self, corpus: str) -> set[str]:
        """Of all records that are known, withdrawn ones too."""
        rows = await self._database.rows("SELECT source FROM harvested WHERE corpus = %(corpus)s", {"corpus": corpus})
        return {row["source"] for row in rows}

    async def look_again(self, corpus: str) -> None:
        """Files of which nobody says when they were changed are due at each harvest."""
        await self._database.rows(LOOK_AGAIN, {"corpus": corpus})

    async def records(self, corpus: str) -> list[Fields]:
        """Those that were not withdrawn."""
        statement = f"SELECT record FROM harvested WHERE corpus = %(corpus)s AND NOT {IS_WITHDRAWN} ORDER BY source"
        return [row["record"] for row in await self._database.rows(statement, {"corpus": corpus})]

    async def prefer(self, corpus: str, chosen: Mapping[str, str | None]) -> int:
        """By source, the version that is answered from instead, or None; how many of that were new."""
        values = {"corpus": corpus, "sources": list(chosen), "chosen": list(chosen.values())}
        return len(await self._database.rows(PREFER, values))

    async def set_aside(self, corpus: str) -> list[str]:
        """The versions that are answered from another's instead, and that were not taken out yet."""
        return [row["source"] for row in await self._database.rows(SET_ASIDE, {"corpus": corpus})]

    async def waiting(self, corpus: str) -> int:
        row = await self._database.row(f"SELECT count(*) FROM harvested WHERE {WAITING}", {"corpus": corpus})
        return row["count"] if row else 0

    async def due(self, corpus: str, limit: int) -> list[Waiting]:
        return [Waiting(**row) for row in await self._database.rows(DUE, {"corpus": corpus, "limit": limit})]

    async def done(
        self, corpus: str, waiting: Waiting, problem: str = "", try_again_at: datetime | None = None
    ) -> None:
        """It was ingested as it was then: should it have changed meanwhile, it is still to be done."""
        values = {"corpus": corpus, "source": waiting.source, "record": Jsonb(waiting.record)}
        await self._database.rows(DONE, {**values, "problem": problem, "try_again_at": try_again_at})

    async def taken_out(self, corpus: str, source: str) -> None:
        statement = "UPDATE harvested SET is_done = true WHERE corpus = %(corpus)s AND source = %(source)s"
        await self._database.rows(statement, {"corpus": corpus, "source": source})

    async def listed(self, corpus: str, present: Collection[str]) -> None:
        """Count for each record how often in a row it was not listed. The archive said itself what it withdrew."""
        await self._database.rows(LISTED, {"corpus": corpus, "present": list(present)})

    async def missed(self, corpus: str, times: int) -> list[str]:
        """Those that were not listed so many times in a row."""
        statement = "SELECT source FROM harvested WHERE corpus = %(corpus)s AND missed >= %(times)s ORDER BY source"
        return [row["source"] for row in await self._database.rows(statement, {"corpus": corpus, "times": times})]

    async def withdrawn(self, corpus: str) -> list[str]:
        """Those that the archive took back, and that were not taken out yet."""
        statement = f"SELECT source FROM harvested WHERE corpus = %(corpus)s AND {IS_WITHDRAWN} AND NOT is_done"
        return [row["source"] for row in await self._database.rows(statement, {"corpus": corpus})]

    async def is_elsewhere(self, corpus: str, source: str) -> bool:
        """Whether another archive has it too, and it is answered from."""
        return await self._database.row(ELSEWHERE, {"corpus": corpus, "source": source}) is not None

    async def forget(self, corpus: str, source: str) -> None:
        statement = "DELETE FROM harvested WHERE corpus = %(corpus)s AND source = %(source)s"
        await self._database.rows(statement, {"corpus": corpus, "source": source})
