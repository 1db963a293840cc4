"""What chat front ends ask of a model for themselves: a title, tags, questions to go on with. No document answers that.

reply("### Task:\\nGenerate a concise title … <chat_history>USER: What is a carbon tax? …", [])
    '{"title": "What is a carbon tax?"}'

Known are the prompts of open-webui, LibreChat and LobeChat and what is worded like them. A title is the conversation's
first question; of what this bot does not do there is none, in the form that was asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from chatbot.answering import history
from chatbot.domain import Turn

HEAD = 1500
"""Characters in which such a prompt says what it wants."""
TASK = re.compile(r"\s*#{1,3} ?task:", re.IGNORECASE)
CONVERSATION = r"(conversation|chat|dialogue?|discussion|exchange|messages?|history)"
TITLE = re.compile(
    r"\b(generate|create|provide|write|make|give|come up with|summari[sz]e)\b.{0,120}\b(title|phrase|header|topic)\b"
    rf".{{0,200}}\b(?:{CONVERSATION}|following query)\b|\b{CONVERSATION}\b.{{0,120}}\b(title|phrase of \d)",
    re.IGNORECASE | re.DOTALL,
)
TASKS: dict[str, tuple[re.Pattern[str], Any]] = {
    "queries": (re.compile(r"\bsearch quer(y|ies)\b", re.IGNORECASE), []),
    "follow_ups": (re.compile(r"\bfollow[- ]?ups?\b", re.IGNORECASE), []),
    "tags": (re.compile(r"\btags\b", re.IGNORECASE), []),
    "text": (re.compile(r"\bauto-?complet", re.IGNORECASE), ""),
    "emoji": (re.compile(r"\bemoji (that|which|representing|to)\b", re.IGNORECASE), ""),
    "prompt": (re.compile(r"\bimage\b.{0,80}\bprompt\b|\bprompt\b.{0,80}\bimage\b", re.IGNORECASE), ""),
}
"""By the key of the reply as JSON: how it is asked for, and the reply."""
SAID = re.compile(r"^[ \t]*(?:user|human|question)[ \t]*:[ \t]*(\S.*)", re.IGNORECASE | re.MULTILINE)
UNTITLED = "Chat"


def reply(prompt: str, turns: Sequence[Turn]) -> str | None:
    """The reply to a front end's own prompt, made from the conversation in it or before it; None for a question."""
    head = prompt[:HEAD]
    if TASK.match(head):
        key, value = next(
            ((key, value) for key, (asked, value) in TASKS.items() if asked.search(head)), ("title", None)
        )
    elif len(prompt) < HEAD and not SAID.search(prompt) and not turns:
        return None
    elif TITLE.search(head[:400]):
        key, value = "title", None
    else:
        return None
    if value is None:
        value = _title(prompt, turns)
    as_json = "json" in prompt.lower() or TASK.match(head)
    return json.dumps({key: value}, ensure_ascii=False) if as_json else str(value or "")


def _title(prompt: str, turns: Sequence[Turn]) -> str:
    said = SAID.search(prompt)
    first = said[1] if said else turns[0].question if turns else ""
    return history.title(first) or UNTITLED
