"""What a language model wrote, sentence by sentence: kept where a passage supports it, with the right citation.

grounding = Grounding(passages)
grounding.feed("In 1991 Sweden intro") + grounding.feed("duced it. It cost 900 euros.") + grounding.finish()
    'In 1991 Sweden introduced it [2].'      passage 2 says so, and none says 900

A passage supports a sentence if the names and numbers of the sentence stand in it, if it counts nothing otherwise (six
chapters, not seven), and if they have words in common: a
word at least where the model cites the passage, most of the words where it does not. A sentence that cites the wrong
passage gets the right one; one that no passage supports is left out, and so is one that says what was said before.
What claims nothing (« In short: », a question) is kept with the sentence that follows, or with the one before.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chatbot.answering.cite import MARKER
from chatbot.answering.habits import admits, begins_own_sources, with_markers
from chatbot.domain import Language, Passage
from chatbot.text.analysis import (
    LANGUAGES,
    STOP_WORDS,
    WORD,
    content_words,
    detect_language,
    query_stems,
    sentence_spans,
    terms,
    words,
)
from chatbot.text.translate import alike, translations

UNCITED_SHARE = 0.6
"""Of a sentence's words that a passage has to have in order to be cited for it, where the model does not cite it."""
CLAIM_WORDS = 3
"""A sentence of fewer words that carry meaning, without a name or a number, claims nothing."""
LONGEST = 2000
"""Characters that are waited for a sentence to end."""
ENDS = re.compile(r"[.!?…:\n]")
LEADING_MARKERS = re.compile(r"(?:\s*[\[【]\d[\d,;\s]*[\]】])+")
MAY_BE_MARKER = re.compile(r"\s*(?:[\[【][\d,;\s]*)?")
CUT_MARKER = re.compile(r"\s*[\[【][\d,;\s]*(?=…?\s*$)")
"""The beginning of a marker, of a text that was cut there."""
BARE_LIST_MARK = re.compile(r"\s*\d{1,3}[.)]")
LIST_MARK = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
NUMBER = re.compile(r"\d+(?:[.,\u00a0\u202f ]\d+)*")
SEPARATOR = re.compile(r"[.,\u00a0\u202f ](?=\d{3}(?:\D|$))")
NAME = re.compile(r"(?<=[\w,;’'»”)] )[\"“«(]*([^\W\d_a-zß-öø-ÿ][\w’'-]*)|\b([A-Z][A-Z0-9]+|[A-Z][a-z]+[A-Z]\w*)\b")
"""A word in capitals that does not begin the sentence, or one that has several."""
SCALES = {"hundred": 100, "cent": 100, "cents": 100, "thousand": 1000, "mille": 1000}
NUMERALS = {
    word: str(value)
    for numerals in (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen twenty",
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept"
        " dix-huit dix-neuf vingt",
    )
    for value, word in enumerate(numerals.split())
}


Counts = frozenset[tuple[str, str]]
"""How many of what: the number and the stem of the word that follows it."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What of a passage a sentence is compared with, its title and heading included."""

    language: Language | None
    """None for passages of several."""
    stems: frozenset[str]
    words: frozenset[str]
    numbers: frozenset[str]
    counts: Counts


