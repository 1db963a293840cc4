"""Habits of language models, the small ones above all: what of their text is no statement, or is written otherwise.

admits("The passages do not say when.")             True: another way of writing NO_ANSWER
with_markers("It opened in 1921 (passage 2).")      "It opened in 1921 [2]."
Thoughts().feed("<think>1921?</think>In 1921 [2].") "In 1921 [2]."
"""

from __future__ import annotations

import re

from chatbot.answering.prompts import NO_ANSWER

NUMBERS = r"\d{1,3}(?:\s*(?:,|and|et)\s*\d{1,3})*"
CITES = re.compile(
    rf"\s*(?:\((?:see |cf\. ?|voir )?(?:passages?|sources?|documents?)\s+(?P<round>{NUMBERS})\)"
    rf"|[\[【](?:passages?|sources?|documents?|\^)\s*(?P<square>{NUMBERS})[\]】]|[\[【](?P<dagger>\d{{1,3}})†[^\]】]*[\]】])",
    re.IGNORECASE,
)
"""How models cite that do not write [1]."""
ACCORDING = re.compile(
    r"^(\s*)(?:according to|as stated in|selon|d['’]après)\s+(?:the |le |la )?(?:passage|source|document)\s+"
    r"(\d{1,3}),?\s+",
    re.IGNORECASE,
)
OWN_SOURCES = re.compile(
    r"[\s#*_-]*(?:sources?|references?|références?|citations?|(?:cited )?passages(?: cités)?)[\s*_]*:?[\s*_]*"
    r"(?:[\[【][\d,;\s]*[\]】]\s*)*",
    re.IGNORECASE,
)
"""The line above a list of sources."""
DOCUMENTS = r"(?:passages?|documents?|sources?|texts?|textes?|context|contexte|informations?)"
ADMISSION = re.compile(
    rf"{NO_ANSWER}|\b{DOCUMENTS}\b.{{0,40}}\b(?:do|does|did)(?: not|n['’]t) \w+"
    rf"|\b(?:no|not enough|insufficient) (?:answer|information|mention|evidence)\b.{{0,40}}\b{DOCUMENTS}\b"
    r"|\bI (?:do not|don['’]t) know\b"
    r"|\bI (?:cannot|can['’]t|could not|couldn['’]t|am unable to) (?:find|answer|determine)\b"
    rf"|\b{DOCUMENTS}\b.{{0,40}}\bn(?:e |['’])\w+ (?:pas|aucune?)\b"
    r"|\bje ne (?:sais|peux|trouve) pas\b"
    rf"|\baucune? (?:réponse|information|mention)\b.{{0,40}}\b{DOCUMENTS}\b",
    re.IGNORECASE,
)
OPENING, CLOSING = "<think>", "</think>"


def admits(sentence: str) -> bool:
    """Whether a model says in its own words that the passages hold no answer."""
    return bool(ADMISSION.search(sentence))


def begins_own_sources(sentence: str) -> bool:
    """Whether a list of sources of the model's own follows: the answer has one already."""
    return bool(OWN_SOURCES.fullmatch(sentence))


def with_markers(sentence: str) -> str:
    """The sentence with citations that are written otherwise as [1]."""
    sentence = CITES.sub(lambda cited: _markers(next(filter(None, cited.groups()))), sentence)
    if not (found := ACCORDING.match(sentence)):
        return sentence
    rest = sentence[found.end() :]
    body = rest.rstrip().rstrip(".!?…")
    return f"{found[1]}{rest[:1].upper()}{body[1:]} [{found[2]}]{rest[len(body) :]}"


def _markers(numbers: str) -> str:
    return " " + "".join(f"[{number}]" for number in re.findall(r"\d+", numbers))


class Thoughts:
    """Leaves out what a model thinks aloud at the beginning, between <think> and </think>."""

    def __init__(self) -> None:
        self._waiting: str | None = ""
        """None once the answer itself has begun."""

    def feed(self, piece: str) -> str:
        """What belongs to the answer."""
        if self._waiting is None:
            return piece
        self._waiting += piece
        begun = self._waiting.lstrip()
        if begun.startswith(OPENING):
            _, closed, answer = begun.partition(CLOSING)
            if not closed:
                return ""
            self._waiting = ""
            return self.feed(answer)
        if OPENING.startswith(begun):
            return ""
        self._waiting = None
        return begun

    def finish(self) -> str:
        """What was held back of a text that is no thought after all."""
        waiting, self._waiting = self._waiting or "", None
        return "" if waiting.lstrip().startswith(OPENING) else waiting
