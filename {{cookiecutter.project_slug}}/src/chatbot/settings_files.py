"""Reads the files that settings come from, `.env` and secrets; says in one sentence which cannot be read, and why."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pydantic_settings import SettingsError

ENCODING = "utf-8-sig"
"""UTF-8, with the mark at its beginning that some editors write, or without."""


def text(path: Path) -> str:
    """What the file holds. SettingsError names it, and shows nothing of it."""
    try:
        found = path.read_text(ENCODING)
    except UnicodeDecodeError:
        found = "\0"
    except OSError as error:
        raise SettingsError(f"{path} cannot be read by the user who runs this: {error.strerror}") from None
    if "\0" in found:  # as in UTF-16, which may be UTF-8 otherwise
        raise SettingsError(f"{path} is not UTF-8 text: save it as UTF-8")
    return found


def check(path: Path) -> None:
    """SettingsError when the file is there and cannot be read."""
    try:
        there = path.is_file()
    except OSError:  # in a folder that is closed
        there = True
    if there:
        text(path)


def named(folder: Path, names: Collection[str]) -> list[Path]:
    """The files of the folder that have one of these names, in any case."""
    try:
        return [path for path in folder.iterdir() if path.name.lower() in names]
    except OSError as error:
        raise SettingsError(f"{folder} cannot be read by the user who runs this: {error.strerror}") from None
