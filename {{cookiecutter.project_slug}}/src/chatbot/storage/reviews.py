"""What the operator learns from readers: ratings with their comments, and questions that found no answer.

A rating is a message of its sender to the operator, and shows what it is about. Questions without an answer come from
the view `analytics` alone: from those who agree to it, without who they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.domain import Review, Unanswered
from chatbot.storage.database import Database

REVIEWS = """
SELECT question, answer, rating, comment, model, feedback.created_at
FROM feedback JOIN messages ON messages.id = message_id
WHERE %(rating)s::text IS NULL OR rating = %(rating)s
ORDER BY feedback.created_at DESC, message_id LIMIT %(limit)s
"""
UNANSWERED = """
SELECT question, language, count(*) AS times, max(day) AS day FROM analytics WHERE NOT grounded
GROUP BY question, language ORDER BY day DESC, times DESC, question LIMIT %(limit)s
"""


class Reviews:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, rating: str | None, limit: int) -> Sequence[Review]:
        """The latest first, of that rating or of any."""
        return [Review(**row) for row in await self._database.rows(REVIEWS, {"rating": rating, "limit": limit})]

    async def unanswered(self, limit: int) -> Sequence[Unanswered]:
        """The latest days first."""
        return [Unanswered(**row) for row in await self._database.rows(UNANSWERED, {"limit": limit})]
