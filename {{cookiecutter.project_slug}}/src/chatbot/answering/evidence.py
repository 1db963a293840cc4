"""What a question asks for, and how much of it stands together in one place of one document.

    sought = Sought.of("Who built the oven?", places)
    sought.share(place, RANKING)      0 to 1: how much of what is asked stands in that sentence and around it

A word counts by its rarity among the sentences found: what the question is about is in most of them, so that the weight
is with what it asks about that. Where a document is in another language, a word is found by its translation, or by a
word that looks alike; what a slip of the pen made unfindable, by what looks alike in the same language.

Evidence of a question is the best coverage, plus how far the similarity of that sentence's passage is above that of
unrelated texts: neither a question in other words than its answer, nor one in another language, has much of the first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
principal principale utilise utilisé utiliser faire donne donné donner prend prendre pris vient venir mettre mis veut
dire montre montré trouve trouver trouvé passe passer passé arrive devient commence existe comprend situé joue rôle
signifie article articles paper papers livre texte auteur auteurs author authors published publié publiée écrit
written wrote important importante information grand grande nouveau nouvelle premier première dernier dernière
différent plusieurs
"""
LIGHT = frozenset(LIGHT_WORDS.split())
"""Words that say what kind of thing is asked for, or hardly anything: a passage can answer without them."""
LIGHT_WEIGHT = 0.3
HEAD = re.compile(
    r"\bwhat(?: is|['’]s| are| was| were)(?: the| his| her| its| their| an?)? (?:[\w-]+ ){0,3}?(?P<of>[\w-]+)"
    r" (?:of|for)\b"
    r"|\bhow (?:many|much) (?P<many>[\w-]+(?: [\w-]+)?)"
    r"|\bquel(?:le)?s? (?:est|sont|était|étaient|fut)(?: l[ea]s? | l['’]| son | sa | ses | leurs? )(?P<est>[\w-]+)"
    r"|\bcombien (?:de |d['’])(?P<combien>[\w-]+)|\bquel(?P<age> âge)\b"
    r"|\b(?P<its>(?:its|their|his|her|son|sa|leur) [\w-]+) ?\?",
    re.IGNORECASE,
)
"""Where a question says what it wants to know of a thing: the population of, how many stars."""

UNRELATED = {"e5": 0.80}
"""Cosine similarity of unrelated texts, by a part of the model's name: E5's fill only the top of the scale."""
SPREAD = 0.05
THRESHOLD = 0.4
"""Of `supported`."""
ENOUGH, PLENTY = 0.42, 1.15
"""Less is no answer; with plenty, what scores far lower is not quoted beside it."""
PASSAGE_MEANING, OWN_MEANING, MOST_MEANING = 0.23, 0.19, 0.8
ABSENT_NAME, LIGHT_NAME, OTHER_YEAR = 0.6, 0.1, 1.0
WORD_ELSEWHERE = 0.3
"""What it costs, by their share, that only other documents hold words of the question."""
ABSENT_KIND, ABSENT_MEASURE, ABSENT_HEAD, ABSENT_SUBJECT, THING_ALONE = 0.15, 1.2, 0.2, 0.3, 0.15
UNCOUNTED, UNSAID = 0.3, 0.2
"""Fitted on one half of XQuAD's articles, with and without the article that answers, and on the tuning half of
questions with and without an answer, also asked of other things than they are about: see docs/architecture.md."""
NAME_WEIGHT = 1.5
"""Names and numbers count more than other words as rare: they have no synonyms."""
TOGETHER = (("words", 1.0), ("before", 0.8), ("after", 0.8), ("above", 0.8), ("around", 0.3))
"""What a word counts that stands in a sentence, in the next ones, in the headings above, or anywhere in the passage."""
YEARS = frozenset(map(str, range(1500, 2100)))
NAMED_BY_TITLE = re.compile(r"(\w+)\s*[:–—]")
INITIALS = re.compile(r"\b(?:[A-Z]\. ?)+(?=\W|\b)")
"""« U.S. », « J. R. R. Tolkien »: they are written in many ways."""
LONGEST = 500
"""Characters of a question in which its head is looked for."""
ANYWHERE = (("around", 1.0), ("above", 1.0))
ON_SUBJECT = 0.5
"""Share of what a follow-up is about that has to stand in a passage or above it."""
FEWEST_PLACES = 30
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
    document: str = ""
    """The work's title; several records may be of one work."""


