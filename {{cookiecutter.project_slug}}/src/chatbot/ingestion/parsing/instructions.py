"""Text that reads like an order to a language model: it is read like any other, and whoever added it is told."""

from __future__ import annotations

import re
from collections.abc import Iterable

from chatbot.domain import Section

ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\b(?:instructions?|rules?|prompts?|guidelines?)\b"
    r"|\b(?:ignore[zrs]?|oublie[zrs]?)\b[^.\n]{0,40}\b(?:instructions?|consignes?|règles?)\b"
    r"|\b(?:system|developer) (?:prompt|message|note to)\b|\bmessage système\b|\bnote système\b"
    r"|\byou are now\b[^.\n]{0,30}\b(?:mode|assistant|ai|model|bot)\b"
    r"|\bas an ai\b[^.\n]{0,30}\byou (?:must|should|will)\b"
    r"|<\|(?:im_start|im_end|eot_id|system)[^>]*\|>|\[/?INST\]|<</?SYS>>",
    re.IGNORECASE,
)
MOST_NAMED = 5


def note(sections: Iterable[Section]) -> str:
    """E.g. "page 3 reads like an instruction to a language model"; "" when nothing does."""
    places = [
        f"page {section.page}" if section.page else section.heading
        for section in sections
        if ORDER.search(section.text)
    ]
    if not places:
        return ""
    named = ", ".join(dict.fromkeys(place for place in places[:MOST_NAMED] if place)) or "a passage"
    return f"{named} reads like an instruction to a language model"
