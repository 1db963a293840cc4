"""Quoting: the sentence that answers, word for word, with its citation."""

import pytest

from chatbot.answering.quotes import answer
from chatbot.domain import Chunk, Passage, Question


def passage(text: str, score: float = 1.0, closeness: float = 0.0) -> Passage:
    return Passage(Chunk(text[:8], "d", 0, text, "", None, "en"), "Title", "source", score, closeness=closeness)


COOKING = passage("Bread is baked at dawn. Flour comes from Brittany. The oven was built by Marie Dupont in 1921.", 0.4)
TAXES = passage("The carbon tax was introduced in Sweden. Its rate is 120 euros per tonne. Critics were few.")


def test_the_sentence_that_answers_is_quoted_with_its_passage() -> None:
    quotes = answer(Question("Who built the oven?", "en"), [TAXES, COOKING])
    assert any("built by Marie Dupont in 1921" in quote and quote.endswith("[2]") for quote in quotes)


def test_a_pronoun_is_followed_to_the_sentence_before() -> None:
    quotes = answer(Question("How many euros is the carbon tax?", "en"), [TAXES])
    assert "120 euros" in " ".join(quotes)


def test_neighbouring_sentences_make_one_quote() -> None:
    quotes = answer(Question("What is the rate of the carbon tax in Sweden?", "en"), [TAXES])
    assert quotes[0].startswith("“The carbon tax was introduced in Sweden. Its rate is 120 euros per tonne.")


def test_a_follow_up_is_answered_on_its_own_words_where_it_has_any() -> None:
    """What it is about leads to the passages; a place that they do not name is no reason to quote what they say."""
    about = "carbon tax Sweden"
    [quote] = answer(Question("And the rate?", "en", search=f"And the rate? {about}"), [TAXES])
    assert "120 euros" in quote
    near = passage(TAXES.chunk.text, closeness=3.0)
    assert answer(Question("And in Wonderland?", "en", search=f"And in Wonderland? {about}"), [near]) == []
    assert answer(Question("Why?", "en", search=f"Why? {about}"), [TAXES])


def test_at_most_four_sentences() -> None:
    quotes = answer(
        Question("Which cat?", "en"), [passage(" ".join(f"A cat named Number{n} slept." for n in range(9)))]
    )
    assert " ".join(quotes).count("cat") == 4


def test_quotation_marks_are_those_of_the_question() -> None:
    assert answer(Question("Qui a écrit sur la Sweden tax ?", "fr"), [TAXES])[0].startswith("« ")


def test_the_same_sentence_in_two_passages_is_quoted_once() -> None:
    quotes = answer(Question("Where was the carbon tax introduced?", "en"), [TAXES, TAXES])
    assert " ".join(quotes).count("introduced in Sweden") == 1


def test_nothing_in_common_is_no_answer_unless_the_meaning_is_close() -> None:
    nonsense = Question("asdf qwerty", "en")
    assert answer(nonsense, [TAXES]) == []
    assert answer(nonsense, []) == []
    foreign = Question("Où fut créée la première redevance ?", "fr")
    assert "introduced in Sweden" in answer(foreign, [passage(TAXES.chunk.text, closeness=1.8)])[0]


def test_numbers_in_brackets_of_a_quoted_text_are_not_citations() -> None:
    [quote] = answer(Question("Where was it shown?", "en"), [passage("It was shown in [12] by others.")])
    assert "[12]" not in quote
    assert quote.replace("\u2060", "") == "“It was shown in [12] by others.” [1]"


def test_a_title_page_is_not_quoted_for_having_all_the_words() -> None:
    title = "A short course about fitting models"
    text = f"{title} by Ariel. The models are fitted with curve_fit."
    page = Passage(Chunk("c", "d", 0, text, "", 1, "en"), title, "source", 1.0, 0.9)
    quotes = answer(Question("How are models fitted in the short course?", "en"), [page])
    assert quotes == ["“The models are fitted with curve_fit.” [1]"]


def test_a_label_is_not_quoted_for_its_neighbours_words() -> None:
    page = passage("Software\n\nStateMint reduces linear graphs to equations. Contact")
    quotes = answer(Question("What does StateMint make of linear graphs?", "en"), [page])
    assert quotes == ["“StateMint reduces linear graphs to equations.” [1]"]


@pytest.mark.parametrize(
    "line",
    [
        "Stone, A., & Pluie, L. (2015). The oven that was built by hand. Bread and Butter, 12(3), 45.",
        "Stone et al., (2018). Ovens built by hand. Journal of Ovens, 1(9), 21. https://doi.org/10.1000/oven.21",
        "Oven builders of the world. doi:10.1000/oven",
        "Retrieved from https://ovens.example.org by those who built the oven",
        "Authors of papers on the oven retain copyright and release the work as they built it.",
        "who.built@oven.example.org",
    ],
)
def test_bibliographies_running_lines_and_addresses_are_not_quoted(line: str) -> None:
    quotes = answer(Question("Who built the oven?", "en"), [passage(f"{line}\n\n{COOKING.chunk.text}")])
    assert "Marie Dupont" in " ".join(quotes)
    assert line[:20] not in " ".join(quotes)
