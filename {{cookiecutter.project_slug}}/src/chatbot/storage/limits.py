"""How many requests a minute and how many tokens a day a caller may have, counted in PostgreSQL for all processes.

    status = await limits.take([Subject("visitor:…")])     # raises LimitReached
    reserved = await limits.reserve(subjects, 2_000)       # raises LimitReached when the day's tokens are used up
    await limits.settle(reserved, 815)                     # after the answer, which took so many

A request is one atomic statement on one row: a bucket that holds a minute's requests and refills steadily, kept as the
moment at which it is full again (the « generic cell rate algorithm »). Whoever is counted is named by a keyed hash
whose key, a random salt, changes each day and is deleted with it: neither addresses nor callers can be read here, and
yesterday's not even guessed. Which day it is PostgreSQL says, since clocks of processes differ, and jump. When it is
away `Unavailable` is raised: no request passes uncounted.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from time import monotonic
from typing import Any

from psycopg import AsyncConnection

from chatbot.domain import LimitReached
from chatbot.storage.database import Database

MINUTE = timedelta(minutes=1)

REMEMBERED = 300.0
"""Seconds for which a process goes on with the day that it was told, unless that ends before."""
TODAY = "(now() AT TIME ZONE 'UTC')::date"
DAY = f"""
WITH made AS (
    INSERT INTO daily_salts (day, salt) VALUES ({TODAY}, %(salt)s) ON CONFLICT DO NOTHING RETURNING day, salt
), found AS (
    SELECT day, salt FROM made UNION ALL SELECT day, salt FROM daily_salts WHERE day = {TODAY} LIMIT 1
)
SELECT day, salt, extract(epoch FROM (day + 1)::timestamp - now() AT TIME ZONE 'UTC') AS left FROM found
"""
TAKE = """
WITH taken AS (
    INSERT INTO request_rates AS rate (subject, free_at) VALUES (%(subject)s, now() + %(step)s)
    ON CONFLICT (subject) DO UPDATE SET free_at = greatest(rate.free_at, now()) + %(step)s
    WHERE greatest(rate.free_at, now()) + %(step)s <= now() + interval '1 minute'
    RETURNING free_at
)
SELECT (SELECT free_at FROM taken) - now() AS owed,
    (SELECT free_at FROM request_rates WHERE subject = %(subject)s) - now() AS before
