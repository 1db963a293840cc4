"""What a question says besides what it asks: greetings, thanks, « could you tell me », « je voudrais savoir ».

plain("Hello, could you please tell me who pays the tax? Thanks!")      "who pays the tax?"
"""

from __future__ import annotations

import re

GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|dear \w+|good (?:morning|afternoon|evening)|bonjour|bonsoir|salut|coucou|merci d['’]avance)"
    r"(?: (?:there|everyone|all|à tous|à toutes))?\b\s*[,.!:;–—-]*\s*",
    re.IGNORECASE,
)
ASKING = re.compile(
    r"(?:^|[,;.:!]\s*|\band\s+|\bet\s+|\bso\s+|\balors\s+)"
    r"(?:please,?\s+)?(?:(?:can|could|would|will)\s+you\s+(?:please\s+|kindly\s+)?"
    r"(?:tell|explain(?:\s+to)?|show|give|help)(?:\s+me)?"
    r"|(?:please\s+)?tell\s+me|do\s+you\s+(?:happen\s+to\s+)?know|i\s*(?:am|['’]m|was)\s+(?:wondering|asking\s+myself)"
    r"|i\s*(?:would|['’]d)\s+(?:like|love)\s+to\s+know|i\s+(?:want|need)\s+to\s+know"
    r"|(?:pou(?:rriez|vez)|pourrais|peux)[ -](?:vous|tu)\s+(?:s['’]il\s+(?:vous|te)\s+plaît,?\s+)?"
    r"(?:me\s+|m['’]\s*)(?:dire|expliquer|indiquer|donner)"
    r"|(?:dites|dis|expliquez|explique)[ -]moi|savez[ -]vous|sais[ -]tu"
    r"|je\s+(?:voudrais|souhaiterais|souhaite|veux|aimerais)\s+(?:bien\s+)?(?:savoir|connaître)|je\s+me\s+demand(?:e|ais))\s+",
    re.IGNORECASE,
)
"""What stands before it says why somebody asks; what follows, what they ask."""
CLOSING = re.compile(
    r"[\s,;.!?–—-]*(?:(?:could|can|would)\s+you\s+(?:please\s+)?(?:tell|help)\s+me|please"
    r"|thank(?:s|\s+you)(?:\s+(?:a\s+lot|in\s+advance|so\s+much|very\s+much))?"
    r"|s['’]il\s+(?:vous|te)\s+pla[iî]t|svp|stp|merci(?:\s+(?:d['’]avance|beaucoup))?)"
    r"[\s.!]*(?P<mark>\?)?[\s.!]*$",
    re.IGNORECASE,
)
LONGEST = 1000
"""Characters of a question that are looked at."""
SHORTEST = 3
"""Words that have to be left: otherwise the question is nothing but courtesy, and stays as it is."""


def plain(question: str) -> str:
    """What is asked, without what surrounds it."""
    if len(question) > LONGEST:
        return question
    mark = "?" if "?" in question else ""
    text = GREETING.sub("", question.strip(), count=1)
    while (shorter := CLOSING.sub("", text)) != text:
        text = shorter
    for asking in reversed([*ASKING.finditer(text)]):
        if len(text[asking.end() :].split()) >= SHORTEST:
            text = text[asking.end() :]
            break
    if text == question.strip() or len(text.split()) < SHORTEST:
        return question
    return text.rstrip(" ,;.?!") + mark
