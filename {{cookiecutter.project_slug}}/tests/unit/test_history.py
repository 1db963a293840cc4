"""Follow-up questions in both languages: which ones they are, and what they look for."""

from __future__ import annotations

import pytest

from chatbot.answering.history import LONGEST_TITLE, MOST_TERMS, follows_up, query, title

FOLLOW_UPS = [
    "And in France?",
    "What about Norway?",
    "Why?",
    "How much?",
    "Who pays?",
    "Is it fair to poor households?",
    "What do they propose instead?",
    "When was that decided?",
    "Are there others like this?",
    "Which of these reports is the latest?",
    "But who collects the money?",
    "What is the price?",
    "Et en France ?",
    "Qu’en est-il de la Norvège ?",
    "Pourquoi ?",
    "Combien ?",
    "Qui la paie ?",
    "Coûte-t-elle cher aux ménages ?",
    "Est-elle juste ?",
    "Que proposent-ils à la place ?",
    "Comment cette taxe a-t-elle évolué ?",
    "Et si on l'augmente ?",
    "Quels sont ses effets ?",
    "Que disent ces rapports ?",
    "Mais qui encaisse l’argent ?",
    "Qui est le directeur ?",
]
WHOLE = [
    "What is a carbon tax?",
    "What is GDPR?",
    "Who was Keynes?",
    "How do I add my own documents?",
    "How does Sweden spend the revenue of its carbon tax?",
    "Is it possible to ingest PDF files?",
    "How long does it take to build the index?",
    "Which variables configure the language model?",
    "Qu’est-ce que le RGPD ?",
    "C’est quoi une taxe carbone ?",
    "Qui est Piketty ?",
    "Comment ajouter mes documents ?",
    "Comment la Suède taxe-t-elle le carbone ?",
    "Y a-t-il une taxe carbone en Norvège ?",
    "Est-il possible d’indexer des fichiers PDF ?",
    "Faut-il redémarrer le serveur après une mise à jour ?",
    "Que change une taxe carbone pour les ménages ruraux et leurs voitures ?",
]


@pytest.mark.parametrize("question", FOLLOW_UPS)
def test_a_question_that_needs_those_before_it(question: str) -> None:
    assert follows_up(question)


@pytest.mark.parametrize("question", WHOLE)
def test_a_question_that_stands_alone(question: str) -> None:
    assert not follows_up(question)
    assert query(question, ["What does the Louvre cost?"]) == question


@pytest.mark.parametrize(
    ("question", "earlier", "expected"),
    [
        ("And in France?", ["How high is the carbon tax in Sweden?"], "And in France? high carbon tax Sweden"),
        (
            "Et en France ?",
            ["Quel est le montant de la taxe carbone en Suède ?"],
            "Et en France ? montant taxe carbone Suède",
        ),
        ("Is this tax fair?", ["What is a carbon tax?"], "Is this tax fair? carbon"),
        ("Who pays it?", ["What is a carbon tax?", "And in France?"], "Who pays it? France carbon tax"),
        ("Qui la paie ?", ["Qu’est-ce que la taxe carbone ?", "Et en France ?"], "Qui la paie ? France taxe carbone"),
        ("Why?", ["What is a kestrel?", "How high is the carbon tax in Sweden?"], "Why? high carbon tax Sweden"),
        ("Why?", [], "Why?"),
    ],
)
def test_a_follow_up_looks_for_what_it_is_about(question: str, earlier: list[str], expected: str) -> None:
    assert query(question, earlier) == expected


def test_long_questions_before_do_not_drown_it() -> None:
    before = " ".join(f"word{number}" for number in range(300))
    assert len(query("Why?", [before]).split()) == 1 + MOST_TERMS


@pytest.mark.parametrize("question", ["word " * 100, "w" * 300, "é, " * 90])
def test_a_title_is_one_short_line(question: str) -> None:
    shortened = title(question)
    assert len(shortened) <= LONGEST_TITLE
    assert shortened.endswith("…")
    assert "\n" not in title("What\nis it?")
    assert title("What\n is it?") == "What is it?"
