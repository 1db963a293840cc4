"""Benchmarks: ranking as the field measures it, thresholds, comparisons, and what their files must be like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatbot.bootstrap import bootstrap
from chatbot.domain import ChatbotError, InvalidConfiguration
from chatbot.pipelines import comparison, thresholds
from chatbot.pipelines.benchmark import FIGURES, scores
from chatbot.pipelines.pipeline import pipeline, run
from chatbot.pipelines.questions import load
from chatbot.settings import Settings
from chatbot.storage.database import Database
from chatbot.storage.pipeline_runs import PipelineRuns

pytestmark = pytest.mark.slow


def test_ranking_is_measured_as_trec_eval_does() -> None:
    found = scores({"q": ["a", "b", "c"], "r": []}, {"q": {"c": 1, "x": 1}, "r": {"z": 1}})
    assert found["q"]["R@10"] == 0.5
    assert found["q"]["RR@10"] == pytest.approx(1 / 3)
    assert found["q"]["nDCG@10"] == pytest.approx(0.5 / (1 + 1 / 1.5849625007))
    assert found["r"] == {"nDCG@10": 0, "R@10": 0, "RR@10": 0}


def test_thresholds() -> None:
    figures = {"right": 0.7, "seconds p99": 3.0, "refusal recall": None}
    assert thresholds.missed(thresholds.parse(["right>=0.7", "seconds_p99<=5"], FIGURES), figures) == []
    given = thresholds.parse(["right>=0.8", "refusal_recall >= 0.5"], FIGURES)
    assert thresholds.missed(given, figures) == ["right is 0.7, not >= 0.8", "refusal recall is not known, not >= 0.5"]
    for wrong, said in {"charm>=1": "there are", "rigth>=1": "mean right", "right>1": "no threshold"}.items():
        with pytest.raises(InvalidConfiguration, match=said):
            thresholds.parse([wrong], FIGURES)
    with pytest.raises(InvalidConfiguration, match="no threshold"):
        thresholds.parse(["right>=0.8.1"], FIGURES)


def test_a_difference_that_may_be_chance_is_told_from_one_that_is_not() -> None:
    assert comparison._p_value([(1.0, 1.0)] * 20) == 1
    assert (comparison._p_value([(1.0, 0.0), (0.0, 1.0)] * 10) or 0) > 0.5
    assert (comparison._p_value([(1.0, 0.0)] * 20) or 1) < 0.01


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no list of questions"),
        ("question: a", "no list of questions"),
        ("- just text", "entry 1: a question is written"),
        ("\n- question: a\n  expected_word: [b]", "line 2: there is no key expected_word; do you mean expected_words"),
        ("- question: a\n  expected_words: b", "line 1: expected_words has to be a list"),
        ("- question: a\n  must_refuse: 1", "must_refuse has to be true or false"),
        ("- question: a\n  must_refuse: true\n- question: a\n  must_refuse: true", "line 3: .* line 1 already"),
        ("- expected_words: [b]", "question is missing"),
        ("- question: a", "either expected_words or must_refuse"),
        ("- question: a\n  page: [1", "line 2"),
        ("- question: !!python/object/apply:os.getcwd []", "line 1"),
    ],
)
def test_a_wrong_file_of_questions_is_told_by_its_line_and_key(folder: Path, text: str, said: str) -> None:
    path = folder / "questions.yaml"
    path.write_text(text)
    with pytest.raises(InvalidConfiguration, match=f"questions.yaml.*{said}"):
        load(path)


def test_numbers_are_words_too(folder: Path) -> None:
    path = folder / "questions.yaml"
    path.write_text("- question: When?\n  expected_words: [2014]\n")
    assert load(path)[0].expected_words == ["2014"]


QUESTIONS = """
- {question: "How fast do slate roofs shed rain?", expected_documents: [slate.md], expected_words: [two minutes]}
- {question: "What are zinc roofs joined with?", expected_documents: [zinc.md], expected_words: [folded seams]}
- {question: "What is the population of Brazil?", must_refuse: true}
"""


async def test_a_benchmark_keeps_its_figures_compares_and_fails_below_a_threshold(
    settings: Settings, database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = bootstrap(settings)
    files, other = folder / "questions.yaml", folder / "lexical.env"
    files.write_text(QUESTIONS)
    other.write_text("LEXICAL_WEIGHT=1\n")

    async def quiet(what: str, fraction: float) -> None: ...

    def measure(**options: Any) -> Any:
        return run(services, pipeline("benchmark"), {"questions": str(files), **options}, quiet)

    with pytest.raises(ChatbotError, match="nothing to ask about"):
        await measure()
    texts = {"slate.md": "Slate roofs shed rain within two minutes.", "zinc.md": "Zinc roofs: folded seams."}
    for name, text in texts.items():
        document, _ = await services.ingester.register(name, name, f"# {name}\n\n{text}".encode())
        await services.ingester.process(document.id, _unwatched)
    for name, secret in settings.model_dump().items():
        if name.endswith("_url") and secret:
            monkeypatch.setenv(name.upper(), getattr(secret, "get_secret_value", lambda s=secret: str(s))())
    figures = await measure(against=str(other), thresholds=["nDCG@10>=1", "seconds_p99<=60"])
    assert (figures["questions"], figures["nDCG@10"], figures["refusal recall"]) == (3, 1, 1)
    assert figures["against"]["name"] == "lexical.env"
    assert figures["against"]["p values"]["nDCG@10"] == 1
    assert figures["notes"][0].split() == ["these", "lexical.env", "p"]
    with pytest.raises(ChatbotError, match=r"failed: seconds p50 is .*, not <= 0\."):
        await measure(thresholds=["seconds_p50<=0"])
    with pytest.raises(InvalidConfiguration, match="mean seconds p50"):
        await measure(thresholds=["second_p50<=0"])
    other.write_text("LEXICAL_WAIT=1\n")
    with pytest.raises(InvalidConfiguration, match="LEXICAL"):
        await measure(against=str(other))
    runs = await PipelineRuns(database).latest("benchmark", 10)
    assert [bool(each.figures["missed"]) for each in runs] == [True, False]
    await services.aclose()


async def _unwatched(_: float) -> None: ...
