"""Thresholds of a benchmark: `right>=0.8`, `seconds_p99<=5`; underscores stand for the blanks of a figure's name."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from typing import Any

from chatbot.domain import InvalidConfiguration

COMPARE = {">=": operator.ge, "<=": operator.le}


def missed(thresholds: Iterable[str], figures: Mapping[str, Any]) -> list[str]:
    """Each threshold that is not kept, with the figure. InvalidConfiguration for one that names no figure."""
    found = []
    for text in thresholds:
        match = re.fullmatch(r"\s*(.+?)\s*(>=|<=)\s*([0-9.]+)\s*", text)
        name = match[1].replace("_", " ") if match else ""
        if not match or not isinstance(figures.get(name, 0.0 if name in figures else ""), int | float | None):
            known = ", ".join(key.replace(" ", "_") for key, value in figures.items() if isinstance(value, float))
            raise InvalidConfiguration(f"{text} is no threshold, such as right>=0.8; the figures are: {known}.")
        value = figures[name]
        if value is None or not COMPARE[match[2]](value, float(match[3])):
            found.append(f"{name} is {'not known' if value is None else value}, not {match[2]} {match[3]}")
    return found
