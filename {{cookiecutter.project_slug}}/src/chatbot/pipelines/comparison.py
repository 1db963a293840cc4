"""Two configurations on the same questions: which is better, on which of them, and whether that may be chance.

The test is a paired permutation test: were both equally good, the sign of each question's difference would be chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot import settings
from chatbot.domain import InvalidConfiguration

if TYPE_CHECKING:
    from chatbot.pipelines.benchmark import Result

RESAMPLES = 9999
SIGNIFICANT = 0.05
MOST_SHOWN = 50
"""Questions that differ."""


def configuration(path: Path) -> settings.Settings:
    """The settings as they are, but for the variables of that file, which is written as `.env` is.

    InvalidConfiguration names what is wrong.
    """
    from dotenv import dotenv_values

    if not path.is_file():
        raise InvalidConfiguration(f"{path}: no such file of variables.")
    values = {name: value for name, value in dotenv_values(path).items() if value is not None}
    unknown = sorted(values.keys() - set(settings.variables()))
    if unknown:
        raise InvalidConfiguration(f"{path} names variables that there are not: {', '.join(unknown)}.")
    if not values:
        raise InvalidConfiguration(f"{path} names no variable, so there is nothing to compare.")
    return settings.load(**{name.lower(): value for name, value in values.items()})


def compare(ours: Sequence[Result], theirs: Sequence[Result], name: str) -> dict[str, Any]:
    """`ours` against `theirs`, the results of the configuration `name` on the same questions."""
    from chatbot.pipelines.benchmark import MEASURES, summary

    pairs = list(zip(ours, theirs, strict=True))
    series = {
        measure: [(one.scores[measure], other.scores[measure]) for one, other in pairs if one.scores]
        for measure in MEASURES
    }
    series["right"] = [(_is_right(one), _is_right(other)) for one, other in pairs]
    differing = [
        {"question": one.asked.question, "ours": one.verdict, "theirs": other.verdict}
        for one, other in pairs
        if one.verdict != other.verdict
    ]
    return {
        "name": name,
        "figures": summary(theirs),
        "p values": {measure: _p_value(values) for measure, values in series.items()},
        "differing": differing[:MOST_SHOWN],
    }


def told(figures: Mapping[str, Any], against: Mapping[str, Any]) -> list[str]:
    """The comparison in lines: the figures side by side, then the questions that differ."""
    lines = [f"{'':20}{'these':>10}{against['name']:>20}   p"]
    for name, other in against["figures"].items():
        chance = against["p values"].get(name)
        told = "" if chance is None else f"{chance:.4f}{'' if chance < SIGNIFICANT else ', may be chance'}"
        lines.append(f"{name:20}{_shown(figures[name]):>10}{_shown(other):>20}   {told}".rstrip())
    return lines + [f"{each['ours']} | {each['theirs']}: {each['question']}" for each in against["differing"]]


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _is_right(result: Result) -> float:
    return float(result.verdict in ("right", "refused rightly"))


def _p_value(pairs: Sequence[tuple[float, float]]) -> float | None:
    """None where there is nothing to compare; 1 where no question differs."""
    import numpy as np
    from scipy.stats import permutation_test

    differences = np.array([one - other for one, other in pairs])
    if not len(differences):
        return None
    if not differences.any():
        return 1.0
    found = permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=RESAMPLES, rng=np.random.default_rng(0)
    )
    return round(float(found.pvalue), 4)
