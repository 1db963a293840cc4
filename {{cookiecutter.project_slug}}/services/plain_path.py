"""A short, plain path to a folder whose own path some programs cannot use: a link to it in the temporary folder.

Sockets have a limit, a comma parts hosts for PostgreSQL's clients, and RabbitMQ hands paths to a shell as they are.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

PLAIN = re.compile(r"[\w/ .:@+=~-]*")
LONGEST = 85
"""Bytes: a socket's path has 103 on macOS, which allows the fewest, and its name in the folder takes the rest."""


def plain_path(folder: Path) -> Path:
    """The folder itself where its path will do, else a link to it. OSError when somebody else has put one there."""
    if _fits(folder):
        return folder
    link = next(filter(_fits, _links(folder)))
    link.unlink(missing_ok=True)
    link.symlink_to(folder)
    return link


def forget(folder: Path) -> None:
    """Remove the link, if there is one."""
    for link in _links(folder):
        if link.is_symlink():
            link.unlink()


def _fits(path: Path) -> bool:
    return bool(PLAIN.fullmatch(str(path))) and len(os.fsencode(path)) <= LONGEST


def _links(folder: Path) -> list[Path]:
    """Of this user and folder alone: in the temporary folder, or else in the one that every Unix has."""
    name = f"chatbot-{os.geteuid()}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:10]}"
    return [Path(tempfile.gettempdir(), name), Path("/tmp", name)]  # noqa: S108 - not used where it is another's
