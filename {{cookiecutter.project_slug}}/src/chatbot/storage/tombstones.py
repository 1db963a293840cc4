"""Who was erased, as hashes: so that a restored backup does not bring them back.

    await tombstones.add(lines)      # those that were saved elsewhere
    removed = await tombstones.apply()

The list lives in `erasures`, for as long as backups are kept. A backup does not know whom it was erased after it: so
the list is saved beside the backups, one `HASH TIME` a line, and given back after a restore.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chatbot.domain import InvalidConfiguration
from chatbot.storage.database import Database

LIST = "SELECT encode(caller, 'hex') AS hash, erased_at FROM erasures ORDER BY erased_at"
ADD = """
INSERT INTO erasures (caller, erased_at) VALUES (decode(%(hash)s, 'hex'), %(erased_at)s)
ON CONFLICT (caller) DO UPDATE SET erased_at = greatest(erasures.erased_at, excluded.erased_at)
"""
HASHED = "sha256(convert_to(caller_id, 'UTF8')) = erasures.caller"
APPLY = (
    f"DELETE FROM conversations USING erasures WHERE {HASHED} AND created_at < erased_at",
    f"DELETE FROM consents USING erasures WHERE {HASHED} AND updated_at < erased_at",
    f"DELETE FROM open_answers USING erasures WHERE {HASHED} AND wanted_until < erased_at",
)


class Tombstones:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def lines(self) -> list[str]:
        """All of them, to be saved beside the backups."""
        return [f"{row['hash']} {row['erased_at'].isoformat()}" for row in await self._database.rows(LIST)]

    async def add(self, lines: Iterable[str]) -> None:
        """Take them up again. InvalidConfiguration names the first line that is none; then nothing was taken up."""
        values = [_values(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
        async with self._database.transaction() as connection:
            for each in values:
                await connection.execute(ADD, each)

    async def apply(self) -> int:
        """Erase again what was erased, and what a restore brought back; what came afterwards stays. How many rows."""
        async with self._database.transaction() as connection:
            return sum([(await connection.execute(statement)).rowcount for statement in APPLY])


def _values(number: int, line: str) -> dict[str, object]:
    try:
        hash, moment = line.split()
        if len(bytes.fromhex(hash)) != 32:
            raise ValueError
        return {"hash": hash, "erased_at": datetime.fromisoformat(moment)}
    except ValueError:
        raise InvalidConfiguration(
            f"Line {number} of the tombstones is none: it should be HASH TIME, as `run purge` saved it."
        ) from None
