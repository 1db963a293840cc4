"""PostgreSQL: a pool of connections, opened at first use and shared by all that have the same URL. Tables: migrations/.

    row = await database.row("SELECT title FROM documents WHERE id = %(id)s", {"id": id})
    async with database.transaction() as connection:      # all or nothing
        await connection.execute(…)

Plain SQL on the driver: an object-relational layer would double the start-up time of every process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import select
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from chatbot.domain import Filters
from chatbot.storage.postgres_errors import explained

CONNECT_TIMEOUT = 3
"""Seconds to connect, for a connection to come free, and for it to show that its server still answers."""
FRESH = 0.5
"""Seconds for which a connection is believed to be as good as it was."""
SILENCE = 60.0
"""Seconds that a statement may take: a server that says nothing for longer is taken for dead."""
STATEMENT_TIMEOUT = 55
"""Seconds after which the server gives a statement up by itself."""
SESSION = f"""
SET statement_timeout = '{STATEMENT_TIMEOUT}s'; SET default_transaction_isolation = 'read committed';
SET datestyle = 'ISO'; SET intervalstyle = 'postgres'
"""
"""What the statements here rely on, whatever the database's or the user's defaults are."""
POOL_SIZE = 10
"""Connections to one URL that a process has at most; it holds one when idle."""
LOCK = "SELECT pg_try_advisory_xact_lock(hashtext(%(name)s)) AS free"
HELD_LONG = (
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL tcp_keepalives_idle = 30",
    "SET LOCAL tcp_keepalives_interval = 10",
    "SET LOCAL tcp_keepalives_count = 3",
)
"""The server lets an idle transaction be, and finds within a minute that the machine of its client is gone."""

Parameters = Mapping[str, Any]

# The pool would write a line for each failed attempt; whoever meets the outage says so once.
logging.getLogger("psycopg").setLevel(logging.ERROR)


class Connection(AsyncConnection[DictRow]):
    """A connection that waits for its server, but not for ever."""

    heard = 0.0
    """When the server last answered, by the event loop's clock."""

    async def wait(self, *arguments: Any, **options: Any) -> Any:
        with hanging_up(self, SILENCE):
            result = await super().wait(*arguments, **options)
        self.heard = asyncio.get_running_loop().time()
        return result


