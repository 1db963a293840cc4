"""Checks the citations of an answer against the passages it was given, while the answer is still being written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatbot.domain import Citation, Passage
from chatbot.text.analysis import query_terms, sentences, terms

MARKER = re.compile(r"[\[【](\d{1,3}(?:\s*[,;]\s*\d{1,3})*)[\]】]")
QUOTATION_MARK = re.compile(r"[“«] ?| ?[”»]")
WITHIN_MARKER = "0123456789,; \t\r\n\f\v\u00a0\u202f"
OPENING_BRACKETS = ("[", "【")
WORD_JOINER = "\u2060"
LONGEST_CLAIM = 4000
"""Characters before a marker that are looked at."""
MOST_QUOTATIONS = 40
"""The last ones of a claim."""


def check(text: str, passages: Sequence[Passage]) -> tuple[str, list[Citation]]:
    """The text with only the markers [n] that point to a passage, numbered in order of appearance; the citations."""
    checker = Checker(passages)
    checked = checker.feed(text) + checker.finish()
    return checked, checker.citations


class Checker:
    """`check` for a text that comes in pieces. Nothing is let out before the first citation: until then the answer
    may still turn out to have none, and a claim without a source is not shown."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.citations: list[Citation] = []
        self._passages = passages
        self._numbers: dict[int, int] = {}
        self._waiting = ""
        self._held = ""
        self._claim = ""

    def feed(self, piece: str) -> str:
        """What can be shown now. `citations` grows as markers are met."""
        self._waiting += piece
        return self._release(_finished(self._waiting))

    def finish(self) -> str:
        """The rest; the whole of a text that cites nothing."""
        return self._release(len(self._waiting), last=True)

    def _release(self, end: int, last: bool = False) -> str:
        ready, self._waiting = self._waiting[:end], self._waiting[end:]
        start = 0
        for marker in MARKER.finditer(ready):
            before = ready[start : marker.start()]
            said = before.rstrip()
            cited = self._cite(said, marker)
            self._held += (before if cited else said) + cited
            start = marker.end()
        self._claim += ready[start:]
        self._held += ready[start:]
        if not (self.citations or last):
            return ""
        shown, self._held = self._held, ""
        return shown

    def _cite(self, said: str, marker: re.Match[str]) -> str:
        """What a marker becomes: nothing if it points nowhere, else its passages' numbers in this answer."""
        self._claim += said
        numbers = [int(number) for number in re.findall(r"\d+", marker[1])]
        known = [number for number in dict.fromkeys(numbers) if 1 <= number <= len(self._passages)]
        for number in known:
            if number not in self._numbers:
                self._numbers[number] = len(self._numbers) + 1
                self.citations.append(_citation(self._numbers[number], self._claim, self._passages[number - 1]))
        if known:
            self._claim = ""
        return "".join(f"[{self._numbers[number]}]" for number in known)


def _finished(text: str) -> int:
    """Up to where a text ends in nothing that may be the beginning of a marker, or the blank before one."""
    within = text.rstrip(WITHIN_MARKER)
    return len(within[:-1].rstrip() if within.endswith(OPENING_BRACKETS) else text.rstrip())


def _citation(number: int, claim: str, passage: Passage) -> Citation:
    chunk, quote = passage.chunk, _quote(claim, passage)
    return Citation(
        number=number,
        chunk_id=chunk.id,
        document_id=chunk.document_id,
        title=passage.title,
        source=passage.source,
        page=chunk.page_of(quote),
        heading=chunk.heading,
        quote=quote,
    )


def _quote(claim: str, passage: Passage) -> str:
    """The words of the passage that the claim quotes, or else its sentence that has most of the claim's words."""
    text, claim = " ".join(passage.chunk.text.split()), claim[-LONGEST_CLAIM:]
    if quoted := _longest_quotation(" ".join(claim.replace(WORD_JOINER, "").split()), text):
        return quoted
    wanted = set(query_terms(" ".join(sentences(claim)[-1:])))
    return max(sentences(text), key=lambda s: len(wanted.intersection(terms(s, passage.chunk.language))), default=text)


def _longest_quotation(claim: str, text: str) -> str:
    """What stands between quotation marks in the claim and likewise in the text; marks may be nested. "" for none."""
    quoted = (claim[start:end] for start, end in _quotations(claim)[-MOST_QUOTATIONS:])
    return max((words for words in quoted if words in text), key=len, default="")


def _quotations(claim: str) -> list[tuple[int, int]]:
    """Where each quotation starts and ends, in the order of their ends: each closing mark ends the innermost one that
    is open, and may end the outermost as well, since marks are not always written in pairs."""
    found: list[tuple[int, int]] = []
    open_: list[int] = []
    for mark in QUOTATION_MARK.finditer(claim):
        if mark[0][0] in "“«":
            open_.append(mark.end())
        elif open_:
            outermost = open_[0]
            found += dict.fromkeys(((open_.pop(), mark.start()), (outermost, mark.start())))
    return found
