"""Words of one language in a text of the other: a small glossary, and words that look alike in both.

translations("étudiants", "fr")            {"student", "pupil", …}: stems, English ones here
alike("parsimoni", "parcimon")             True
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from chatbot.domain import Language
from chatbot.text.analysis import content_words, detect_language, terms

SHORTEST_ALIKE = 5
"""Letters: shorter words look alike by chance."""
LONGEST_ALIKE = 40
LONGEST_ENDING = 4
"""Letters that one language's ending of a word may have more: bioinformat(ique)."""
OTHER: dict[Language, Language] = {"en": "fr", "fr": "en"}


def translations(word: str, language: Language) -> frozenset[str]:
    """The stems that the word's meaning has in the other language; none where the glossary does not know it."""
    found: set[str] = set()
    for stem in terms(word, language):
        found |= _glossary()[language].get(stem, frozenset())
    return frozenset(found)


def translated_terms(question: str) -> list[str]:
    """What a question looks for in documents of the other language, as far as the glossary knows its words."""
    spoken = detect_language(question)
    found = (stem for word in content_words(question) for stem in sorted(translations(word, spoken)))
    return list(dict.fromkeys(found))


def alike(one: str, other: str, slips: int | None = None) -> bool:
    """Whether two stems without accents may be the same word, in two languages or with `slips` of the pen.

    Bounded: words of more than LONGEST_ALIKE letters are not compared.
    """
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) < SHORTEST_ALIKE or len(longer) > LONGEST_ALIKE or one[0] != other[0]:
        return False
    if slips is None and longer.startswith(shorter) and len(longer) - len(shorter) <= LONGEST_ENDING:
        return True
    allowed = slips if slips is not None else min(len(one), len(other)) // 4
    return abs(len(one) - len(other)) <= allowed and _distance(one, other, allowed) <= allowed


def _distance(one: str, other: str, most: int) -> int:
    """Letters to add, take away or replace, or neighbours to swap; anything above `most` once it is more."""
    earlier: list[int] = []
    before = [*range(len(other) + 1)]
    for i, a in enumerate(one, start=1):
        row = [i]
        for j, b in enumerate(other, start=1):
            cost = min(row[-1] + 1, before[j] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        earlier, before = before, row
    return before[-1]


@cache
def _glossary() -> dict[Language, dict[str, frozenset[str]]]:
    """By language and stem, the stems of the other language."""
    known: dict[Language, dict[str, frozenset[str]]] = {"en": {}, "fr": {}}
    for line in files("chatbot.text").joinpath("glossary.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        french, english = line.split("=")
        sides: dict[Language, frozenset[str]] = {
            "fr": frozenset(terms(french, "fr")),
            "en": frozenset(terms(english, "en")),
        }
        for language, stems in sides.items():
            for stem in stems:
                known[language][stem] = known[language].get(stem, frozenset()) | sides[OTHER[language]]
    return known
