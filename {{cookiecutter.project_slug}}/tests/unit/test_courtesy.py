"""Greetings and « could you tell me » are not looked for."""

import pytest

from chatbot.answering.courtesy import plain


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Hello, could you please tell me who pays the tax? Thanks!", "who pays the tax?"),
        ("Hi, I teach physics and I was wondering how one can install Oven on a laptop, could you tell me?",
         "how one can install Oven on a laptop?"),
        ("Bonjour, je voudrais savoir comment on installe Oven, s'il vous plaît.", "comment on installe Oven"),
        ("Pouvez-vous me dire qui paie la taxe ?", "qui paie la taxe?"),
        ("Je me demande si la taxe est juste, merci d'avance", "si la taxe est juste"),
        ("Please tell me when it opened.", "when it opened"),
    ],
)  # fmt: skip
def test_what_is_asked_is_what_is_left(question: str, asked: str) -> None:
    assert plain(question) == asked


@pytest.mark.parametrize(
    "question",
    [
        "Who pays the tax?",
        "Hello!",
        "Bonjour",
        "Thank you very much",
        "What does please mean?",
        "Who wrote “Hello, world”?",
        "Qui a dit « merci » ?",
        "tell me more",
        "x" * 2000,
    ],
)
def test_a_question_without_courtesy_stays_as_it_is(question: str) -> None:
    assert plain(question) == question


def test_it_takes_no_time() -> None:
    assert plain("please tell me " * 60)
