"""The queue in PostgreSQL: one table, leases by FOR UPDATE SKIP LOCKED, LISTEN/NOTIFY to wake the workers at once.

A message is free when its lease has run out; a new one is born with a lease that already has. Where notifications do
not pass (a transaction pooler such as PgBouncer), the slow poll finds the message.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

import psycopg
from psycopg import AsyncConnection

from chatbot import ports
from chatbot.clients.broker_loop import Message, consume
from chatbot.domain import Unavailable
from chatbot.storage.database import Database

POLL = 5.0
"""Seconds between looks at the table when no notification comes: also how late a dead worker's job may be."""

CREATE = """
CREATE TABLE IF NOT EXISTS queue_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id text NOT NULL,
    lease_until timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS queue_messages_lease_until ON queue_messages (lease_until)
"""
SEND = "WITH sent AS (INSERT INTO queue_messages (job_id) VALUES (%(job_id)s)) SELECT pg_notify('queue_messages', '')"
# MATERIALIZED: a plan may run a plain subquery once for each row, and so take more than the limit.
TAKE = """
WITH free AS MATERIALIZED (
    SELECT id FROM queue_messages WHERE lease_until <= clock_timestamp()
    ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE queue_messages SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id IN (SELECT id FROM free) RETURNING id, job_id
"""
RENEW = """
UPDATE queue_messages SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s) WHERE id = ANY(%(ids)s)
"""


def connect(url: str, lease: float) -> PostgresQueue:
    return PostgresQueue(url, lease)


class PostgresQueue:
    def __init__(self, url: str, lease: float) -> None:
        self._url = url
        self._database = Database(url)
        self._lease = lease
        self._listener: AsyncConnection | None = None
        self._poll_at = 0.0

    async def create(self) -> None:
        async with self._database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('queue_messages'))")
            await connection.execute(CREATE)

    async def send(self, job_id: str) -> None:
        await self._database.rows(SEND, {"job_id": job_id})

    async def run(self, handle: ports.Handle, concurrency: int, stop: asyncio.Event) -> None:
        try:
            await consume(self, handle, concurrency, self._lease, stop)
        finally:
            await self._unlisten()

    async def receive(self, limit: int, wait: float) -> list[Message]:
        poll = time.monotonic() >= self._poll_at
        if not await self._notified(0 if poll else wait) and not poll:
            return []
        try:
            rows = await self._database.rows(TAKE, {"lease": self._lease, "limit": limit})
        except Unavailable:
            await self._unlisten()  # it may hear nothing any more, and never know
            raise
        # A full batch: there may be more, which nobody will notify again.
        self._poll_at = 0.0 if len(rows) == limit else time.monotonic() + min(POLL, self._lease)
        return [Message(str(row["id"]), row["job_id"]) for row in rows]

    async def renew(self, messages: Collection[Message]) -> None:
        await self._database.rows(RENEW, {"lease": self._lease, "ids": [int(message.receipt) for message in messages]})

    async def acknowledge(self, message: Message) -> None:
        await self._database.rows("DELETE FROM queue_messages WHERE id = %(id)s", {"id": int(message.receipt)})

    async def depth(self) -> int:
        row = await self._database.row("SELECT count(*) AS messages FROM queue_messages")
        return row["messages"] if row else 0

    async def ping(self) -> None:
        await self._database.rows("SELECT 1")

    async def close(self) -> None:
        await self._unlisten()
        await self._database.close()

    async def _notified(self, wait: float) -> bool:
        """Whether a message was announced, now or within `wait` seconds."""
        try:
            if self._listener is None:
                self._listener = await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=3)
                await self._listener.execute("LISTEN queue_messages")
                return True  # what was sent before was announced to nobody
            return bool([note async for note in self._listener.notifies(timeout=wait, stop_after=1)])
        except psycopg.OperationalError as error:
            await self._unlisten()
            raise Unavailable("The queue", "check QUEUE_URL and that PostgreSQL runs") from error

    async def _unlisten(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()