"""
OPEN_ACCOUNTS = """
INSERT INTO token_spending (subject, day, tokens)
SELECT subject, %(day)s, 0 FROM unnest(%(subjects)s::text[]) AS subject ORDER BY subject ON CONFLICT DO NOTHING
"""
LOCK_ACCOUNTS = """
SELECT subject, tokens FROM token_spending WHERE subject = ANY(%(subjects)s) ORDER BY subject FOR UPDATE
"""
SPEND = """
WITH locked AS (SELECT subject FROM token_spending WHERE subject = ANY(%(subjects)s) ORDER BY subject FOR UPDATE)
UPDATE token_spending SET tokens = greatest(tokens + %(tokens)s, 0) WHERE subject IN (SELECT subject FROM locked)
"""
FORGET = f"""
WITH salts AS (DELETE FROM daily_salts WHERE day < {TODAY} RETURNING 1),
rates AS (DELETE FROM request_rates WHERE free_at < now() RETURNING 1),
spending AS (DELETE FROM token_spending WHERE day < {TODAY} RETURNING 1)
SELECT (SELECT count(*) FROM salts) + (SELECT count(*) FROM rates) + (SELECT count(*) FROM spending) AS number
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is counted: a caller, or a network with `share` times what one caller may have."""

    name: str
    share: int = 1


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """How much of the minute's requests is left to the subject that has the least."""

    limit: int
    remaining: int
    reset: int
    """Seconds until all are there again."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Tokens that were taken off the budgets of these subjects, by their hashes of that day, until it is settled."""

    subjects: tuple[str, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class _Day:
    date: date
    salt: bytes
    ends: float
    """By the monotonic clock; `known_until` likewise."""
    known_until: float

    def named(self, subject: Subject) -> str:
        """The subject's keyed hash of that day."""
        return hmac.new(self.salt, subject.name.encode(), hashlib.sha256).hexdigest()


class Limits:
    def __init__(self, database: Database, per_minute: int, daily_tokens: int) -> None:
        self._database = database
        self._per_minute = per_minute
        self._daily_tokens = daily_tokens
        self._day: _Day | None = None

    async def take(self, subjects: Sequence[Subject]) -> RateLimitStatus | None:
        """Count one request for each subject, or for none when one has had too many; None where there is no limit."""
        if not self._per_minute:
            return None
        day = await self._today()
        names = {day.named(each): each for each in subjects}
        async with self._database.transaction() as connection:
            # In one order everywhere, so that no two requests wait for each other.
            statuses = [await self._take(connection, names[name], name) for name in sorted(names)]
        return min(statuses, key=lambda status: status.remaining)

    async def reserve(self, subjects: Sequence[Subject], tokens: int) -> Reservation:
        """Take tokens off the day's budget of each subject before they are used, or all that is left of it.

        LimitReached when nothing is left: of many requests at once only those pass that the budget still bears.
        """
        if not self._daily_tokens:
            return Reservation((), 0)
        day = await self._today()
        bounds = {day.named(each): each.share * self._daily_tokens for each in subjects}
        values = {"subjects": [*bounds], "day": day.date}
        async with self._database.transaction() as connection:
            await connection.execute(OPEN_ACCOUNTS, values)
            rows = await (await connection.execute(LOCK_ACCOUNTS, values)).fetchall()
            left = min(bounds[row["subject"]] - row["tokens"] for row in rows)
            if left <= 0:
                left = max(math.ceil(day.ends - monotonic()), 1)
                raise LimitReached("The tokens of this day are used up; new ones come at midnight UTC.", left)
            taken = min(tokens, left)
            await connection.execute(SPEND, {**values, "tokens": taken})
        return Reservation(tuple(bounds), taken)

    async def settle(self, reservation: Reservation, tokens: int) -> None:
        """Count what was used in place of what was reserved. After midnight it is counted on nobody."""
        if reservation.subjects and tokens != reservation.tokens:
            values = {"subjects": [*reservation.subjects], "tokens": tokens - reservation.tokens}
            await self._database.rows(SPEND, values)

    async def forget_old(self) -> int:
        """Delete what no limit needs any more, and the salts of former days; how many rows. To be called each day."""
        row = await self._database.row(FORGET)
        return row["number"] if row else 0

    async def _take(self, connection: AsyncConnection[Any], subject: Subject, name: str) -> RateLimitStatus:
        limit = self._per_minute * subject.share
        step = timedelta(microseconds=MINUTE / timedelta(microseconds=1) // limit)
        row = await (await connection.execute(TAKE, {"subject": name, "step": step})).fetchone()
        assert row
        owed: timedelta | None = row["owed"]
        if owed is None:
            wait = math.ceil(((row["before"] or MINUTE) + step - MINUTE).total_seconds())
            raise LimitReached(f"There were more than {limit} requests in a minute; wait a moment.", max(wait, 1))
        return RateLimitStatus(limit, max((MINUTE - owed) // step, 0), math.ceil(owed.total_seconds()))

    async def _today(self) -> _Day:
        now = monotonic()
        if self._day is None or self._day.known_until <= now:
            values = {"salt": secrets.token_bytes(32)}
            # Nothing at first when another process made it in this very moment, after the statement's snapshot.
            row = await self._database.row(DAY, values) or await self._database.row(DAY, values)
            assert row
            left = float(row["left"])
            self._day = _Day(row["day"], bytes(row["salt"]), now + left, now + min(left, REMEMBERED))
        return self._day
