"""How the bot was used, in sums: for the report. Nobody can be told from them.

Words of questions come from those callers only who agreed to analytics, and only where FEWEST of them asked alike.
"""

from __future__ import annotations

from typing import Any

from chatbot.storage.database import Database

FEWEST = 3
"""Different callers, below which nothing that they asked is shown."""

SINCE = "messages.created_at > now() - %(days)s * interval '1 day'"
BY_DAY = f"""
SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*) AS questions,
    count(*) FILTER (WHERE NOT grounded) AS unanswered, sum(prompt_tokens + completion_tokens)::bigint AS tokens,
    sum(cost) AS cost
FROM messages WHERE {SINCE} GROUP BY 1 ORDER BY 1
"""
RATINGS = f"""
SELECT rating, count(*) AS number FROM feedback JOIN messages ON messages.id = message_id
WHERE {SINCE} GROUP BY 1 ORDER BY 1
"""
CITED = f"""
SELECT citation ->> 'title' AS title, citation ->> 'source' AS source, count(DISTINCT messages.id) AS answers
FROM messages JOIN conversations ON conversations.id = conversation_id, jsonb_array_elements(citations) AS citation
WHERE {SINCE} GROUP BY 1, 2 HAVING count(DISTINCT caller_id) >= {FEWEST} ORDER BY 3 DESC, 2 LIMIT 15
"""
AGREED = "JOIN conversations ON conversations.id = conversation_id JOIN consents USING (caller_id)"
ASKED = f"""
SELECT min(question) AS question, count(*) AS times FROM messages {AGREED} WHERE {SINCE} AND consents.analytics
GROUP BY lower(btrim(regexp_replace(question, '\\W+', ' ', 'g'))) HAVING count(DISTINCT caller_id) >= {FEWEST}
ORDER BY 2 DESC, 1 LIMIT 15
"""
UNANSWERED = f"""
SELECT caller_id, question, messages.language FROM messages {AGREED}
WHERE {SINCE} AND consents.analytics AND NOT grounded ORDER BY messages.created_at DESC LIMIT 5000
"""
CORPUS = """
SELECT coalesce(metadata ->> %(key)s, '') AS value, count(*) AS documents FROM documents
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 60
"""

Rows = list[dict[str, Any]]


class Usage:
    def __init__(self, database: Database, days: int) -> None:
        self._database, self._values = database, {"days": days}

    async def by_day(self) -> Rows:
        return await self._database.rows(BY_DAY, self._values)

    async def ratings(self) -> Rows:
        return await self._database.rows(RATINGS, self._values)

    async def cited(self) -> Rows:
        return await self._database.rows(CITED, self._values)

    async def asked(self) -> Rows:
        return await self._database.rows(ASKED, self._values)

    async def unanswered(self) -> Rows:
        """Callers and questions, to be summed up at once: not to be shown, nor kept."""
        return await self._database.rows(UNANSWERED, self._values)

    async def corpus(self, key: str) -> Rows:
        """How many documents have which value of their metadata; "" for those without."""
        return await self._database.rows(CORPUS, {"key": key})
