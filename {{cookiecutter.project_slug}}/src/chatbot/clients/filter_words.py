"""Metadata as a list of words, for vector stores that filter on lists of strings: {"year": 2024} -> ["year=2024"].

Values keep their type (`year="2024"` is another word), and each member of a list is a word of its own, so that one
condition, «holds any of these words», says what a filter means in every store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from chatbot.domain import Scalar


def tokens(metadata: Mapping[str, Scalar | Sequence[Scalar]]) -> list[str]:
    """One word for each value."""
    return [token for key, value in metadata.items() for token in accepted(key, value)]


def accepted(key: str, value: Scalar | Sequence[Scalar]) -> list[str]:
    """The words of one key's value or values: a point that holds any of them passes the filter."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [f"{key}={json.dumps(_plain(each), ensure_ascii=False)}" for each in values]


def _plain(value: object) -> object:
    """1.0 is 1, as in JSON and in PostgreSQL."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
