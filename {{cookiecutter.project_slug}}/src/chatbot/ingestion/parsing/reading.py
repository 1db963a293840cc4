"""Weighs what was kept of a file against what it holds, so that nothing is left out in silence.

    weigh("Rent: 18,400 euros. Page 1", ["Rent: 18,400 euros."], {"repeated lines": ["Page 1"]}, [])
    Reading(seen=6, left_out={"repeated lines": 2})

The first argument is made without the parser's rules (all text nodes of the XML, all text of the page), so that a rule
which loses text is found out: words that no reason explains are "unexplained".
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from chatbot.domain import UNEXPLAINED, Reading

WORD = re.compile(r"[^\W_]+")
BROKEN = re.compile("(?<=[^\\W\\d_])(?:[-\u2010\u00ad\ufffe\x02]\\s*\n\\s*|[\u00ad\ufffe\x02])(?=[a-z\u00df-\u00ff])")
"""A word that goes on in the next line."""
UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
"""Characters without width; they end no word."""
MARKS = re.compile("[\u0300-\u036f\u0610-\u061a\u064b-\u065f]")
"""What NFKD takes off letters."""
RAISED = re.compile("(?=[⁰¹²³⁴-⁹])(?<![⁰¹²³⁴-⁹])")
"""Before a superscript: the mark of a note is no part of the word before it."""


def weigh(
    everything: str,
    kept: Iterable[str],
    left_out: Mapping[str, Sequence[str]],
    notes: Sequence[str],
) -> Reading:
    """Words are compared as they are found: without case, accents or line breaks, with how often they occur."""
    seen = words(everything)
    found = words("\n".join(kept))
    missing = seen - found
    reasons = {}
    for reason, texts in left_out.items():
        explained = missing & words("\n".join(texts))
        missing -= explained
        if explained:
            reasons[reason] = explained.total()
    if missing:
        reasons[UNEXPLAINED] = missing.total()
    return Reading(seen.total(), reasons, tuple(notes))


def words(text: str) -> Counter[str]:
    """The words of a text, as they are compared, with how often each occurs."""
    text = BROKEN.sub("", UNSEEN.sub("", text))
    if not text.isascii():
        text = MARKS.sub("", unicodedata.normalize("NFKD", RAISED.sub(" ", text)))
    return Counter(WORD.findall(text.lower()))
