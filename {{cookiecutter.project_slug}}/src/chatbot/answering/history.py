"""Follow-up questions without a language model: what « And in France? » looks for, told from the questions before it.

query("And in France?", ["What does a carbon tax change in Sweden?"])   'And in France? carbon tax change Sweden'
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from chatbot.text.analysis import WORD, content_words

LONGEST_TITLE = 80
"""Characters."""
LONGEST = 500
"""Characters of a question that are looked at to tell whether it follows up: its beginning says so."""
LOOK_BACK = 3
"""Questions, or until one that stands alone."""
MOST_TERMS = 12
"""Key terms of the questions before: more would drown the question itself."""
FEWEST_WORDS = 2
"""With fewer words that carry meaning, a question says too little to stand alone: « Who pays? »"""
ENOUGH_WORDS = 5
"""With as many it stands alone, whatever its pronouns: they may refer to its own words."""

CONTINUES = re.compile(
    r"(and|but|or|also|so|then|otherwise|else|what about|how about|what if|in (this|that) case"
    r"|et|mais|ou|donc|alors|sinon|aussi|qu[’']en est[- ]il|dans ce cas)\b",
    re.IGNORECASE,
)
"""How a question begins that goes on from the one before."""
REFERS = re.compile(
    r"\b(it|its|itself|they|them|their|theirs|themselves|these|those|he|she|him|her|his|hers|ones"
    r"|the (former|latter|same|others?)|such an?"
    r"|(do|does|did|is|was|about|like|of|for|than|why|after|before|with|from|to|in|on|by|at|under) (this|that))\b"
    r"|(?<!-)\b(ils?|elles?|eux|lui|leurs?|son|sa|ses|ça|cela|ceci|celui|celle|ceux|celles|cet|cette|ces"
    r"|l[ea]s? mêmes?)\b|(?<!-)\bce (?!qu|dont|sont|n[’'])\w|\w-(ci|là)\b|\b[ld][’']autres?\b",
    re.IGNORECASE,
)
"""Pronouns and the like, which stand for something said before."""
INVERTED = re.compile(r"[\w’']+-(t-)?(ils?|elles?)\b", re.IGNORECASE)
"""« Coûte-t-elle cher ? » refers back; « La taxe coûte-t-elle cher ? » says itself to what."""
IMPERSONAL = re.compile(
    r"\b(it|il) (is|was|est|était|serait)? ?(true|possible|necessary|useful|better|vrai|possible|nécessaire|utile)\b"
    r"|\bis it (true|possible|necessary|useful|better)\b|\bdoes it (take|make sense|matter)\b"
    r"|\best-il (vrai|possible|nécessaire|utile)\b|\b(faut|existe-t|s[’']agit|y a-t)-il\b"
    r"|\bil (y a|faut|existe|s[’']agit)\b",
    re.IGNORECASE,
)
"""« Is it possible…? », « Y a-t-il…? »: pronouns that stand for nothing."""
DEFINITION = re.compile(
    r"(what|who)([’']s| is| are| was| were) (?!the\b)|(qu[’']est-ce qu|c[’']est quoi|que (signifie|veut dire))"
    r"|qui (est|était|sont|étaient) (?!l[ea]s?\b|l[’'])",
    re.IGNORECASE,
)
"""« What is GDPR? » is short, and whole."""


def title(question: str) -> str:
    """The question in one line, shortened at a word."""
    line = " ".join(question.split())
    if len(line) <= LONGEST_TITLE:
        return line
    whole = line[: LONGEST_TITLE - 1]
    return (whole.rsplit(" ", 1)[0] if " " in whole else whole).rstrip(" ,;:") + "…"


def follows_up(question: str) -> bool:
    """Whether the question seems to be understood only from what was asked before it."""
    text = question.strip()[:LONGEST]
    meaning = len(content_words(text))
    if meaning >= ENOUGH_WORDS:
        return False
    if CONTINUES.match(text) or _refers(text):
        return True
    return meaning < FEWEST_WORDS and not DEFINITION.match(text)


def query(question: str, earlier: Sequence[str]) -> str:
    """What to look for: the question, and where it follows up, the key terms of those before it, the latest first."""
    if not (earlier and follows_up(question)):
        return question
    known = set(content_words(question))
    terms = dict[str, str]()
    for before in _context(earlier):
        meaningful = set(content_words(before)) - known
        for word in WORD.findall(unicodedata.normalize("NFC", before)):
            if word.lower() in meaningful:
                terms.setdefault(word.lower(), word)
    return " ".join([question, *list(terms.values())[:MOST_TERMS]])


def _refers(text: str) -> bool:
    personal = IMPERSONAL.sub(" ", text)
    inverted = INVERTED.search(personal)
    return bool(REFERS.search(personal)) or bool(inverted and not content_words(personal[: inverted.start()]))


def _context(earlier: Sequence[str]) -> Iterator[str]:
    """The questions that a follow-up rests on: back to the latest one that stands alone."""
    for question in list(reversed(earlier))[:LOOK_BACK]:
        yield question
        if not follows_up(question):
            return
