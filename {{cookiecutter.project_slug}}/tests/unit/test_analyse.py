"""Terms, languages and sentences, in English and French."""

import pytest

from chatbot.text.analysis import detect_language, query_terms, sentence_spans, sentences, terms


def test_terms_are_stems_without_stop_words_and_keep_repeats() -> None:
    assert terms("The taxes and the tax", "en") == ["tax", "tax"]
    assert terms("Les émissions de l'énergie", "fr") == ["emiss", "energ"]


def test_a_question_finds_documents_of_either_language() -> None:
    stems = query_terms("carbon emissions")
    assert set(terms("carbon emissions", "en")) <= set(stems)
    assert set(terms("émissions de carbone", "fr")) & set(stems)
    assert len(stems) == len(set(stems))


@pytest.mark.parametrize("pair", ["written writes", "write wrote", "held hold", "children's child", "taking took"])
def test_irregular_forms_find_each_other(pair: str) -> None:
    asked, said = pair.split()
    assert set(query_terms(asked)) & set(terms(said, "en"))
    assert set(query_terms(said)) & set(terms(asked, "en"))


def test_what_is_another_word_too_is_no_form_of_it() -> None:
    assert not set(query_terms("left")) & set(terms("leave", "en"))
    assert not set(query_terms("founded")) & set(terms("find", "en"))


def test_accents_that_were_not_typed_are_forgiven() -> None:
    assert set(query_terms("energie")) & set(terms("énergie", "fr"))


@pytest.mark.parametrize(
    ("question", "kept", "dropped"),
    [
        ("Quel est le but de la taxe ?", "but", "quel"),
        ("Who sold a car to his son?", "car", "his"),
        ("Car il pleut dans la ville", "vill", "car"),
    ],
)
def test_a_word_of_one_language_may_be_a_stop_word_of_the_other(question: str, kept: str, dropped: str) -> None:
    assert kept in query_terms(question)
    assert dropped not in query_terms(question)


@pytest.mark.parametrize("text", ["", "?", "…", "the of and", "le la les"])
def test_questions_without_words_have_no_terms(text: str) -> None:
    assert query_terms(text) == []


def test_the_language_is_that_of_the_function_words() -> None:
    assert detect_language("Le prix du carbone est élevé") == "fr"
    assert detect_language("The price of carbon is high") == "en"
    assert detect_language("CO2 2030", default="fr") == "fr"


@pytest.mark.parametrize(
    "text",
    [
        "We follow e.g. Smith et al. (2010) closely.",
        "See Fig. 3 and Eq. 2 for 3.5 % of it.",
        "J. R. R. Tolkien met Dr. Smith in the U.S. Army.",
        "M. Dupont et Mme. Durand, cf. Hourcade, p. 12, sont venus.",
        "Le prix (env. 3,5 €) monte, p. ex. Paris.",
    ],
)
def test_abbreviations_initials_and_decimals_do_not_end_a_sentence(text: str) -> None:
    assert sentences(text) == [text]


def test_sentences_end_at_marks_lines_and_blank_lines() -> None:
    text = 'It rains. Is it cold? "Yes!" He left.\n- a list item\n\nÀ Paris… Oui.'
    assert sentences(text) == ["It rains.", "Is it cold?", '"Yes!"', "He left.", "- a list item", "À Paris…", "Oui."]


def test_an_indented_listing_stays_in_one_piece() -> None:
    assert sentences("Run this:\n    make demo\n    make run\nThen ask.") == [
        "Run this:\n    make demo\n    make run",
        "Then ask.",
    ]


def test_spans_are_verbatim_and_in_order() -> None:
    text = "  One. Two!  \n\nThree"
    assert [text[start:end] for start, end in sentence_spans(text)] == ["One.", "Two!", "Three"]
