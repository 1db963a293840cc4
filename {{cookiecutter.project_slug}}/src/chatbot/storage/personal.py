"""All that is kept of one caller: hand it out, erase it, remember what they agreed to, drop it when it is old.

    record = await personal.export(caller.id)
    counts = await personal.erase(caller.id)      # {'conversations': 3, 'messages': 12, 'feedback': 1, 'consents': 1}

Every table that holds something of a caller is named here, and erased in one transaction.
"""

from __future__ import annotations

from chatbot.domain import Consent, Conversation, PersonalRecord
from chatbot.storage.conversations import CALLER, ONE_AT_A_TIME, Conversations
from chatbot.storage.database import Database

PAGE = 100
"""Conversations read at a time."""

COUNT = """
SELECT count(DISTINCT conversations.id) AS conversations, count(messages.id) AS messages,
    count(message_id) AS feedback
FROM conversations LEFT JOIN messages ON conversation_id = conversations.id
LEFT JOIN feedback ON message_id = messages.id WHERE caller_id = %(caller)s
"""
ERASE = [f"DELETE FROM {table} WHERE caller_id = %(caller)s" for table in ("open_answers", "conversations", "consents")]
REMEMBER = f"""
INSERT INTO erasures (caller, erased_at) VALUES ({CALLER}, clock_timestamp())
ON CONFLICT (caller) DO UPDATE SET erased_at = excluded.erased_at
"""
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

    async def export(self, caller_id: str) -> PersonalRecord:
        """Everything, conversations with their messages and feedback included, the latest first."""
        found, before = list[Conversation](), None
        while page := await self._conversations.list(caller_id, PAGE, before):
            whole = [await self._conversations.get(each.id, caller_id) for each in page]
            found += [each for each in whole if each is not None]
            before = page[-1].updated_at, page[-1].id
        return PersonalRecord(caller_id, await self.consent(caller_id), found)

    async def erase(self, caller_id: str) -> dict[str, int]:
        """Remove everything, and tell how much of what that was. An answer that is under way will not be kept."""
        values = {"caller": caller_id}
        async with self._database.transaction() as connection:
            await connection.execute(ONE_AT_A_TIME, values)
            await connection.execute(REMEMBER, values)
            counts = await (await connection.execute(COUNT, values)).fetchone() or {}
            *_, consents = [(await connection.execute(each, values)).rowcount for each in ERASE]
        return {**counts, "consents": consents}

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
