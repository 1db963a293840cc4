"""What a question asks for, and how much of it stands together in one place of one document.

    sought = Sought.of("Who built the oven?", passages)
    sought.coverage(candidate)        0 to 1: the share of what is asked in one sentence and what stands around it

A word counts by its rarity among the sentences found: what the question is about is in most of them, so that the weight
is with what it asks about that. Where a document is in another language, a word is found by its translation, or by a
word that looks alike; what a slip of the pen made unfindable, by what looks alike in the same language.

Evidence of a question is the best coverage, plus how far the similarity of that sentence's passage is above that of
unrelated texts: neither a question in other words than its answer, nor one in another language, has much of the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Self

from chatbot.domain import Language, Passage
from chatbot.text.analysis import LANGUAGES, WORD, content_words, detect_language, query_stems, terms
from chatbot.text.translate import alike, translations

Stems = frozenset[str]

LIGHT_WORDS = """
name names named kind kinds type types sort form number amount percentage percent year years date day time times place
people person someone something thing things example way ways reason reasons meaning called call calls considered known
know according following main use used uses using make makes made get got give given gives take took taken takes go went
gone come came comes put done want wants wanted tell tells say says said show shows shown find found happen happens
happened occur occurred become became begin began start started exist exists include includes included located want want
play plays played part mean means famous important information big large new first last different specific several help
nom noms nommé sorte type genre nombre quantité pourcentage année années date jour temps fois lieu endroit gens personne
personnes chose choses exemple façon manière raison raisons appelle appelé appelée appelés considéré connu selon suivant
principal principale utilise utilisé utiliser faire donne donné donner prend prendre pris vient venir mettre mis veut dire
montre montré trouve trouver trouvé passe passer passé arrive devient commence existe comprend situé joue rôle signifie
important importante information grand grande nouveau nouvelle premier première dernier dernière différent plusieurs
"""
LIGHT = frozenset(LIGHT_WORDS.split())
"""Words that say what kind of thing is asked for, or hardly anything: a passage can answer without them."""
LIGHT_WEIGHT = 0.3

UNRELATED = {"e5": 0.80}
"""Cosine similarity of unrelated texts, by a part of the model's name: E5's fill only the top of the scale."""
SPREAD = 0.05
THRESHOLD = 0.6
NAME_WEIGHT = 1.5
"""Names and numbers count more than other words as rare: they have no synonyms."""
TOGETHER = (("words", 1.0), ("before", 0.8), ("after", 0.8), ("above", 0.8), ("around", 0.3))
"""What a word counts that stands in a sentence, in the next ones, in the headings above, or anywhere in the passage."""
SLIPS = {5: 1, 10: 2}
"""Letters from which a word may have so many slips of the pen."""


@dataclass(frozen=True, slots=True)
class Place:
    """A sentence of a passage: number of the passage (from 0), start and end in its text, and the stems in it, in the
    sentences before and after, and in the headings above."""

    passage: int
    start: int
    end: int
    language: Language
    words: Stems
    before: Stems = frozenset()
    after: Stems = frozenset()
    above: Stems = frozenset()
    around: Stems = frozenset()
    """All of the passage."""


@dataclass(frozen=True, slots=True)
class Sought:
    """The words of a question: by which stems each is found in texts of a language, and how much it counts."""

    forms: Mapping[str, Mapping[Language, Stems]]
    weights: Mapping[str, float]
    names: Stems

    @classmethod
    def of(cls, question: str, places: Sequence[Place]) -> Self:
        forms = _forms(question, places)
        names = frozenset(_specific(question) & forms.keys())
        weights = {word: _rarity(found, places) * _importance(word, names) for word, found in forms.items()}
        return cls(forms, weights, names)

    def share(self, place: Place, values: Sequence[tuple[str, float]]) -> float:
        """The share of the words by weight; each counts by the first of the place's parts, as named, that holds it."""
        found = sum(self._held(word, place, values) * weight for word, weight in self.weights.items())
        return found / (sum(self.weights.values()) or 1)

    def count(self, place: Place, values: Sequence[tuple[str, float]]) -> float:
        """The share of the words by number, likewise."""
        importance = {word: _importance(word, self.names) for word in self.forms}
        found = sum(self._held(word, place, values) * each for word, each in importance.items())
        return found / (sum(importance.values()) or 1)

    def _held(self, word: str, place: Place, values: Sequence[tuple[str, float]]) -> float:
        stems = self.forms[word][place.language]
        return next((value for name, value in values if not stems.isdisjoint(getattr(place, name))), 0.0)

    def missing(self, place: Place) -> set[str]:
        """The names and numbers that the passage does not hold."""
        return {
            name
            for name in self.names
            if self.forms[name][place.language].isdisjoint(place.around | place.above)
        }