@dataclass(frozen=True, slots=True)
class Sought:
    """The words of a question: by which stems each is found in texts of a language, and how much it counts."""

    forms: Mapping[str, Mapping[Language, Stems]]
    rarity: Mapping[str, float]
    language: Language
    names: Stems
    heads: Stems
    """The words, any of which says what is wanted of a thing."""
    counted: Stems
    """Those of the heads that are to be counted: how many chapters."""
    unsaid: bool
    """Whether no place at all holds any of the words that say what is asked about what is named."""
    coined: Stems
    """The names with a capital within: no other language has another word for them."""
    homes: Mapping[str, frozenset[str]]
    """By word, the documents that hold it; words that none holds are not there."""
    written: Mapping[str, frozenset[Language]]
    """By name, the languages of the texts that hold it."""

    @classmethod
    def of(cls, question: str, places: Sequence[Place], proper: Collection[str] = ()) -> Self:
        """`proper`: the words that are names, however the question writes them (see `proper_names`)."""
        forms = _forms(question, places)
        rarity = {word: _rarity(found, places) for word, found in forms.items()}
        asked = [match.groupdict() for match in HEAD.finditer(question[:LONGEST])]
        heads = _words_of(asked, ("of", "many", "est", "combien", "age", "its")) & forms.keys() - LIGHT
        counted = _words_of(asked, ("many", "combien")) & heads
        names = frozenset((_specific(question) | {*proper}) & forms.keys())
        spoken = detect_language(question)
        others = forms.keys() - names - LIGHT
        unsaid = bool(others) and not any(
            forms[word][place.language] & (place.around | place.above) for word in others for place in places
        )
        coined = _coined(question)
        sought = cls(forms, rarity, spoken, names, frozenset(heads), frozenset(counted), unsaid, coined, {}, {})
        homes = {word: frozenset(p.document for p in places if sought._held(word, p, ANYWHERE)) for word in forms}
        written = {name: frozenset(p.language for p in places if sought._held(name, p, ANYWHERE)) for name in names}
        homes = {word: documents for word, documents in homes.items() if documents}
        return replace(sought, homes=homes, written=written)

    def without(self, other: Sought) -> Sought:
        """The words that the other does not have."""
        return replace(self, forms={word: forms for word, forms in self.forms.items() if word not in other.forms})

    def by_name(self) -> Sought:
        """The names alone, where there are any: they say what is spoken of."""
        named = {word: forms for word, forms in self.forms.items() if word in self.names}
        return replace(self, forms=named) if named else self

    def share(self, place: Place, values: Sequence[tuple[str, float]]) -> float:
        """The share of the words by rarity; each counts by the first of the place's parts, as named, that holds it."""
        return self._share(place, values, self.rarity)

    def count(self, place: Place, values: Sequence[tuple[str, float]]) -> float:
        """The share of the words by number, names counting more and light words less; likewise."""
        return self._share(place, values, {word: self._importance(word) for word in self.forms})

    def stands_together(self, place: Place, fits: bool | None, measured: bool | None, subject: Sought) -> float:
        """How much of what is asked stands in one place: 1 for all of it. `fits`: the kind of thing that is asked for
        is there; `measured`: its unit is. `subject` is what a follow-up is about: some of it has to be in the
        passage or above it."""
        weights = {word: self.rarity[word] * self._importance(word) for word in self.forms}
        together = (self._share(place, TOGETHER, weights) + self.count(place, TOGETHER)) / 2
        subject = subject.by_name()
        off_subject = bool(subject.forms) and subject.share(place, ANYWHERE) < ON_SUBJECT
        together -= sum(self._cost_of_missing(word, place) for word in self.missing(place))
        together -= WORD_ELSEWHERE * self._share_elsewhere(place)
        together -= ABSENT_KIND * (fits is False) + ABSENT_MEASURE * (measured is False)
        together -= UNSAID * (self.unsaid and place.language == self.language)
        together -= UNCOUNTED * self._counts_another_kind(place)
        together -= ABSENT_HEAD * self._lacks_head(place) + THING_ALONE * self._knows_the_thing_alone(place)
        return together - ABSENT_SUBJECT * off_subject

    @property
    def years(self) -> Stems:
        return self.names & YEARS

    def missing(self, place: Place) -> set[str]:
        """The names and numbers that the passage does not hold."""
        return {word for word in self.names if not self._held(word, place, ANYWHERE)}

    def _cost_of_missing(self, name: str, place: Place) -> float:
        """A name that the document does not hold says that something else is spoken of here. In another language it
        may be written otherwise, unless some text of that language has it."""
        if name in self.years:
            says_another = self.years.isdisjoint(place.around | place.above) and YEARS & place.around
            return OTHER_YEAR if says_another else LIGHT_NAME
        if place.document in self.homes.get(name, ()):
            return 0
        is_written_so = name in self.coined or place.language in {self.language, *self.written[name]}
        return ABSENT_NAME if is_written_so else LIGHT_NAME

    def _share_elsewhere(self, place: Place) -> float:
        """The share of the words, but for names, that other documents hold and this one does not: they are what is
        asked, and it is asked of something else. In another language only words count that the glossary knows."""
        weights = {word: self.rarity[word] * self._importance(word) for word in self.forms}
        elsewhere = [
            weights[word]
            for word, forms in self.forms.items()
            if word not in self.names
            and word not in LIGHT
            and place.document not in self.homes.get(word, {place.document})
            and (place.language == self.language or forms[place.language] != forms[self.language])
        ]
        return sum(elsewhere) / (sum(weights.values()) or 1)

    def _lacks_head(self, place: Place) -> bool:
        """Whether what is wanted of a thing is named neither there nor next to it."""
        return bool(self.heads) and not any(self._held(word, place, TOGETHER[:-1]) for word in self.heads)

    def _counts_another_kind(self, place: Place) -> bool:
        """Whether a word of what is to be counted stands nowhere in the passage: how many bonus lessons."""
        if place.language != self.language:
            return False
        return any(not self._held(word, place, ANYWHERE) for word in self.counted - self.names)

    def _knows_the_thing_alone(self, place: Place) -> bool:
        """Whether only the thing is there that the question is about, and nothing of what it asks about it. In another
        language that cannot be told: the glossary does not know every word."""
        if place.language != self.language and not self._lacks_head(place):
            return False
        asked = [
            word
            for word, forms in self.forms.items()
            if word not in self.names and word not in LIGHT and forms[place.language].isdisjoint(place.above)
        ]
        return bool(asked) and not any(self._held(word, place, TOGETHER[:3]) for word in asked)

    def _share(self, place: Place, values: Sequence[tuple[str, float]], weights: Mapping[str, float]) -> float:
        found = sum(self._held(word, place, values) * weights[word] for word in self.forms)
        return found / (sum(weights[word] for word in self.forms) or 1)

    def _held(self, word: str, place: Place, values: Sequence[tuple[str, float]]) -> float:
        stems = self.forms[word][place.language]
        return next((value for name, value in values if not stems.isdisjoint(getattr(place, name))), 0.0)

    def _importance(self, word: str) -> float:
        return NAME_WEIGHT if word in self.names else LIGHT_WEIGHT if word in LIGHT else 1


