"""What is asked has to stand together in one place of one document: otherwise there is no answer."""

from dataclasses import replace

import pytest

from chatbot.answering.quotes import answer
from chatbot.domain import Chunk, Language, Passage, Question

TEXT = (
    "Tidewatch is a program for harbours. It was conceived in Brest in 2014. Its web page takes 150 users at once."
    " The pilot courses were held in Sydney and Lorient. Authors keep the copyright of their texts."
)
POPULATION = (
    "The population of herring fell by half. Nets have been wider since. Boats stay in port for a month each spring."
    " Brazil and Norway export cod, and prices rose by 3 percent."
)
FRENCH = "Le programme accepte 150 utilisateurs simultanés. Il fut traduit en espagnol par Inès Blanco en 2015."


def passage(text: str, title: str, language: str = "en", closeness: float = 1.0) -> Passage:
    made = Chunk(title, title, 1, text, "", None, language)  # type: ignore[arg-type]
    return Passage(made, title, f"{title}.pdf", 1.0, closeness=closeness)


PASSAGES = [passage(TEXT, "Tidewatch"), passage(POPULATION, "Herring", closeness=-0.5)]


@pytest.mark.parametrize(
    "question",
    [
        "What is the population of Brazil?",
        "What is the average salary of Tidewatch developers?",
        "How many stars does Tidewatch have?",
        "What is the capital of Norway?",
        "Which version of Java does Tidewatch need?",
        "Who won the world cup in 1998?",
        "Quel est le budget de Tidewatch ?",
        "asdf qwertz?",
    ],
)
def test_a_known_thing_is_no_answer_to_what_is_not_said_of_it(question: str) -> None:
    assert answer(Question(question, "fr" if "Quel" in question else "en"), PASSAGES) == []


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("How many users does the web page of Tidewatch take at once?", "150 users"),
        ("When was Tidewatch conceived?", "2014"),
        ("Where were the pilot courses held?", "Sydney"),
        ("What happened to the population of herring?", "fell by half"),
        ("how many usres does the web page take", "150 users"),
        ("Combien d'utilisateurs la page web accepte-t-elle ?", "150 users"),
    ],
)
def test_what_is_said_is_quoted(question: str, right: str) -> None:
    language: Language = "fr" if question.startswith("Combien") else "en"
    assert right in " ".join(answer(Question(question, language), PASSAGES))


def test_an_english_question_finds_french_words() -> None:
    french = [passage(FRENCH, "Programme", "fr")]
    [quote] = answer(Question("Who translated the program to Spanish?", "en"), french)
    assert "Inès Blanco" in quote


def test_a_follow_up_is_answered_from_what_it_is_about() -> None:
    asked = Question("And its population?", "en", search="And its population? Tidewatch harbours")
    assert answer(asked, PASSAGES) == []


def test_evidence_does_not_hang_on_how_much_was_found() -> None:
    """A single short document is a corpus too."""
    only = passage("A carbon tax weighs on poor households.", "Tax", closeness=0.0)
    assert answer(Question("What does a carbon tax weigh on?", "en"), [only])


@pytest.mark.parametrize(
    "question",
    [
        "How many users does Herring take at once?",
        "how many users does lobsterwatch take",
        "When was Lobsterwatch conceived?",
        "How many users did Tidewatch take in 2031?",
    ],
)
def test_what_is_said_of_another_thing_or_year_is_no_answer(question: str) -> None:
    text = "Like Lobsterwatch it is slow. Boats that carry Lobsterwatch come home late."
    found = [*PASSAGES, passage(text, "Lobsterwatch: slow")]
    assert answer(Question(question, "en"), [replace(each, closeness=0.0) for each in found]) == []


