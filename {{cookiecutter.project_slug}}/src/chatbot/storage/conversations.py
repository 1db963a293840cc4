"""Conversations in PostgreSQL, and what users think of the answers. Everything belongs to one caller, and only to them.

await conversations.keep(caller.id, conversation_id, message, title="What is a carbon tax?")
turns = await conversations.turns(conversation_id, caller.id, limit=6)
page = await conversations.list(caller.id, limit=20)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from chatbot.domain import Answer, Citation, Conversation, Feedback, Message, NotFound, Turn, Usage
from chatbot.storage import streams as open_answers
from chatbot.storage.database import Database

CALLER = "sha256(convert_to(%(caller)s, 'UTF8'))"
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended(%(caller)s, 0))"
"""Erasing a caller, and beginning a conversation of theirs: each waits until the other can be seen."""
BEGIN = f"""
INSERT INTO conversations (id, caller_id, title)
SELECT %(id)s, %(caller)s, %(title)s WHERE NOT EXISTS (
    SELECT FROM erasures WHERE caller = {CALLER} AND erased_at > now() - %(age)s * interval '1 second'
) RETURNING id
"""
CONTINUE = "UPDATE conversations SET updated_at = now() WHERE id = %(id)s AND caller_id = %(caller)s RETURNING id"
ADD = """
INSERT INTO messages (id, conversation_id, question, answer, citations, grounded, language, model, prompt_tokens,
    completion_tokens, cost, estimated)
VALUES (%(id)s, %(conversation_id)s, %(question)s, %(answer)s, %(citations)s, %(grounded)s, %(language)s, %(model)s,
    %(prompt_tokens)s, %(completion_tokens)s, %(cost)s, %(estimated)s)
"""
TURNS = """
SELECT question, answer FROM conversations LEFT JOIN messages ON conversation_id = conversations.id
WHERE conversations.id = %(id)s AND caller_id = %(caller)s
ORDER BY messages.created_at DESC, messages.id LIMIT %(limit)s
"""
LIST = """
SELECT id, title, created_at, updated_at FROM conversations WHERE caller_id = %(caller)s
    AND (%(moment)s::timestamptz IS NULL OR (updated_at, id) < (%(moment)s, %(id)s))
ORDER BY updated_at DESC, id DESC LIMIT %(limit)s
"""
GET = "SELECT id, title, created_at, updated_at FROM conversations WHERE id = %(id)s AND caller_id = %(caller)s"
MESSAGES = """
SELECT messages.*, rating, comment FROM messages LEFT JOIN feedback ON message_id = id
WHERE conversation_id = %(id)s ORDER BY messages.created_at, id
"""
FIND = """
SELECT messages.*, NULL AS rating FROM messages JOIN conversations ON conversations.id = conversation_id
WHERE messages.id = %(id)s AND caller_id = %(caller)s
"""
RATE = """
INSERT INTO feedback (message_id, rating, comment)
SELECT messages.id, %(rating)s, %(comment)s FROM messages JOIN conversations ON conversations.id = conversation_id
WHERE messages.id = %(id)s AND caller_id = %(caller)s FOR KEY SHARE OF messages
ON CONFLICT (message_id) DO UPDATE SET rating = excluded.rating, comment = excluded.comment, created_at = now()
RETURNING message_id
"""


class Conversations:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(
        self, caller_id: str, conversation_id: str, message: Message, title: str | None = None, age: float = 0
    ) -> None:
        """Add the message to the conversation; with a title, to a new one. All of it is kept, or nothing.

        NotFound when the conversation is not the caller's, or not any more: what was deleted does not come back, nor
        does who was erased since the question came, `age` seconds ago.
        """
        values = {"id": conversation_id, "caller": caller_id, "title": title, "age": age}
        async with self._database.transaction() as connection:
            if title is not None:
                await connection.execute(ONE_AT_A_TIME, values)
            found = await connection.execute(CONTINUE if title is None else BEGIN, values)
            if await found.fetchone() is None:
                raise NotFound("There is no conversation of this id.")
            await connection.execute(ADD, _columns(message) | {"conversation_id": conversation_id})
            await connection.execute(open_answers.REMOVE, {"id": message.id})

    async def turns(self, id: str, caller_id: str, limit: int) -> list[Turn]:
        """The last turns, in order. NotFound when the conversation is not the caller's."""
        rows = await self._database.rows(TURNS, {"id": id, "caller": caller_id, "limit": limit})
        if not rows:
            raise NotFound("There is no conversation of this id.")
        return [Turn(**row) for row in reversed(rows) if row["question"] is not None]

    async def list(self, caller_id: str, limit: int, before: tuple[datetime, str] | None = None) -> list[Conversation]:
        """The caller's conversations, the latest first: those before that moment and id."""
        moment, id = before or (None, "")
        values = {"caller": caller_id, "limit": limit, "moment": moment, "id": id}
        return [Conversation(**row) for row in await self._database.rows(LIST, values)]

    async def get(self, id: str, caller_id: str) -> Conversation | None:
        """With its messages, in order."""
        row = await self._database.row(GET, {"id": id, "caller": caller_id})
        if row is None:
            return None
        rows = await self._database.rows(MESSAGES, {"id": id})
        return Conversation(**row, messages=[_message(each) for each in rows])

    async def find(self, message_id: str, caller_id: str) -> tuple[str, Message] | None:
        """One answer of the caller's, without what was thought of it, and the id of its conversation."""
        row = await self._database.row(FIND, {"id": message_id, "caller": caller_id})
        return None if row is None else (row["conversation_id"], _message(row))

    async def delete(self, id: str, caller_id: str) -> bool:
        """With its messages and what was thought of them; False when it is not the caller's."""
        statement = "DELETE FROM conversations WHERE id = %(id)s AND caller_id = %(caller)s RETURNING id"
        return await self._database.row(statement, {"id": id, "caller": caller_id}) is not None

    async def rate(self, message_id: str, caller_id: str, feedback: Feedback) -> bool:
        """Keep what the caller thinks of an answer, in place of what was said before; False when it is not theirs."""
        values = {"id": message_id, "caller": caller_id, "rating": feedback.rating, "comment": feedback.comment}
        return await self._database.row(RATE, values) is not None


def _columns(message: Message) -> dict[str, Any]:
    answer = message.answer
    return {
        "id": message.id,
        "question": message.question,
        "answer": answer.text.replace("\0", ""),  # PostgreSQL keeps none; a model may write one
        "citations": Jsonb([asdict(each) for each in answer.citations]),
        "grounded": answer.grounded,
        "language": answer.language,
        "model": answer.model,
        **asdict(answer.usage),
    }


def _message(row: Mapping[str, Any]) -> Message:
    citations = [Citation(**each) for each in row["citations"]]
    usage = Usage(row["prompt_tokens"], row["completion_tokens"], row["cost"], row["estimated"])
    answer = Answer(row["answer"], citations, row["grounded"], row["language"], row["model"], usage)
    feedback = Feedback(row["rating"], row["comment"]) if row["rating"] else None
    return Message(row["id"], row["question"], answer, row["created_at"], feedback)
