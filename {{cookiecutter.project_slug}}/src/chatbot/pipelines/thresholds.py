"""Thresholds of a benchmark: `right>=0.8`, `seconds_p99<=5`; underscores stand for the blanks of a figure's name."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from chatbot.domain import InvalidConfiguration

COMPARE = {">=": operator.ge, "<=": operator.le}
FORM = re.compile(r"\s*(.+?)\s*(>=|<=)\s*(\d+(?:\.\d+)?)\s*")


@dataclass(frozen=True, slots=True)
class Threshold:
    name: str
    comparison: str
    value: float

    def is_kept(self, figure: float | None) -> bool:
        """A figure that is not known keeps none."""
        return figure is not None and bool(COMPARE[self.comparison](figure, self.value))


def parse(texts: Iterable[str], known: Sequence[str]) -> list[Threshold]:
    """InvalidConfiguration for one that is none, or names a figure that is not `known`."""
    found = []
    for text in texts:
        match = FORM.fullmatch(text)
        if not match:
            raise InvalidConfiguration(f"“{text}” is no threshold: write right>=0.8 or seconds_p99<=5.")
        name = match[1].replace("_", " ")
        if name not in known:
            near = get_close_matches(name, known, 1)
            meant = f"do you mean {near[0]}?" if near else f"there are {', '.join(known)}."
            raise InvalidConfiguration(f"“{text}”: there is no figure {name} here; {meant}")
        found.append(Threshold(name, match[2], float(match[3])))
    return found


def missed(thresholds: Iterable[Threshold], figures: Mapping[str, Any]) -> list[str]:
    """Each threshold that is not kept, with the figure."""
    return [
        f"{each.name} is {'not known' if figures[each.name] is None else figures[each.name]}, "
        f"not {each.comparison} {each.value:g}"
        for each in thresholds
        if not each.is_kept(figures[each.name])
    ]
