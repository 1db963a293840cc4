"""Conversations in PostgreSQL, and what users think of the answers. Everything belongs to one caller, and only to them.

await conversations.keep(caller.id, conversation_id, message, title="What is a carbon tax?")
turns = await conversations.turns(conversation_id, caller.id, limit=6)
page = await conversations.list(caller.id, limit=20)
token = await conversations.share(conversation_id, caller.id)      # for a link, until `unshare`
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
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
SELECT question, answer FROM conversations LEFT JOIN messages ON conversation_id = conversations.id AND (
    %(before)s::text IS NULL OR messages.created_at < (SELECT created_at FROM messages WHERE id = %(before)s)
)
WHERE conversations.id = %(id)s AND caller_id = %(caller)s
ORDER BY messages.created_at DESC, messages.id LIMIT %(limit)s
"""
REPLACED = """
DELETE FROM messages WHERE conversation_id = %(id)s AND created_at >= (
    SELECT created_at FROM messages WHERE id = %(replaces)s AND conversation_id = %(id)s
)
"""
CONVERSATIONS = """
SELECT id, title, conversations.created_at, updated_at, token AS share
FROM conversations LEFT JOIN shares ON conversation_id = id
"""
LIST = f"""
{CONVERSATIONS} WHERE caller_id = %(caller)s
    AND (%(moment)s::timestamptz IS NULL OR (updated_at, id) < (%(moment)s, %(id)s))
    AND (%(words)s = '' OR strpos(lower(title), lower(%(words)s)) > 0 OR EXISTS (
        SELECT FROM messages WHERE messages.conversation_id = conversations.id
            AND strpos(lower(question || chr(10) || answer), lower(%(words)s)) > 0
    ))
ORDER BY updated_at DESC, id DESC LIMIT %(limit)s
"""
GET = f"{CONVERSATIONS} WHERE id = %(id)s AND caller_id = %(caller)s"
RENAME = "UPDATE conversations SET title = %(title)s WHERE id = %(id)s AND caller_id = %(caller)s RETURNING id"
SHARE = """
INSERT INTO shares (token, conversation_id)
SELECT %(token)s, id FROM conversations WHERE id = %(id)s AND caller_id = %(caller)s
ON CONFLICT (conversation_id) DO UPDATE SET shared_at = clock_timestamp() RETURNING token
"""
UNSHARE = """
DELETE FROM shares USING conversations
WHERE conversation_id = id AND id = %(id)s AND caller_id = %(caller)s RETURNING token
"""
SHARED = f"{CONVERSATIONS} WHERE token = %(token)s"
SHARED_MESSAGES = """
SELECT messages.*, NULL AS rating FROM messages JOIN shares USING (conversation_id)
WHERE token = %(token)s AND messages.created_at <= shared_at ORDER BY messages.created_at, id
"""
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
        self,
        caller_id: str,
        conversation_id: str,
        message: Message,
        title: str | None = None,
        age: float = 0,
        replaces: str | None = None,
    ) -> None:
        """Add the message to the conversation; with a title, to a new one. All of it is kept, or nothing.

        With `replaces`, in place of that message and of all that came after it. NotFound when the conversation is not
        the caller's, or not any more: what was deleted does not come back, nor does who was erased since the question
        came, `age` seconds ago.
        """
        values = {"id": conversation_id, "caller": caller_id, "title": title, "age": age}
        async with self._database.transaction() as connection:
            if title is not None:
                await connection.execute(ONE_AT_A_TIME, values)
            found = await connection.execute(CONTINUE if title is None else BEGIN, values)
            if await found.fetchone() is None:
                raise NotFound("There is no conversation of this id.")
            if replaces:
                await connection.execute(REPLACED, values | {"replaces": replaces})
            await connection.execute(ADD, _columns(message) | {"conversation_id": conversation_id})
            await connection.execute(open_answers.REMOVE, {"id": message.id})

    async def turns(self, id: str, caller_id: str, limit: int, before: str | None = None) -> list[Turn]:
        """The last turns (before that message), in order. NotFound when the conversation is not the caller's."""
        rows = await self._database.rows(TURNS, {"id": id, "caller": caller_id, "limit": limit, "before": before})
        if not rows:
            raise NotFound("There is no conversation of this id.")
        return [Turn(**row) for row in reversed(rows) if row["question"] is not None]

    async def list(
        self, caller_id: str, limit: int, before: tuple[datetime, str] | None = None, words: str = ""
    ) -> list[Conversation]:
        """The caller's conversations, the latest first: those before that moment and id, in which these words stand."""
        moment, id = before or (None, "")
        values = {"caller": caller_id, "limit": limit, "moment": moment, "id": id, "words": words}
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

    async def rename(self, id: str, caller_id: str, title: str) -> bool:
        """False when it is not the caller's."""
        return await self._database.row(RENAME, {"id": id, "caller": caller_id, "title": title}) is not None

    async def share(self, id: str, caller_id: str) -> str | None:
        """A token with which anybody reads what was said until now; the same when there is one. None: not theirs."""
        values = {"id": id, "caller": caller_id, "token": secrets.token_urlsafe(24)}
        row = await self._database.row(SHARE, values)
        return None if row is None else str(row["token"])

    async def unshare(self, id: str, caller_id: str) -> bool:
        """From now on the token leads to nothing; False when there was none, or it is not the caller's."""
        return await self._database.row(UNSHARE, {"id": id, "caller": caller_id}) is not None

    async def shared(self, token: str) -> Conversation | None:
        """What was said until it was shared, without what its owner thinks of the answers."""
        row = await self._database.row(SHARED, {"token": token})
        if row is None:
            return None
        rows = await self._database.rows(SHARED_MESSAGES, {"token": token})
        return replace(Conversation(**row), messages=[_message(each) for each in rows])

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