def _says_something(connection: Connection) -> bool:
    """Nobody asked the server anything: it most likely says that it has closed the connection."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


@contextmanager
def hanging_up(connection: AsyncConnection[Any], seconds: float) -> Iterator[None]:
    """Shut the connection's socket after so many seconds: libpq then tells whoever waits that the server is gone.

    A mere cancellation would ask the silent server to cancel, and wait for its answer.
    """
    timer = asyncio.get_running_loop().call_later(seconds, _hang_up, connection)
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(connection: AsyncConnection[Any]) -> None:
    with suppress(OSError, psycopg.OperationalError), socket.socket(fileno=os.dup(connection.fileno())) as shared:
        shared.shutdown(socket.SHUT_RDWR)


async def _check(connection: Connection) -> None:
    """An idle connection may have died, or its server be silent."""
    if asyncio.get_running_loop().time() - connection.heard > FRESH or _says_something(connection):
        with hanging_up(connection, CONNECT_TIMEOUT):
            await AsyncConnectionPool.check_connection(connection)


class Pool:
    """The connections of a process to one URL, given back when the last of those that use it has closed."""

    def __init__(self, url: str, size: int) -> None:
        self._url, self._size = url, size
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._drained = -math.inf
        self.users = 0
        self.refused: psycopg.Error | None = None
        """Why the last attempt to connect failed; None once one has succeeded."""

    async def opened(self) -> AsyncConnectionPool[Connection]:
        if self._pool is None:
            # prepare_threshold: prepared statements do not survive a transaction pooler such as PgBouncer.
            # reconnect_timeout: it would try ever less often, for minutes; whoever needs a connection tries again.
            self._pool = AsyncConnectionPool(
                self._url,
                connection_class=self._recording(),
                kwargs={
                    "autocommit": True,
                    "row_factory": dict_row,
                    "connect_timeout": CONNECT_TIMEOUT,
                    "prepare_threshold": None,
                },
                configure=_configure,
                min_size=1,
                max_size=self._size,
                timeout=CONNECT_TIMEOUT,
                reconnect_timeout=CONNECT_TIMEOUT,
                check=self._check,
                open=False,
            )
        await self._pool.open()
        return self._pool

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _check(self, connection: Connection) -> None:
        """Where one has died the others most likely have too: they are replaced at once, not one a second."""
        try:
            await _check(connection)
        except Exception:
            if self._pool is not None and connection.heard > self._drained:
                self._drained = asyncio.get_running_loop().time()
                await self._pool.drain()
            raise

    def _recording(self) -> type[Connection]:
        """A kind of connection that leaves here why it was refused: the pool would only say that none came."""
        pool = self

        class Recording(Connection):
            @classmethod
            async def connect(cls, *arguments: Any, **options: Any) -> Any:
                try:
                    made = await super().connect(*arguments, **options)
                except psycopg.Error as error:
                    pool.refused = error
                    raise
                pool.refused = None
                return made

        return Recording


_pools: dict[tuple[int, str], Pool] = {}
"""By event loop and URL: a process has one database, though its parts know it by several variables."""


class Database:
    def __init__(self, url: str, pool_size: int = POOL_SIZE, variable: str = "DATABASE_URL") -> None:
        """Opens nothing. Of several for one URL the first that is used decides the size of their pool."""
        self._url, self._pool_size, self._variable = url, pool_size, variable
        self._pool: Pool | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection[DictRow]]:
        """A connection whose statements are committed together at the end. Unavailable when the server is away."""
        async with self._connection() as connection, connection.transaction():
            yield connection

    async def rows(self, statement: str, parameters: Parameters | None = None) -> list[DictRow]:
        """Run one statement, committed at once; its rows by column name."""
        async with self._connection() as connection:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall() if cursor.description else []

    async def row(self, statement: str, parameters: Parameters | None = None) -> DictRow | None:
        """The first row, or None."""
        return next(iter(await self.rows(statement, parameters)), None)

    async def ping(self) -> None:
        """Return when PostgreSQL answers and its tables can be read; Unavailable or InvalidConfiguration if not."""
        await self.rows("SELECT FROM documents LIMIT 1")

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[bool]:
        """Whether nobody else holds the lock of that name, for hours if need be, on a connection of its own.

        It goes with the process, however that ends. It belongs to a transaction, not to a session, so that it holds
        behind a transaction pooler too; an idle one has no snapshot, so that nothing waits for it to be vacuumed.
        """
        own = Pool(self._url, 1)
        try:
            async with self._connection(own) as connection, connection.transaction():
                row = await (await connection.execute(LOCK, {"name": name})).fetchone()
                for statement in HELD_LONG:  # afterwards: the portal of a statement with parameters keeps its snapshot
                    await connection.execute(statement)
                yield bool(row and row["free"])
        finally:
            await own.close()

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.users -= 1
            if not pool.users:
                _pools.pop(self._key(), None)
                await pool.close()

    @asynccontextmanager
    async def _connection(self, own: Pool | None = None) -> AsyncIterator[AsyncConnection[DictRow]]:
        """Raises the errors of a connection, of the pool, of a statement and of the data, each in its own words."""
        pool = own or self._shared()
        try:
            async with (await pool.opened()).connection() as connection:
                yield connection
        except psycopg.Error as error:
            if (meaning := explained(error, pool.refused, self._variable)) is None:
                raise
            raise meaning from error

    def _shared(self) -> Pool:
        if self._pool is None:
            self._pool = _pools.setdefault(self._key(), Pool(self._url, self._pool_size))
            self._pool.users += 1
        return self._pool

    def _key(self) -> tuple[int, str]:
        return id(asyncio.get_running_loop()), self._url


async def _configure(connection: Connection) -> None:
    await connection.execute(SESSION)


def of_documents(filters: Filters) -> tuple[str, dict[str, object]]:
    """The condition that a row of `documents` passes the filters, as its indexes answer it, with its parameters.

    It passes as with `matching` over its metadata and its language.
    """
    conditions, parameters = ["true"], dict[str, object]()
    for number, (key, accepted) in enumerate(filters.items()):
        if key == "language":
            conditions.append(f"documents.language = ANY(%(value{number})s)")
            parameters[f"value{number}"] = [value for value in accepted if isinstance(value, str)]
            continue
        alternatives = ["false"]
        for place, each in enumerate(json.dumps({key: each}) for value in accepted for each in (value, [value])):
            alternatives.append(f"documents.metadata @> %(value{number}_{place})s::jsonb")
            parameters[f"value{number}_{place}"] = each
        conditions.append(f"({' OR '.join(alternatives)})")
    return " AND ".join(conditions), parameters


def matching(column: str, filters: Filters) -> tuple[str, dict[str, object]]:
    """The condition, in SQL with its parameters, that a JSONB column of metadata passes the filters.

    A JSONB list contains each of its values, and a scalar itself: one test for both.
    """
    conditions, parameters = ["true"], dict[str, object]()
    for number, (key, accepted) in enumerate(filters.items()):
        conditions.append(f"{column} -> %(key{number})s @> ANY(%(values{number})s::jsonb[])")
        parameters[f"key{number}"] = key
        parameters[f"values{number}"] = [json.dumps(value) for value in accepted]
    return " AND ".join(conditions), parameters
