"""Who wrote what, where and when: one line of a document, found and quoted when that is asked."""

import pytest

from chatbot.answering.quotes import answer
from chatbot.domain import Chunk, ParsedDocument, Passage, Question, Section
from chatbot.ingestion.chunk import chunk
from chatbot.text.reference import asked_for, reference

ROOFS = {"authors": ["Ada Stone", "Luc Pluie"], "year": 2021, "journal": "Slate", "doi": "10.1000/1"}
BREAD = {"authors": ["Marie Dupont"], "year": 1921}


def test_a_reference_is_one_line_of_what_is_known() -> None:
    line = "Ada Stone, Luc Pluie. Rain on roofs: why? Slate, 2021. https://doi.org/10.1000/1"
    assert reference("Rain on roofs: why?", ROOFS).replace("?.", "?") == line
    assert reference("Bread.", BREAD) == "Marie Dupont. Bread. 1921."
    assert reference("Bread", {"authors": "Marie Dupont"}) == "Marie Dupont. Bread."
    assert reference("Bread", {"collection": "X", "year": 1921}) == ""
    assert reference("Bread", {"authors": [f"A{n}" for n in range(99)]}).count("A") == 60


def test_it_is_the_first_chunk_of_its_document_and_no_other_repeats_it() -> None:
    text = Section("Rain falls on roofs.", "", 3)
    first, second = chunk("d", ParsedDocument("Rain on roofs", [text], "en", ROOFS), 1000, 100)
    assert (first.text, first.page, first.position) == (reference("Rain on roofs", ROOFS), 3, 0)
    assert second.text == "Rain falls on roofs."
    [only] = chunk("d", ParsedDocument("Bread", [Section(reference("Bread", BREAD))], "en", BREAD), 1000, 100)
    assert only.position == 0
    [none] = chunk("d", ParsedDocument("Bread", [text], "en"), 1000, 100)
    assert none.text == "Rain falls on roofs."


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("Who wrote “Rain on roofs”?", {"authors"}),
        ("Who are the authors of the study on roofs?", {"authors"}),
        ("Qui a écrit l’article sur les toits ?", {"authors"}),
        ("Qui en est l'auteur ?", {"authors"}),
        ("When was the paper on roofs published?", {"year"}),
        ("En quelle année la thèse a-t-elle été soutenue ?", {"year"}),
        ("In which journal did it appear?", {"journal"}),
        ("Dans quelle revue ?", {"journal"}),
        ("What is the DOI?", {"doi"}),
        ("How many roofs do the authors have?", set()),
        ("Combien de toits ont les auteurs ?", set()),
        ("What did the authors conclude about roofs?", set()),
        ("How many roofs are there?", set()),
        ("Combien de toits y a-t-il ?", set()),
        ("When does it rain?", set()),
    ],
)
def test_what_is_asked_of_a_work(question: str, parts: set[str]) -> None:
    assert asked_for(question) - {"title"} == parts


@pytest.mark.parametrize(
    "question",
    [
        "What is the thesis of Ada Stone about?",
        "Sur quoi porte la thèse d'Ada Stone ?",
        "Did Ada Stone write about rain?",
    ],
)
def test_a_title_says_what_somebody_wrote_about(question: str) -> None:
    assert asked_for(question) == {"title"}


def passages() -> list[Passage]:
    found = []
    for id, title, metadata, text in (
        ("r", "Rain on roofs", ROOFS, "Water runs down slate without harm. The thing was measured in Brest in 2003."),
        ("b", "Bread", BREAD, "Bread is baked at dawn. The oven was built by Jules Martin in 1899."),
    ):
        for position, part in enumerate((reference(title, metadata), text)):
            made = Chunk(f"{id}{position}", id, position, part, "", None, "en")
            found.append(Passage(made, title, id, 1.0 - position / 10, metadata=metadata))
    return found


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("Who wrote “Rain on roofs”?", "Ada Stone, Luc Pluie. Rain on roofs. Slate, 2021."),
        ("Qui a écrit « Bread » ?", "Marie Dupont. Bread. 1921."),
        ("In which year was the paper on roofs published?", "Slate, 2021."),
        ("Who is the author of the study about slate?", "Ada Stone"),
        ("What did Marie Dupont write?", "Bread. 1921."),
    ],
)
def test_the_reference_answers_it(question: str, quoted: str) -> None:
    [quote] = answer(Question(question, "fr" if "Qui" in question else "en"), passages())
    assert quoted in quote


@pytest.mark.parametrize(
    "question",
    ["Who wrote “War and Peace”?", "When was the paper on quantum dots published?", "What did Jean Valjean write?"],
)
def test_another_work_is_not_answered_for(question: str) -> None:
    assert answer(Question(question, "en"), passages()) == []


def test_it_is_not_quoted_where_something_else_is_asked() -> None:
    [quote] = answer(Question("Who built the oven for bread?", "en"), passages())
    assert "Jules Martin" in quote
    assert "Dupont" not in quote
