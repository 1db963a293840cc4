"""Answers without a language model: quotes, word for word, the sentences that most likely hold the answer.

A sentence is scored by the share of the question's words in it, rare words weighing more (words in the sentence
before or after count in part, since pronouns refer back); by the score of its passage; and by a cue: a question for
a number wants a digit, one for a person or place wants a name that the question does not give.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from chatbot.answering.evidence import THRESHOLD, Place, Sought, evidence
from chatbot.domain import EXTRACTIVE, Language, Passage, Question, Turn, Usage
from chatbot.text.analysis import WORD, content_words, sentence_spans, terms
from chatbot.text.reference import reference

SENTENCES = 3
KEPT = 0.85
"""Share of the best score below which a sentence is not quoted beside it."""
PASSAGE_WEIGHT, CUE_WEIGHT = 1.2, 0.15
RANKING = (("words", 1.0), ("before", 0.3), ("after", 0.2))
"""What a word counts in a sentence and next to it. Tuned on XQuAD; flat around these values."""
TITLE_SHARE = 0.3
"""Share of the title in a sentence from which that sentence is a title page's."""
FEWEST_WORDS = 3
"""Less is a label in a margin, which its neighbours' words would lift."""
LONGEST = 1000
"""Characters of one sentence that are quoted."""

NUMBER_QUESTION = re.compile(
    r"\b(when|how (many|much|old|long|far|tall|large|big|often)|years?|dates?|percent\w*|number|century"
    r"|quand|combien|années?|siècle|nombre|quel âge)\b",
    re.IGNORECASE,
)
NAME_QUESTION = re.compile(
    r"\b(who|whom|whose|where|country|city|company|team|person|name|qui|où|pays|ville|entreprise|nom)\b", re.IGNORECASE
)
NUMBER = re.compile(
    r"\d|\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|billion|half"
    r"|deux|trois|quatre|cinq|sept|huit|neuf|dix|onze|douze|douzaine|cent|mille|milliard|moitié)s?\b",
    re.IGNORECASE,
)
NAME = re.compile(r"(?<=[\w,;:’'(-] )[A-ZÀ-Ý][\w’'-]+")
"""A word in capitals that does not begin the sentence."""
QUOTATION: dict[Language, str] = {"en": "“{}”", "fr": "« {} »"}
REFERENCE = re.compile(r"([\[【])(?=\d{1,3}(?:\s*[,;]\s*\d{1,3})*[\]】])")
"""A passage's own "[12]", which must not be read as a citation of ours."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A place that may answer, and how well."""

    place: Place
    score: float
    evidence: float
    """0 to 1; see evidence.py."""


class Extractive:
    """Quotes the sentences that hold the answer; needs no model and no network."""

    model = EXTRACTIVE

    async def stream(self, question: Question, passages: Sequence[Passage]) -> AsyncGenerator[str | Usage, None]:
        quotes = await asyncio.to_thread(answer, question, passages)
        for number, quote in enumerate(quotes):
            yield f" {quote}" if number else quote

    async def rewrite(self, question: Question, turns: Sequence[Turn]) -> tuple[str, Usage]:
        return "", Usage()

    async def ping(self) -> None:
        """It is always there."""

    async def close(self) -> None:
        """Nothing is open."""


def answer(question: Question, passages: Sequence[Passage]) -> list[str]:
    """At most three sentences, each stretch quoted with its [n], best passage first; empty when none fits."""
    places = [place for number, passage in enumerate(passages) for place in _places(number, passage)]
    chosen = _chosen(question, passages, places)
    quotation = QUOTATION[question.language]
    return [
        f"{quotation.format(guarded(' '.join(passages[number].chunk.text[start:end].split())))} [{number + 1}]"
        for number, start, end in _stretches(chosen, places)
    ]


def guarded(text: str) -> str:
    """The text with its own bracketed numbers kept from being read as citations, by an invisible word joiner."""
    return REFERENCE.sub("\\1\u2060", text)


def _places(number: int, passage: Passage) -> list[Place]:
    text, language = passage.chunk.text, passage.chunk.language
    above = frozenset(terms(f"{passage.title} {passage.chunk.heading}", language))
    if text == reference(passage.title, passage.metadata):
        words = frozenset(terms(text, language))
        return [Place(number, 0, len(text), language, words, above=above, around=words)]
    spans = [(start, end) for start, end in sentence_spans(text) if _is_quotable(text[start:end], passage.title)]
    words_ = [frozenset(terms(text[start:end], language)) for start, end in spans]
    near = [frozenset[str](), *words_, frozenset[str]()]
    around = frozenset[str]().union(*words_)
    return [
        Place(number, *span, language, words_[i], near[i], near[i + 2], above, around) for i, span in enumerate(spans)
    ]


def _is_quotable(sentence: str, title: str) -> bool:
    """Neither a label nor, on a title page, the title with what surrounds it: that has the words and no answer."""
    is_title = sentence.startswith(title) and len(title) > TITLE_SHARE * len(sentence)
    return len(sentence) <= LONGEST and len(WORD.findall(sentence)) >= FEWEST_WORDS and not is_title


def _chosen(question: Question, passages: Sequence[Passage], places: Sequence[Place]) -> list[Place]:
    """The best places, each text once, unless all that is asked hardly stands anywhere together."""
    ranked = _ranked(question, passages, places)
    if not ranked or ranked[0].evidence < THRESHOLD:
        return []
    return [quote.place for quote in ranked[:SENTENCES] if quote.score >= KEPT * ranked[0].score]


def _ranked(question: Question, passages: Sequence[Passage], places: Sequence[Place]) -> list[Quote]:
    """Best first: a follow-up by what it asks, not by what it is about, unless it says nothing itself."""
    text = question.text if content_words(question.text) else question.query
    sought, whole = Sought.of(text, places), Sought.of(question.query, places)
    top = max((passage.score for passage in passages), default=0) or 1
    quotes: dict[str, Quote] = {}
    for place in places:
        passage = passages[place.passage]
        sentence = passage.chunk.text[place.start : place.end]
        overlap = sought.share(place, RANKING)
        if not overlap or sentence in quotes:
            continue
        score = overlap + PASSAGE_WEIGHT * passage.score / top + CUE_WEIGHT * _fits(text, sentence)
        quotes[sentence] = Quote(place, score, evidence(whole, place, passage))
    return sorted(quotes.values(), key=lambda quote: -quote.score)


def _fits(question: str, sentence: str) -> bool:
    """Whether the sentence holds the kind of thing that is asked for."""
    if NUMBER_QUESTION.search(question):
        return bool(NUMBER.search(sentence))
    if NAME_QUESTION.search(question):
        known = {word.lower() for word in WORD.findall(question)}
        return any(not known.issuperset(WORD.findall(name.lower())) for name in NAME.findall(sentence))
    return False


def _stretches(chosen: Sequence[Place], places: Sequence[Place]) -> Iterator[tuple[int, int, int]]:
    """Passage, start and end of what is quoted: neighbouring sentences in one piece, in reading order."""
    order = {place: number for number, place in enumerate(places)}
    rank = {number: place for place, number in enumerate(dict.fromkeys(each.passage for each in chosen))}
    numbers = sorted((order[each] for each in chosen), key=lambda number: (rank[places[number].passage], number))
    runs = groupby(enumerate(numbers), key=lambda item: (places[item[1]].passage, item[1] - item[0]))
    for (passage, _), run in runs:
        run_numbers = [number for _, number in run]
        yield passage, places[run_numbers[0]].start, places[run_numbers[-1]].end
