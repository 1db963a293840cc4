"""Two configurations on the same questions: which is better, on which of them, and whether that may be chance.

The test is a paired permutation test: were both equally good, the sign of each question's difference would be chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot import settings
from chatbot.domain import InvalidConfiguration

if TYPE_CHECKING:
    from chatbot.pipelines.benchmark import Result

RESAMPLES = 9999
MOST_SHOWN = 50
"""Questions that differ."""


def configuration(path: Path, base: settings.Settings) -> settings.Settings:
    """`base` with the variables of that file, written as `.env` is. InvalidConfiguration names what is wrong."""
    from dotenv import dotenv_values

    if not path.is_file():
        raise InvalidConfiguration(f"{path}: no such file of variables.")
    values = {name: value for name, value in dotenv_values(path).items() if value is not None}
    unknown = sorted(values.keys() - set(settings.variables()))
    if unknown:
        raise InvalidConfiguration(f"{path} names variables that there are not: {', '.join(unknown)}.")
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
