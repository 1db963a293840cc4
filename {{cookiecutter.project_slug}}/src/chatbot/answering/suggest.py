"""Questions that documents answer, made from their titles, headings and authors: without a model, and never made up.

questions(await documents.latest(DOCUMENTS, HEADINGS), "en")
# ["How do I add my own documents?", "Who wrote “Carbon pricing”?", "What does “Roofs” say about slate?"]
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from chatbot.domain import Language, Outline

DOCUMENTS = 40
"""The latest documents that are looked at."""
HEADINGS = 30
"""Of each."""
MOST = 4
LONGEST_TITLE = 110
"""Characters: a longer title makes no question that one likes to read."""
QUESTION = re.compile(r"[^?]{12,88}\?")
TOPIC = re.compile(r"[^\W\d][^.?!:;|=<>{}\[\]]{2,40} [^.?!:;|=<>{}\[\]]{2,40}")
EVERYWHERE = re.compile(
    r"(?i)abstract|acknowledg|annex|appendi|author|bibliograph|conclu|content|discussion|funding|introduc|overview|"
    r"preface|reference|result|summary|method|résumé|remerciement|auteur|référence|sommaire|méthode|résultat|statement"
)
"""Headings that say nothing of what a document is about."""
FORMS: dict[Language, dict[str, str]] = {
    "en": {"authors": "Who wrote “{title}”?", "topic": "What does “{title}” say about {topic}?"},
    "fr": {"authors": "Qui a écrit « {title} » ?", "topic": "Que dit « {title} » sur {topic} ?"},
}


def questions(outlines: Sequence[Outline], language: Language) -> list[str]:
    """Up to MOST, of different kinds and each about another document, as far as there are enough."""
    own = [outline for outline in outlines if outline.language == language]
    titled = [outline for outline in outlines if 3 <= len(outline.title) <= LONGEST_TITLE]
    titled.sort(key=lambda outline: outline.language != language)
    kinds = (
        [next(_asked(each), "") for each in own],
        [_about(each, language, next(_topics(each), "")) for each in titled],
        [_by(each, language) for each in titled[::-1]],
        [each for outline in own for each in itertools.islice(_asked(outline), 1, None)],
    )
    rows = itertools.zip_longest(*([question for question in kind if question] for kind in kinds))
    return list(dict.fromkeys(question for row in rows for question in row if question))[:MOST]


def _about(outline: Outline, language: Language, topic: str) -> str:
    return FORMS[language]["topic"].format(title=outline.title, topic=topic) if topic else ""


def _by(outline: Outline, language: Language) -> str:
    return FORMS[language]["authors"].format(title=outline.title) if outline.metadata.get("authors") else ""


def _asked(outline: Outline) -> Iterator[str]:
    """Headings that are questions: a manual's, or a list of frequent ones."""
    for heading in outline.headings:
        last = heading.rpartition(" > ")[2].strip()
        if QUESTION.fullmatch(last):
            yield last


def _topics(outline: Outline) -> Iterator[str]:
    for heading in outline.headings:
        last = " ".join(re.sub(r"^[\d.\s]+", "", heading.rpartition(" > ")[2]).split())
        if TOPIC.fullmatch(last) and not EVERYWHERE.search(last) and last.lower() not in outline.title.lower():
            yield last if last.isupper() or last[1:2].isupper() else last[0].lower() + last[1:]