def _words_of(asked: Iterable[Mapping[str, str | None]], groups: Iterable[str]) -> set[str]:
    return {word.lower() for found in asked for group in groups for word in (found[group] or "").split()}


def evidence(stands: float, passage_closeness: float, own_closeness: float) -> float:
    """That a place answers: how much of what is asked stands there together, and how close passage and sentence are."""
    return stands + min(PASSAGE_MEANING * passage_closeness + OWN_MEANING * own_closeness, MOST_MEANING)


def closeness(similarity: float | None, embedding_model: str) -> float:
    """See Passage.closeness."""
    unrelated = _unrelated(embedding_model)
    return 0.0 if similarity is None or unrelated is None else (similarity - unrelated) / SPREAD


def is_comparable(embedding_model: str) -> bool:
    """Whether the scale of the model's similarities is known."""
    return _unrelated(embedding_model) is not None


def _unrelated(embedding_model: str) -> float | None:
    return next((level for name, level in UNRELATED.items() if name in embedding_model.lower()), None)


def _forms(question: str, places: Sequence[Place]) -> dict[str, dict[Language, Stems]]:
    spoken = detect_language(question)
    vocabulary: dict[Language, set[str]] = {language: set() for language in LANGUAGES}
    for place in places:
        vocabulary[place.language] |= place.around | place.above
    coined = _coined(question)
    known: dict[str, dict[Language, Stems]] = {}
    for word, stems in query_stems(question).items():
        exact = frozenset(stems)
        known[word] = {}
        for language in LANGUAGES:
            known[word][language] = exact
            if language != spoken and word not in coined:
                foreign = translations(word, spoken)
                likes = _alike(exact, vocabulary[language]) if foreign.isdisjoint(vocabulary[language]) else frozenset()
                known[word][language] = exact | foreign | likes
            elif language == spoken and exact.isdisjoint(vocabulary[language]):
                slips = max((most for letters, most in SLIPS.items() if len(word) >= letters), default=0)
                known[word][language] = exact | (_alike(exact, vocabulary[language], slips) if slips else frozenset())
    return known