class Grounding:
    def __init__(self, passages: Sequence[Passage], question: str = "") -> None:
        self._known = [_known(passage) for passage in passages]
        self._asked = frozenset(match[1] or match[2] for match in NAME.finditer(question))
        self._waiting = ""
        self._neutral = ""
        """What claims nothing and waits for a sentence that does."""
        self._kept = False
        self._ended = False
        self._said: set[str] = set()
        self.written = False
        """Whether there was a text at all."""
        self.admitted = False
        """Whether it said that the passages hold no answer."""

    def feed(self, piece: str) -> str:
        """The sentences that are complete, as far as a passage supports them."""
        self._waiting += piece
        if len(self._waiting) < LONGEST and not ENDS.search(piece):
            return ""
        parts = _sentences(self._waiting)
        if len(self._waiting) < LONGEST:
            rest = parts.pop()
            if parts and MAY_BE_MARKER.fullmatch(rest):
                rest = parts.pop() + rest
            self._waiting = rest
        else:
            self._waiting = ""
        return "".join(map(self._checked, parts))

    def finish(self) -> str:
        """The rest, likewise."""
        shown = "".join(map(self._checked, _sentences(CUT_MARKER.sub("", self._waiting))))
        rest, self._neutral, self._waiting = self._neutral if self._kept else "", "", ""
        return shown + rest

    def _checked(self, sentence: str) -> str:
        self.written = self.written or bool(sentence.strip())
        self._ended = self._ended or begins_own_sources(sentence)
        if self._ended:
            return ""
        if admits(sentence):
            self.admitted = True
            return ""
        sentence = with_markers(sentence)
        said = MARKER.sub("", sentence)
        cited = [int(number) for marker in MARKER.finditer(sentence) for number in re.findall(r"\d+", marker[1])]
        known = [number for number in dict.fromkeys(cited) if 1 <= number <= len(self._known)]
        if _claims(said):
            supported = "" if self._is_repeated(said) else self._supported(sentence, said, known)
        elif known:
            supported = sentence
        else:
            self._neutral += said
            return ""
        before, self._neutral, self._kept = self._neutral, "", self._kept or bool(supported)
        return before + supported if supported else ""

    def _is_repeated(self, said: str) -> bool:
        """Small models say the same over and over."""
        plain = " ".join(WORD.findall(said.casefold()))
        repeated = plain in self._said
        self._said.add(plain)
        return repeated

    def _supported(self, sentence: str, said: str, cited: Sequence[int]) -> str:
        """As it is, if the passages cited support it together; else citing the one that does; "" when none does."""
        claim = _Claim.of(said, self._asked)
        bearing = [number for number in cited if claim.bears(self._known[number - 1])]
        if bearing and claim.share(_together([self._known[number - 1] for number in bearing])):
            return MARKER.sub(lambda marker: _those(marker, bearing), sentence)
        shares = [claim.share(known) for known in self._known]
        best = max(shares, default=0.0)
        return _marked(said, shares.index(best) + 1) if best >= UNCITED_SHARE else ""


@dataclass(frozen=True, slots=True)
class _Claim:
    """A sentence's words by their stems, its names and its numbers."""

    language: Language
    words: dict[str, tuple[str, ...]]
    names: frozenset[str]
    numbers: frozenset[str]
    counts: Counts

    @classmethod
    def of(cls, said: str, asked: Collection[str]) -> _Claim:
        """The first word is a name if it is one in the question: any other may be written large for being the first."""
        text = LIST_MARK.sub("", said)
        names = {(match[1] or match[2]).casefold() for match in NAME.finditer(text)}
        names |= {word.casefold() for word in WORD.findall(text)[:1] if word in asked}
        spoken = detect_language(text)
        names -= STOP_WORDS[spoken]
        numbers = _numbers(text) | _multiplied(words(text))
        return cls(spoken, query_stems(text), frozenset(names), numbers, _counts(text, spoken))

    def share(self, known: _Known) -> float:
        """The share of the words that the passage has; 0 where it lacks a name or a number."""
        if not self.numbers <= known.numbers or not all(self._has_name(name, known) for name in self.names):
            return 0.0
        if self._counts_otherwise(known):
            return 0.0
        found = sum(self._has(word, stems, known) for word, stems in self.words.items())
        return found / len(self.words) if self.words else 1.0

    def bears(self, known: _Known) -> bool:
        """Whether the passage has any of the names and numbers or, where there are none, of the words."""
        if not (self.names or self.numbers):
            return not self.words or any(self._has(word, stems, known) for word, stems in self.words.items())
        return not self.numbers.isdisjoint(known.numbers) or any(self._has_name(name, known) for name in self.names)

    def _counts_otherwise(self, known: _Known) -> bool:
        counted = {stem for _, stem in known.counts}
        return any(stem in counted for _, stem in self.counts - known.counts)

    def _has_name(self, name: str, known: _Known) -> bool:
        """In the other language a name may be spelt otherwise."""
        parts = [part for part in WORD.findall(name) if len(part) > 1]
        return all(
            part in known.words
            or not known.stems.isdisjoint(stem for language in LANGUAGES for stem in terms(part, language))
            or (known.language != self.language and any(alike(part, word) for word in known.words))
            for part in parts
        )

    def _has(self, word: str, stems: tuple[str, ...], known: _Known) -> bool:
        if not known.stems.isdisjoint(stems) or word in known.words:
            return True
        if known.language == self.language:
            return NUMERALS.get(word, word) in known.numbers
        foreign = translations(word, self.language)
        return not known.stems.isdisjoint(foreign) or any(alike(stem, each) for stem in stems for each in known.stems)


