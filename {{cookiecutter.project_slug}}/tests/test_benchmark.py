"""Benchmarks: ranking as the field measures it, thresholds, comparisons, and what their files must be like."""

from __future__ import annotations

import pytest

from chatbot.domain import InvalidConfiguration
from chatbot.pipelines import comparison, thresholds
from chatbot.pipelines.benchmark import scores


def test_ranking_is_measured_as_trec_eval_does() -> None:
    found = scores({"q": ["a", "b", "c"], "r": []}, {"q": {"c": 1, "x": 1}, "r": {"z": 1}})
    assert found["q"]["R@10"] == 0.5
    assert found["q"]["RR@10"] == pytest.approx(1 / 3)
    assert found["q"]["nDCG@10"] == pytest.approx(0.5 / (1 + 1 / 1.5849625007))
    assert found["r"] == {"nDCG@10": 0, "R@10": 0, "RR@10": 0}


def test_thresholds() -> None:
    figures = {"right": 0.7, "seconds p99": 3.0, "refusal recall": None}
    assert thresholds.missed(["right>=0.7", "seconds_p99<=5"], figures) == []
    assert len(thresholds.missed(["right>=0.8", "refusal_recall>=0.5"], figures)) == 2
    with pytest.raises(InvalidConfiguration, match="charm"):
        thresholds.missed(["charm>=1"], figures)


def test_a_difference_that_may_be_chance_is_told_from_one_that_is_not() -> None:
    assert comparison._p_value([(1.0, 1.0)] * 20) == 1
    assert (comparison._p_value([(1.0, 0.0), (0.0, 1.0)] * 10) or 0) > 0.5
    assert (comparison._p_value([(1.0, 0.0)] * 20) or 1) < 0.01
