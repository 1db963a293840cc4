"""What a question wants measured, and whether a text has its unit: a price has a currency, an age has years.

measured("How much does the course cost?", "It has six lessons.")     False
measured("How many lessons are there?", "It has six lessons.")        None: any number will do
"""

from __future__ import annotations

import re

MONEY = (
    r"[€$£¥]|\b(?:euros?|eur|dollars?|usd|pounds?|gbp|yen|yuan|francs?|crowns?|kron(?:or|e|er)|rupees?|roupies?|dongs?"
    r"|free of charge|for free|gratuite?s?|gratuitement|cents?|centimes?)\b"
)
MEASURES = tuple(
    (re.compile(asked, re.IGNORECASE), re.compile(unit, re.IGNORECASE))
    for asked, unit in (
        (
            r"^(?!\W*(?:how (?:do|does|did|is|are)|why|who|comment|pourquoi|qui)\b).*"
            r"\b(?:salar(?:y|ies)|wages?|price|fee|budget|salaire|prix|tarif)s?\b"
            r"|\bhow much (?:do|does|did|would|will) .{1,80}\b(?:cost|earn|pay)\b|\bcombien (?:coût|gagne|paie)",
            MONEY,
        ),
        (
            r"\bhow old\b|\bquel âge\b",
            r"\b(?:aged?|born|years? old|[\d,.]+ (?:[mb]illion )?years|birth\w*|ans|âgée?s?|née?s?|naissance)\b",
        ),
        (r"\be-?mail\b|\bcourriel\b|\badresse (?:électronique|mail)\b", r"@"),
        (r"\b(?:tele)?phone numbers?\b|\bnuméros? de téléphone\b", r"\+?\d(?:[ .()-]?\d){7}"),
        (
            r"\bhow (?:tall|high|wide|deep|far)\b",
            r"\d ?(?:k?m|cm|mm|met(?:er|re)s?|miles?|feet|foot|ft|yards?|inch)",
        ),
    )
)


def measured(question: str, text: str) -> bool | None:
    """Whether the text has the unit that the question asks for; None where it asks for none."""
    wanted = [unit for asked, unit in MEASURES if asked.search(question)]
    return all(unit.search(text) for unit in wanted) if wanted else None
