"""PostgreSQL: a pool of connections, opened at first use, and one word for its outages. The tables: migrations/.

    row = await database.row("SELECT title FROM documents WHERE id = %(id)s", {"id": id})
    async with database.transaction() as connection:      # all or nothing
        await connection.execute(…)

Plain SQL on the driver: an object-relational layer would double the start-up time of every process.
"""

from __future__ import annotations

import asyncio
import json
import logging
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

from chatbot.domain import Filters, InvalidConfiguration, Unavailable

TOO_MUCH = "54"
"""The class of SQLSTATE that says that a statement goes beyond PostgreSQL's own limits."""
CONNECT_TIMEOUT = 3
"""Seconds to connect, for a connection to come free, and for it to show that its server still answers."""
FRESH = 0.5
"""Seconds for which a connection is believed to be as good as it was."""
SILENCE = 60.0
"""Seconds that a statement may take: a server that says nothing for longer is taken for dead."""
POOL_SIZE = 10
"""Connections of one process at most; it holds one when idle."""

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


class Database:
    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: AsyncConnectionPool[Connection] | None = None

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
        """Return when PostgreSQL answers and the tables are there; Unavailable or InvalidConfiguration if not."""
        row = await self.row("SELECT to_regclass('jobs') IS NOT NULL AS migrated")
        if not row or not row["migrated"]:
            raise InvalidConfiguration("The database has no tables yet: run `chatbot run migrate`")

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[DictRow]]:
        try:
            async with (await self._opened()).connection() as connection:
                yield connection
        except psycopg.OperationalError as error:
            if error.sqlstate and error.sqlstate.startswith(TOO_MUCH):
                raise  # it does answer, and would again what it has just said
            raise Unavailable("PostgreSQL", "check DATABASE_URL and that the server runs") from error

    async def _opened(self) -> AsyncConnectionPool[Connection]:
        if self._pool is None:
            # prepare_threshold: prepared statements do not survive a transaction pooler such as PgBouncer.
            # reconnect_timeout: it would try ever less often, for minutes; whoever needs a connection tries again.
            self._pool = AsyncConnectionPool(
                self._url,
                connection_class=Connection,
                kwargs={
                    "autocommit": True,
                    "row_factory": dict_row,
                    "connect_timeout": CONNECT_TIMEOUT,
                    "prepare_threshold": None,
                },
                min_size=1,
                max_size=POOL_SIZE,
                timeout=CONNECT_TIMEOUT,
                reconnect_timeout=CONNECT_TIMEOUT,
                check=_check,
                open=False,
            )
        await self._pool.open()
        return self._pool


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
