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
from math import log

from chatbot.domain import EXTRACTIVE, Language, Passage, Question, Turn, Usage
from chatbot.text.analysis import WORD, content_words, query_stems, sentence_spans, terms

SENTENCES = 3
PASSAGE_WEIGHT, CUE_WEIGHT = 1.2, 0.15
BEFORE_WEIGHT, AFTER_WEIGHT = 0.3, 0.2
"""Tuned on XQuAD; flat around these values."""
CLOSE = 0.84
"""Similarity from which a passage is quoted that shares no word with the question, being in another language."""
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
class Candidate:
    """A sentence of a passage: number of the passage (from 0), place in its text, stems, and its neighbours' stems."""

    passage: int
    start: int
    end: int
    words: frozenset[str]
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()


def answer(question: Question, passages: Sequence[Passage]) -> list[str]:
    """At most three sentences, each stretch quoted with its [n], best passage first; empty when none fits."""
    candidates = [candidate for number, passage in enumerate(passages) for candidate in _candidates(number, passage)]
    chosen = _best(_words(question), passages, candidates)
    if not (chosen or question.search):
        chosen = _nearest(passages, candidates)
    quotation = QUOTATION[question.language]
    return [
        f"{quotation.format(guarded(' '.join(passages[number].chunk.text[start:end].split())))} [{number + 1}]"
        for number, start, end in _stretches(chosen, candidates)
    ]


def _words(question: Question) -> str:
    """What to look for in the sentences: what a follow-up asks, not what it is about, unless it says nothing itself."""
    return question.text if content_words(question.text) else question.query


def guarded(text: str) -> str:
    """The text with its own bracketed numbers kept from being read as citations, by an invisible word joiner."""
    return REFERENCE.sub("\\1\u2060", text)


def _candidates(number: int, passage: Passage) -> list[Candidate]:
    text = passage.chunk.text
    spans = [(start, end) for start, end in sentence_spans(text) if _is_quotable(text[start:end], passage.title)]
    words = [frozenset(terms(text[start:end], passage.chunk.language)) for start, end in spans]
    around = [frozenset[str](), *words, frozenset[str]()]
    return [Candidate(number, *span, words[i], before=around[i], after=around[i + 2]) for i, span in enumerate(spans)]


def _is_quotable(sentence: str, title: str) -> bool:
    """Neither a label nor, on a title page, the title with what surrounds it: that has the words and no answer."""
    is_title = sentence.startswith(title) and len(title) > TITLE_SHARE * len(sentence)
    return len(sentence) <= LONGEST and len(WORD.findall(sentence)) >= FEWEST_WORDS and not is_title


def _best(question: str, passages: Sequence[Passage], candidates: Sequence[Candidate]) -> list[Candidate]:
    """The highest scores among the sentences that share a word with the question, each text once."""
    stems = query_stems(question)
    weights = _weights(stems, candidates)
    top = max((passage.score for passage in passages), default=0) or 1
    scores: dict[str, tuple[float, Candidate]] = {}
    for candidate in candidates:
        passage = passages[candidate.passage]
        sentence = passage.chunk.text[candidate.start : candidate.end]
        overlap = _overlap(stems, weights, candidate)
        if overlap and sentence not in scores:
            score = overlap + PASSAGE_WEIGHT * passage.score / top + CUE_WEIGHT * _fits(question, sentence)
            scores[sentence] = score, candidate
    ranked = sorted(scores.values(), key=lambda item: -item[0])
    return [candidate for _, candidate in ranked[:SENTENCES]]


def _weights(stems: dict[str, tuple[str, ...]], candidates: Sequence[Candidate]) -> dict[str, float]:
    """The inverse document frequency of the question's words, as BM25 has it, over the candidate sentences."""
    total = len(candidates)
    frequency = {word: sum(not c.words.isdisjoint(forms) for c in candidates) for word, forms in stems.items()}
    return {word: log(1 + (total - n + 0.5) / (n + 0.5)) for word, n in frequency.items()}


def _overlap(stems: dict[str, tuple[str, ...]], weights: dict[str, float], candidate: Candidate) -> float:
    """The weighted share, 0 to 1, of the question's words in or next to a sentence."""
    found = 0.0
    for word, forms in stems.items():
        if not candidate.words.isdisjoint(forms):
            found += weights[word]
        elif not candidate.before.isdisjoint(forms):
            found += BEFORE_WEIGHT * weights[word]
        elif not candidate.after.isdisjoint(forms):
            found += AFTER_WEIGHT * weights[word]
    return found / (sum(weights.values()) or 1)


def _fits(question: str, sentence: str) -> bool:
    """Whether the sentence holds the kind of thing that is asked for."""
    if NUMBER_QUESTION.search(question):
        return bool(NUMBER.search(sentence))
    if NAME_QUESTION.search(question):
        known = {word.lower() for word in WORD.findall(question)}
        return any(not known.issuperset(WORD.findall(name.lower())) for name in NAME.findall(sentence))
    return False


def _nearest(passages: Sequence[Passage], candidates: Sequence[Candidate]) -> list[Candidate]:
    """The start of the closest passage, when it is close enough to need no common word."""
    if not passages:
        return []
    closest = max(range(len(passages)), key=lambda number: passages[number].similarity or 0)
    if (passages[closest].similarity or 0) < CLOSE:
        return []
    return [candidate for candidate in candidates if candidate.passage == closest][:SENTENCES]


def _stretches(chosen: Sequence[Candidate], candidates: Sequence[Candidate]) -> Iterator[tuple[int, int, int]]:
    """Passage, start and end of what is quoted: neighbouring sentences in one piece, in reading order."""
    order = {candidate: place for place, candidate in enumerate(candidates)}
    rank = {number: place for place, number in enumerate(dict.fromkeys(c.passage for c in chosen))}
    places = sorted((order[c] for c in chosen), key=lambda place: (rank[candidates[place].passage], place))
    runs = groupby(enumerate(places), key=lambda item: (candidates[item[1]].passage, item[1] - item[0]))
    for (number, _), run in runs:
        run_places = [place for _, place in run]
        yield number, candidates[run_places[0]].start, candidates[run_places[-1]].end


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
