"""Words across languages: by the glossary, by their looks, and with a slip of the pen."""

import pytest

from chatbot.text.translate import alike, translated_terms, translations


def test_the_glossary_translates_stems_both_ways() -> None:
    assert "student" in translations("étudiants", "fr")
    assert "etudi" in translations("students", "en")
    assert translations("xylophone", "en") == frozenset()


def test_a_question_is_looked_for_in_the_other_language_too() -> None:
    assert {"student", "translat"} <= set(translated_terms("Qui a traduit le livre des étudiants ?"))
    assert "etudi" in translated_terms("Who translated the students' book?")
    assert translated_terms("Xylophones?") == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("parcimon", "parsimon", True),
        ("bioinformat", "bioinformatiqu", True),
        ("foundat", "fondat", True),
        ("table", "cable", False),
        ("rain", "raid", False),
        ("populat", "populair", False),
    ],
)
def test_words_that_look_alike_in_both_languages(one: str, other: str, same: bool) -> None:
    assert alike(one, other) is alike(other, one) is same


@pytest.mark.parametrize(
    ("wrong", "slips", "same"), [("predefind", 1, True), ("perdefined", 1, True), ("pred", 1, False)]
)
def test_slips_of_the_pen(wrong: str, slips: int, same: bool) -> None:
    assert alike(wrong, "predefined", slips) is same


def test_very_long_words_are_not_compared() -> None:
    assert not alike("a" * 5000, "a" * 5001)
