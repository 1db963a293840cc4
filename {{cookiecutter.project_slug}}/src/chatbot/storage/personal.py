"""All that is kept of one caller: hand it out, erase it, remember what they agreed to, drop it when it is old.

    async for conversation in personal.conversations(caller.id): ...
    counts = await personal.erase(caller.id)      # {'conversations': 3, 'messages': 12, 'feedback': 1, 'consents': 1}

Every table that holds something of a caller is named here. However much that is, it is neither held in memory nor
removed in one transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chatbot.domain import Consent, Conversation
from chatbot.storage.conversations import CALLER, ONE_AT_A_TIME, Conversations
from chatbot.storage.database import Database

PAGE = 100
"""Conversations read, or erased, at a time."""

# By when they began, which does not change: one that goes on meanwhile is neither missed nor told twice.
NEXT = """
SELECT id, created_at FROM conversations WHERE caller_id = %(caller)s
    AND (%(moment)s::timestamptz IS NULL OR (created_at, id) < (%(moment)s, %(id)s))
ORDER BY created_at DESC, id DESC LIMIT %(limit)s
"""
REMEMBER = f"""
INSERT INTO erasures (caller, erased_at) VALUES ({CALLER}, clock_timestamp())
ON CONFLICT (caller) DO UPDATE SET erased_at = excluded.erased_at RETURNING erased_at
"""
# Feedback and messages go with their conversation; what began after the erasure is none of it.
ERASE_CONVERSATIONS = """
WITH gone AS MATERIALIZED (
    SELECT id FROM conversations WHERE caller_id = %(caller)s AND created_at <= %(moment)s LIMIT %(limit)s FOR UPDATE
), counted AS MATERIALIZED (
    SELECT count(*) AS messages, count(message_id) AS feedback
    FROM messages LEFT JOIN feedback ON message_id = id WHERE conversation_id IN (SELECT id FROM gone)
), deleted AS (DELETE FROM conversations WHERE id IN (SELECT id FROM gone) RETURNING 1)
SELECT (SELECT count(*) FROM deleted) AS conversations, messages, feedback FROM counted
"""
ERASE_OTHERS = [f"DELETE FROM {table} WHERE caller_id = %(caller)s" for table in ("open_answers", "consents")]
FORGET = "DELETE FROM erasures WHERE erased_at < now() - %(days)s * interval '1 day'"
AGREE = """
INSERT INTO consents (caller_id, analytics) VALUES (%(caller)s, %(analytics)s)
ON CONFLICT (caller_id) DO UPDATE SET analytics = excluded.analytics, updated_at = now()
"""
OLD = "now() - %(days)s * interval '1 day'"
PURGE_CONVERSATIONS = f"DELETE FROM conversations WHERE updated_at < {OLD}"
PURGE_OPEN_ANSWERS = "DELETE FROM open_answers WHERE alive_until < now()"
PURGE_CONSENTS = f"""
DELETE FROM consents WHERE updated_at < {OLD}
    AND NOT EXISTS (SELECT FROM conversations WHERE conversations.caller_id = consents.caller_id)
"""


class Personal:
    def __init__(self, database: Database, conversations: Conversations) -> None:
        self._database = database
        self._conversations = conversations

    async def conversations(self, caller_id: str) -> AsyncIterator[Conversation]:
        """Each with its messages and what was thought of them, those that began last first."""
        page: dict[str, Any] = {"caller": caller_id, "limit": PAGE, "moment": None, "id": ""}
        while rows := await self._database.rows(NEXT, page):
            for row in rows:
                if found := await self._conversations.get(row["id"], caller_id):
                    yield found
            page |= {"moment": rows[-1]["created_at"], "id": rows[-1]["id"]}

    async def erase(self, caller_id: str) -> dict[str, int]:
        """Remove everything, and tell how much of what that was. An answer that is under way will not be kept.

        What fails half-way has removed a part, and may be repeated.
        """
        values: dict[str, Any] = {"caller": caller_id, "limit": PAGE}
        async with self._database.transaction() as connection:
            await connection.execute(ONE_AT_A_TIME, values)
            row = await (await connection.execute(REMEMBER, values)).fetchone()
            assert row
            *_, consents = [(await connection.execute(each, values)).rowcount for each in ERASE_OTHERS]
        removed = {"conversations": 0, "messages": 0, "feedback": 0}
        while (part := await self._database.row(ERASE_CONVERSATIONS, values | {"moment": row["erased_at"]})) and (
            part["conversations"]
        ):
            removed = {name: number + part[name] for name, number in removed.items()}
        return {**removed, "consents": consents}

    async def consent(self, caller_id: str) -> Consent:
        """What the caller agreed to: nothing, until they say so."""
        statement = "SELECT analytics, updated_at FROM consents WHERE caller_id = %(caller)s"
        row = await self._database.row(statement, {"caller": caller_id})
        return Consent(**row) if row else Consent(analytics=False)

    async def agree(self, caller_id: str, analytics: bool) -> None:
        await self._database.rows(AGREE, {"caller": caller_id, "analytics": analytics})

    async def forget(self, days: int = 1) -> None:
        """Who was erased so many days ago, at least one: no answer of theirs can be under way, and no backup is older.

        And which answers were being written by processes that are gone.
        """
        async with self._database.transaction() as connection:
            await connection.execute(FORGET, {"days": max(days, 1)})
            await connection.execute(PURGE_OPEN_ANSWERS)

    async def purge(self, days: int) -> dict[str, int]:
        """Remove conversations without a new answer for so many days, and what their callers agreed to."""
        async with self._database.transaction() as connection:
            conversations = await connection.execute(PURGE_CONVERSATIONS, {"days": days})
            consents = await connection.execute(PURGE_CONSENTS, {"days": days})
        return {"conversations": conversations.rowcount, "consents": consents.rowcount}
