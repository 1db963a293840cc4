"""The mark that tells machines that a machine wrote an answer, as Art. 50(2) of the EU's AI Act (2024/1689) asks.

It is on every surface: the header AI-Disclosure (draft-abaris-aicdh) on the response, so that the first word of a
stream comes after it, and `ai_generated` in each body that holds an answer. People are told by the chat page, in the
words of AI_NOTICE_EN and AI_NOTICE_FR. Passages of documents are not marked: people wrote them.
"""

from __future__ import annotations

from typing import Literal

from fastapi import Request
from pydantic import BaseModel, Field

from chatbot.web.middleware.headers import add_header

HEADER = "AI-Disclosure"
MODE = "mode=machine-generated"


class Marked(BaseModel):
    """A body that holds an answer, or the beginning of one."""

    ai_generated: Literal[True] = Field(default=True, description="An AI system answers; no person has read it before.")


def mark(request: Request) -> None:
    """Let the response say so, whatever it will be: call it once there is an answer to give."""
    add_header(request.scope, HEADER, MODE)