def test_a_question_may_name_the_authors() -> None:
    made = Chunk("c", "d", 1, "A tax weighs on poor households first of all.", "", None, "en")
    written = Passage(made, "Taxes", "d.pdf", 1.0, closeness=0.5, metadata={"authors": ["Ada Stone"], "year": 2019})
    elsewhere = passage("This follows the work of Ada Stone on rain.", "Rain")
    asked = Question("Which households does a tax weigh on, as Ada Stone wrote in 2019?", "en")
    assert "poor households" in " ".join(answer(asked, [written, elsewhere]))
    unsigned = Passage(made, "Taxes", "d.pdf", 1.0, closeness=0.5)
    assert "poor households" not in " ".join(answer(asked, [unsigned, elsewhere]))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How much does Tidewatch cost?", "Tidewatch is a program. Its cost to the harbour is small in 2014."),
        ("How old is Ada Stone?", "Ada Stone wrote 12 books."),
        ("What is the e-mail of Ada Stone?", "Write to Ada Stone by e-mail before the 3 May."),
        ("Quel est le salaire d'un pilote de Tidewatch ?", "Le salaire du pilote de Tidewatch est fixé par 3 règles."),
    ],
)
def test_a_price_has_a_currency_and_an_age_has_years(question: str, text: str) -> None:
    language: Language = "fr" if question.startswith("Quel") else "en"
    assert answer(Question(question, language), [passage(text, "Tidewatch", language)]) == []


def test_what_is_asked_for_may_stand_in_the_next_sentence() -> None:
    text = "The approach loads energy pathways into a model of many sectors. The method is applied to Argentina."
    asked = Question("To which country was the approach of loading energy pathways into a model applied?", "en")
    assert "Argentina" in " ".join(answer(asked, [passage(text, "Pathways")]))


def test_what_is_said_in_the_questions_language_is_not_said_once_more_in_another() -> None:
    french = passage("La page web de Tidewatch accepte 150 users à la fois.", "Marée", "fr")
    asked = Question("How many users does the Tidewatch web page take at once?", "en")
    assert answer(asked, [PASSAGES[0], french]) == ["“Its web page takes 150 users at once.” [1]"]


COURSES = [
    passage(TEXT, "Tidewatch", closeness=0.3),
    passage("Rockpool is a course for schools. It has six lessons on crabs and kelp.", "Rockpool", closeness=0.3),
    passage(FRENCH, "Phare", "fr", closeness=0.3),
]


@pytest.mark.parametrize(
    "question",
    [
        "How many users does the web page of Rockpool take at once?",
        "When was Rockpool conceived?",
        "Where were the pilot courses of Rockpool held?",
        "How many users does the web page of Oyster take at once?",
        "Qui a traduit Rockpool en espagnol ?",
    ],
)
def test_what_is_said_of_one_thing_is_no_answer_about_another(question: str) -> None:
    assert answer(Question(question, "fr" if question.startswith("Qui") else "en"), COURSES) == []


def test_a_document_that_names_the_thing_once_speaks_of_it_throughout() -> None:
    longer = [passage(f"Tidewatch is for harbours. {TEXT}", "A program"), passage("Nets have holes.", "Nets")]
    longer.append(replace(longer[0], chunk=replace(longer[0].chunk, id="2", text="Its manual was printed in Brest.")))
    assert "Brest" in " ".join(answer(Question("Where was the manual of Tidewatch printed?", "en"), longer))


@pytest.mark.parametrize(
    ("question", "text", "right"),
    [
        ("To which country was the method applied?", "The method is applied here. It was applied to Peru.", "Peru"),
        ("Dans quel pays la méthode est-elle appliquée ?", "La méthode MX est appliquée au Pérou.", "Pérou"),
        ("What is the footprint of glass?", "The footprint of glass is large. Glass has a footprint of 3 kg.", "3 kg"),
    ],
)
def test_the_kind_of_thing_that_is_asked_for_decides(question: str, text: str, right: str) -> None:
    language: Language = "fr" if question.startswith("Dans") else "en"
    assert right in " ".join(answer(Question(question, language), [passage(text, "Paper", language)]))


def test_initials_are_no_names() -> None:
    found = answer(Question("Which U.S. port takes cod?", "en"), [passage("The port of Boston takes cod.", "Ports")])
    assert "Boston" in " ".join(found)


def test_a_title_within_a_bibliography_is_no_sentence() -> None:
    entries = (
        "Rules of evaluation are in it. Smith, J. (2015). Evaluation of tide tables in harbours. Ports, 3(2), 15."
        " Doe, A. (2016). Tide tables. Ports, 4(1), 2."
    )
    found = " ".join(answer(Question("What is the evaluation of tide tables?", "en"), [passage(entries, "Tides")]))
    assert "in harbours" not in found