def _known(passage: Passage) -> _Known:
    text = f"{passage.title}\n{passage.chunk.heading}\n{passage.chunk.text}"
    language = passage.chunk.language
    found = [word.casefold() for word in WORD.findall(text)]
    numbers = _numbers(text) | _spelt(frozenset(found)) | _multiplied(found)
    return _Known(language, frozenset(terms(text, language)), frozenset(found), numbers, _counts(text, language))


def _numbers(text: str) -> frozenset[str]:
    """Without separators of thousands, and with a point for a decimal comma: « 3 000,5 » is 3000.5."""
    return frozenset(SEPARATOR.sub("", number[0]).replace(",", ".").strip(".") for number in NUMBER.finditer(text))


def _spelt(words: frozenset[str]) -> frozenset[str]:
    return frozenset(NUMERALS[word] for word in words & NUMERALS.keys())


def _multiplied(found: Sequence[str]) -> frozenset[str]:
    """« three thousand »: 3000."""
    pairs = itertools.pairwise(found)
    return frozenset(str(int(NUMERALS[one]) * SCALES[two]) for one, two in pairs if one in NUMERALS and two in SCALES)


def _counts(text: str, language: Language | None) -> Counts:
    """Of one or two digits, or spelt: larger ones have to stand in the passage anyway."""
    found: set[tuple[str, str]] = set()
    for one, two in itertools.pairwise(words(text)):
        number = NUMERALS.get(one, one)
        if number.isdecimal() and 1 < int(number) < 100 and two not in SCALES:
            found |= {(number, stem) for stem in terms(two, language or "en") if not stem.isdecimal()}
    return frozenset(found)


def _claims(said: str) -> bool:
    text = LIST_MARK.sub("", said)
    if text.rstrip().endswith("?"):
        return False
    return len(content_words(text)) >= CLAIM_WORDS or bool(_numbers(text)) or bool(NAME.search(text))


def _together(known: Sequence[_Known]) -> _Known:
    languages = {each.language for each in known}
    return _Known(
        known[0].language if len(languages) == 1 else None,
        frozenset().union(*(each.stems for each in known)),
        frozenset().union(*(each.words for each in known)),
        frozenset().union(*(each.numbers for each in known)),
        frozenset().union(*(each.counts for each in known)),
    )


def _those(marker: re.Match[str], numbers: Sequence[int]) -> str:
    """The marker with those of its numbers alone."""
    return "".join(f"[{number}]" for number in map(int, re.findall(r"\d+", marker[1])) if number in numbers)


def _marked(said: str, number: int) -> str:
    """The sentence with a marker before the mark that ends it."""
    body = said.rstrip()
    tail = said[len(body) :]
    end = body[-1:] if body[-1:] in (*".!?…",) else ""
    return f"{body[: len(body) - len(end)].rstrip()} [{number}]{end}{tail}"


def _sentences(text: str) -> list[str]:
    """The sentences with the blanks before them; the markers that follow a full stop belong to the sentence before."""
    spans = sentence_spans(text)
    starts = [0, *(end for _, end in spans[:-1])]
    parts = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    for number in range(len(parts) - 1):
        if BARE_LIST_MARK.fullmatch(parts[number]):
            parts[number], parts[number + 1] = "", parts[number] + parts[number + 1]
    for number in range(1, len(parts)):
        if markers := LEADING_MARKERS.match(parts[number]):
            parts[number - 1] += markers[0]
            parts[number] = parts[number][markers.end() :]
    return parts