def evidence(sought: Sought, place: Place, passage: Passage) -> float:
    return (sought.share(place, TOGETHER) + sought.count(place, TOGETHER)) / 2


def _importance(word: str, names: Stems) -> float:
    return NAME_WEIGHT if word in names else LIGHT_WEIGHT if word in LIGHT else 1


def _forms(question: str, places: Sequence[Place]) -> dict[str, dict[Language, Stems]]:
    spoken = detect_language(question)
    vocabulary: dict[Language, set[str]] = {language: set() for language in LANGUAGES}
    for place in places:
        vocabulary[place.language] |= place.around | place.above
    known: dict[str, dict[Language, Stems]] = {}
    for word, stems in query_stems(question).items():
        exact = frozenset(stems)
        known[word] = {}
        for language in LANGUAGES:
            known[word][language] = exact
            if language != spoken:
                foreign = translations(word, spoken)
                likes = _alike(exact, vocabulary[language]) if foreign.isdisjoint(vocabulary[language]) else frozenset()
                known[word][language] = exact | foreign | likes
            elif exact.isdisjoint(vocabulary[language]):
                slips = max((most for letters, most in SLIPS.items() if len(word) >= letters), default=0)
                known[word][language] = exact | (_alike(exact, vocabulary[language], slips) if slips else frozenset())
    return known


def _alike(stems: Iterable[str], vocabulary: Iterable[str], slips: int | None = None) -> Stems:
    return frozenset(known for known in vocabulary if any(alike(stem, known, slips) for stem in stems))


def _rarity(forms: Mapping[Language, Stems], places: Sequence[Place]) -> float:
    """The inverse document frequency, as BM25 has it, over the places."""
    frequency = sum(not place.words.isdisjoint(forms[place.language]) for place in places)
    return log(1 + (len(places) - frequency + 0.5) / (frequency + 0.5))


def supported(question: str, passages: Sequence[Passage], embedding_model: str) -> bool:
    """Whether the passages are worth answering from.

    A question without a word that carries meaning never is. For embedding models of unknown scale every other one
    is: the language model decides.
    """
    if not passages or not content_words(question):
        return False
    unrelated = next((level for name, level in UNRELATED.items() if name in embedding_model.lower()), None)
    if unrelated is None:
        return True
    similarity = max((p.similarity for p in passages if p.similarity is not None), default=unrelated)
    return coverage(question, passages) + (similarity - unrelated) / SPREAD >= THRESHOLD


def coverage(question: str, passages: Sequence[Passage]) -> float:
    """The largest share of the question's words that one passage, its headings included, contains."""
    stems = query_stems(question)
    weights = dict.fromkeys(stems, 1) | {word: 2 for word in _specific(question) if word in stems}
    total = sum(weights.values())
    shares = [0.0]
    for passage in passages:
        text = f"{passage.title} {passage.chunk.heading} {passage.chunk.text}"
        found = set(terms(text, passage.chunk.language))
        shares.append(sum(weights[word] for word, forms in stems.items() if found.intersection(forms)) / (total or 1))
    return max(shares)


def _specific(question: str) -> set[str]:
    """Names (capitals, but for the first word) and what holds a digit."""
    first, *others = WORD.findall(question) or [""]
    names = {word.lower() for word in others if word[0].isupper()}
    return names | {word.lower() for word in (first, *others) if any(c.isdigit() for c in word)}
