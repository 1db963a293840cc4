"""First questions: from the documents that are there, in the reader's language, and never made up."""

from __future__ import annotations

from typing import Any

import pytest

from chatbot.answering import suggest
from chatbot.domain import Chunk, Document, Outline
from tests.unit.fakes import client_of, fake_services

MANUAL = Outline("Manual", "en", {}, ["Manual > How do I add a document?", "Manual > Is it free?", "Who may ask here?"])
PAPER = Outline("Carbon pricing", "en", {"authors": ["Roe, J."]}, ["1 Introduction", "2.1 Effects on Households"])
ARTICLE = Outline("La pluie", "fr", {}, ["Que fait la pluie aux toits ?", "Les toits de zinc"])


def test_questions_of_several_kinds_are_each_about_another_document() -> None:
    assert suggest.questions([MANUAL, PAPER, ARTICLE], "en") == [
        "How do I add a document?",
        "What does “Carbon pricing” say about effects on Households?",
        "Who wrote “Carbon pricing”?",
        "Who may ask here?",
    ]


def test_they_are_in_the_language_of_the_reader() -> None:
    assert suggest.questions([MANUAL, PAPER, ARTICLE], "fr") == [
        "Que fait la pluie aux toits ?",
        "Que dit « La pluie » sur les toits de zinc ?",
        "Qui a écrit « Carbon pricing » ?",
        "Que dit « Carbon pricing » sur effects on Households ?",
    ]


@pytest.mark.parametrize("headings", [[], ["References"], ["Is it?"], ["x" * 200], ["<b>bold</b> words"]])
def test_what_makes_no_good_question_makes_none(headings: list[str]) -> None:
    assert suggest.questions([Outline("A title", "en", {}, headings)], "en") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "path", "questions"),
    [
        ({}, "/v1/suggestions", ["Who wrote “Carbon pricing”?"]),
        ({}, "/v1/suggestions?language=fr", ["Qui a écrit « Carbon pricing » ?"]),
        ({"suggested_questions_en": " Who pays? |"}, "/v1/suggestions", ["Who pays?"]),
    ],
)
async def test_the_operator_s_own_come_before(settings: dict[str, Any], path: str, questions: list[str]) -> None:
    services = fake_services(**settings)
    async with client_of(services) as client:
        assert (await client.get("/v1/suggestions")).json()["documents"] == 0
        authors = {"authors": ["Roe, J."]}
        services.documents.rows["d1"] = Document("d1", "c.pdf", "Carbon pricing", "application/pdf", "en", authors, "f")
        services.documents.held["d1"] = [Chunk("c1", "d1", 0, "Text.", "", 1, "en")]
        assert (await client.get(path)).json() == {"questions": questions, "documents": 1}
