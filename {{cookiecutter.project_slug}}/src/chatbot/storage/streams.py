"""Which streamed answers are being written, and whether somebody waits: so one process resumes what another began.

    await open_answers.add(message_id, caller.id)
    wanted = await open_answers.beat(message_id)               the writer: it is still written; does anybody wait?
    written = await open_answers.want(message_id, caller.id)   who resumes: somebody waits; is it still written?

A row holds two ids and two moments, and no words. It goes when the answer is kept or given up; one whose process died
is taken for given up after ALIVE seconds, and deleted with what is old.
"""

from __future__ import annotations

from chatbot.storage.database import Database

ALIVE = 12
"""Seconds that a beat holds."""
WANTED = 0.75
"""Seconds that a want holds: who resumes may leave, too, and the model is then to be stopped within a second."""

ADD = f"""
INSERT INTO open_answers (message_id, caller_id, alive_until, wanted_until)
VALUES (%(id)s, %(caller)s, now() + interval '{ALIVE} seconds', now())
"""
BEAT = f"""
UPDATE open_answers SET alive_until = now() + interval '{ALIVE} seconds' WHERE message_id = %(id)s
RETURNING wanted_until > now() AS wanted
"""
WANT = f"""
UPDATE open_answers SET wanted_until = now() + interval '{WANTED} seconds'
WHERE message_id = %(id)s AND caller_id = %(caller)s AND alive_until > now() RETURNING message_id
"""
REMOVE = "DELETE FROM open_answers WHERE message_id = %(id)s"


class OpenAnswers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, message_id: str, caller_id: str) -> None:
        await self._database.rows(ADD, {"id": message_id, "caller": caller_id})

    async def beat(self, message_id: str) -> bool:
        """Say that it is still written; whether somebody waits for it."""
        row = await self._database.row(BEAT, {"id": message_id})
        return row is not None and row["wanted"]

    async def want(self, message_id: str, caller_id: str) -> bool:
        """Say that somebody waits for it; whether it is still written. Once it is not, it was kept or given up."""
        return await self._database.row(WANT, {"id": message_id, "caller": caller_id}) is not None

    async def remove(self, message_id: str) -> None:
        """It was given up; `Conversations.keep` removes what was kept, with the same commit."""
        await self._database.rows(REMOVE, {"id": message_id})
