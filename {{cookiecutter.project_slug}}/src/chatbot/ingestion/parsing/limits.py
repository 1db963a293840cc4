"""How much text a file may hold."""

from __future__ import annotations

CHARACTERS = 5_000_000
EXPANSION = 20
"""A document may hold so many characters of text, or so many a byte."""


def most_text(content: bytes) -> int:
    """Characters of text that a file may hold: more is a bomb, of repeated text."""
    return max(CHARACTERS, EXPANSION * len(content))
