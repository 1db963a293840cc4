"""What PostgreSQL's errors mean, in words that name what to do and hold no value: no name, no host, no text.

    raise explained(error, refused) from error

SQLSTATE codes: https://www.postgresql.org/docs/current/errcodes-appendix.html. A server that refuses a connection tells
its code to nobody, so there its English words are looked for.
"""

from __future__ import annotations

import re

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests

from chatbot.domain import ChatbotError, InvalidConfiguration, Unavailable, UnreadableDocument

NAME = "PostgreSQL"

REFUSALS = (
    (r"authentication failed|no password supplied|do not match", "it refuses the user or the password of {url}"),
    (r"role .* does not exist|role .* is not permitted to log in", "it knows no such user as {url} names, or bars it"),
    (r"database .* does not exist", "it has no database of the name that {url} gives"),
    (r"server does not support SSL", "it speaks no TLS, though {url} asks for it: see sslmode"),
    (r"certificate verify failed|root certificate|certificate", "its certificate is not trusted: see sslrootcert"),
    (
        r"no pg_hba.conf entry|SSL (connection )?is required|connection is insecure|pg_hba.conf rejects",
        "it does not let this host, user and database in, or only by TLS: try sslmode=require in {url}",
    ),
    (r"resolve host|translate host name|Name or service not known", "the host that {url} names is not known"),
    (r"[Cc]onnection refused|No such file or directory", "nothing listens at the host and port of {url}"),
    (r"too many (clients|connections)|connection slots|connection limit", "it has no connection left: see its limits"),
    (r"starting up|shutting down|in recovery mode|not yet accepting", "it is starting or stopping"),
    (r"timeout expired|timed out", "nothing answers at the host and port of {url} in time"),
    (r"Network is unreachable|No route to host", "the host that {url} names cannot be reached from here"),
)
"""What stands in the message of a connection that did not come about, and what is wrong then."""

PASSING = {
    "08": "the connection broke off",
    "25006": "it takes no changes: it is a replica, or was made read-only",
    "25P03": "it ended a connection that was idle for too long",
    "25P04": "it ended a transaction that took too long",
    "40": "two transactions stood in each other's way: try again",
    "53": "it is out of connections, memory or disk space",
    "55": "what is asked for is in use: try again",
    "57": "it stops, or gave up a statement that took too long",
    "58": "its disk does not work",
    "XX": "it met an error of its own, which its log tells",
}
"""What may pass by itself: SQLSTATEs, or the two characters that they begin with."""


ESCAPES = "is no URL that PostgreSQL reads: write @ : / ? # % in a name or a password as %40 %3A %2F %3F %23 %25"


def explained(error: psycopg.Error, refused: psycopg.Error | None, variable: str) -> ChatbotError | None:
    """The error in the words of the domain; None for a mistake of the program, which is to be seen as one.

    `refused` is why the last connection did not come about; `variable` is where the URL stands.
    """
    if isinstance(error, TooManyRequests | PoolTimeout):
        if refused is not None:
            return _refused(refused, variable)
        return Unavailable(NAME, "all connections of this process are in use: see DATABASE_POOL_SIZE")
    code = error.sqlstate or ""
    match code[:2], code:
        case "", _:
            return _refused(error, variable) if isinstance(error, psycopg.OperationalError) else None
        case "28" | "3D", _:
            return _refused(error, variable)
        case _, "42501":
            return InvalidConfiguration(
                f"{NAME} refuses ({error.diag.message_primary}): have an administrator make the user of {variable} the "
                "owner of the database, or run `GRANT USAGE, CREATE ON SCHEMA public TO` it."
            )
        case _, "42P01":
            return InvalidConfiguration(f"{NAME} has not all tables of this release: run `chatbot run migrate`")
        case "22" | "54", _:
            return UnreadableDocument(f"{NAME} cannot keep this text: it holds something too long or not allowed.")
        case found, _ if meaning := PASSING.get(code) or PASSING.get(found):
            return Unavailable(NAME, meaning)
    return None


def malformed(url: str) -> str | None:
    """What libpq cannot read in a URL, without its values; None when it can."""
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        option = re.search(r'invalid (?:URI query parameter|connection option): "(\w{1,40})"', str(error))
        return f"should not have the parameter {option[1]}, which PostgreSQL does not know" if option else ESCAPES
    # A password with an @ and a / is read as a host and a database of an odd name.
    return ESCAPES if re.search("[@/:?#]", str(parts.get("dbname", ""))) else None


def _refused(error: psycopg.Error, variable: str) -> Unavailable:
    text = str(error)
    known = (meaning for pattern, meaning in REFUSALS if re.search(pattern, text))
    return Unavailable(NAME, next(known, "check {url} and that the server runs").format(url=variable))
