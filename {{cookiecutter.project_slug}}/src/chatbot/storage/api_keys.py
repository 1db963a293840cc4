"""API keys: made, listed, revoked, and recognised when a request brings one. Only their hashes are kept.

    key, secret = await keys.create("the intranet", frozenset({"ask"}))     # the secret is seen here and never again
    found = await keys.find(secret)

The hash is a plain SHA-256: a key is 256 random bits, which nobody can guess one by one, so the slow hashes that
passwords need would protect nothing here. It is looked up as a whole, so no comparison tells how much was right.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from chatbot.domain import ApiKey, Scope
from chatbot.storage.database import Database

KEY_PREFIX = "cb_"
"""What every key begins with, so that secret scanners and people know one when they see it."""
FORM = re.compile(f"{KEY_PREFIX}[A-Za-z0-9_-]{{43}}")
SHOWN = len(KEY_PREFIX) + 6
"""Characters of a key that stay known."""

COLUMNS = ", ".join(ApiKey.__slots__)
CREATE = f"""
INSERT INTO api_keys (id, hash, prefix, name, scopes)
VALUES (%(id)s, %(hash)s, %(prefix)s, %(name)s, %(scopes)s) RETURNING {COLUMNS}
"""
FIND = f"""
WITH found AS (SELECT {COLUMNS} FROM api_keys WHERE hash = %(hash)s AND revoked_at IS NULL),
used AS (
    UPDATE api_keys SET last_used_at = now() FROM found
    WHERE api_keys.id = found.id
      AND (found.last_used_at IS NULL OR found.last_used_at < now() - interval '1 minute')
)
SELECT {COLUMNS} FROM found
"""
LIST = f"SELECT {COLUMNS} FROM api_keys ORDER BY created_at DESC, id"
REVOKE = "UPDATE api_keys SET revoked_at = now() WHERE id = %(id)s AND revoked_at IS NULL RETURNING id"


class ApiKeys:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str, scopes: frozenset[Scope]) -> tuple[ApiKey, str]:
        """A new key, and the secret to give to its holder."""
        secret = KEY_PREFIX + secrets.token_urlsafe(32)
        values = {"id": uuid.uuid4().hex, "hash": _hash(secret), "prefix": secret[:SHOWN], "name": name}
        row = await self._database.row(CREATE, {**values, "scopes": sorted(scopes)})
        assert row
        return _key(row), secret

    async def find(self, secret: str) -> ApiKey | None:
        """The key whose secret this is; None when there is none, or it was revoked."""
        if not FORM.fullmatch(secret):
            return None
        row = await self._database.row(FIND, {"hash": _hash(secret)})
        return None if row is None else _key(row)

    async def list(self) -> list[ApiKey]:
        """All keys, the revoked ones too, the latest first."""
        return [_key(row) for row in await self._database.rows(LIST)]

    async def revoke(self, id: str) -> bool:
        """Refuse the key from now on, in every process; False when it is unknown or revoked already."""
        return await self._database.row(REVOKE, {"id": id}) is not None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: Mapping[str, Any]) -> ApiKey:
    return ApiKey(**{**row, "scopes": frozenset(row["scopes"])})
