"""The judge of the questions file: words, document, page; and halves that no other question moves."""

from pathlib import Path

import pytest

from benchmarks.questions import half
from chatbot.domain import Answer, Citation, InvalidConfiguration
from chatbot.pipelines.questions import Asked, holds, judge, load

ASKED = Asked("Who built it?", expected_documents=["b.md"], expected_words=["Marie|Mary", "1921"], page=2)


def answered(text: str, source: str = "docs/b.md", page: int | None = 2, grounded: bool = True) -> Answer:
    citation = Citation(1, "c", "d", "Bread", source, page, "", text)
    return Answer(text, [citation] if grounded else [], grounded, "en", "extractive")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (answered("Mary, in 1921 [1]"), "right"),
        (answered("Mary, in 1921 [1]", page=3), "partly"),
        (answered("Mary, in 1921 [1]", source="c.md"), "partly"),
        (answered("Mary [1]"), "partly"),
        (answered("Jules [1]"), "wrong"),
        (answered("No answer", grounded=False), "refused wrongly"),
    ],
)
def test_an_answer_is_judged_by_words_document_and_page(answer: Answer, verdict: str) -> None:
    assert judge(ASKED, answer, {}) == verdict


def test_a_question_without_an_answer_must_be_refused() -> None:
    asked = Asked("What is the population of Brazil?", must_refuse=True)
    assert judge(asked, answered("x"), {}) == "answered wrongly"
    assert judge(asked, answered("x", grounded=False), {}) == "refused rightly"


def test_accents_case_and_blanks_do_not_matter() -> None:
    assert holds("L’ÉNERGIE\n est", "l'energie est")
    assert not holds("energy", "énergie|power")


def test_a_question_stays_in_its_half() -> None:
    halves = [half(Asked(f"Question {n}?")) for n in range(200)]
    assert 70 < halves.count("tuning") < 130
    assert halves == [half(Asked(f"Question {n}?", after=["x"])) for n in range(200)]
    assert {half(Asked(f"Question {n}?", held_out=True)) for n in range(200)} == {"reporting"}


@pytest.mark.parametrize("text", ["- question: Who?", '- {question: "Who?", must_refuse: true, expected_words: [x]}'])
def test_a_question_that_cannot_be_judged_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "questions.yaml"
    file.write_text(text)
    with pytest.raises(InvalidConfiguration, match=r"Who\?"):
        load(file)