def _alike(stems: Iterable[str], vocabulary: Iterable[str], slips: int | None = None) -> Stems:
    return frozenset(known for known in vocabulary if any(alike(stem, known, slips) for stem in stems))


def _rarity(forms: Mapping[Language, Stems], places: Sequence[Place]) -> float:
    """The inverse document frequency, as BM25 has it, over the places; few places tell nothing of rarity."""
    frequency = sum(not place.words.isdisjoint(forms[place.language]) for place in places)
    return log(1 + (max(len(places), FEWEST_PLACES) - frequency + 0.5) / (frequency + 0.5))


def supported(question: str, passages: Sequence[Passage], embedding_model: str) -> bool:
    """Whether the passages are worth answering from.

    A question without a word that carries meaning never is. For embedding models of unknown scale every other one
    is: the language model decides.
    """
    if not passages or not content_words(question):
        return False
    if _unrelated(embedding_model) is None:
        return True
    closest = max(closeness(passage.similarity, embedding_model) for passage in passages)
    return coverage(question, passages) + closest >= THRESHOLD


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


def proper_names(passages: Iterable[Passage]) -> set[str]:
    """The words, in lower case, that are names however a question writes them: those of titles that the passages never
    write without a capital, and what a title names before a colon."""
    named, large, small = set[str](), set[str](), set[str]()
    for passage in passages:
        if match := NAMED_BY_TITLE.match(passage.title):
            named.add(match[1].lower())
        large |= {word.lower() for word in WORD.findall(passage.title) if word[0].isupper()}
        small |= {word for word in WORD.findall(passage.chunk.text) if word.islower()}
    return named | (large - small)


def _coined(question: str) -> Stems:
    return frozenset(word.lower() for word in WORD.findall(question) if any(c.isupper() for c in word[1:]))


def _specific(question: str) -> set[str]:
    """Names (capitals, but for the first word) and what holds a digit."""
    first, *others = WORD.findall(INITIALS.sub(" ", question)) or [""]
    names = {word.lower() for word in others if word[0].isupper()}
    return names | {word.lower() for word in (first, *others) if any(c.isdigit() for c in word)}
