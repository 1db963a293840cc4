"""The public API's bodies. What is accepted is closed: an unknown field is an error, not silently ignored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, computed_field

from chatbot.domain import (
    Answer,
    Caller,
    Chunk,
    Conversation,
    Document,
    DocumentState,
    JobKind,
    JobState,
    Language,
    Message,
    Passage,
    PersonalRecord,
    Rating,
)
from chatbot.ingestion.parsing.parse import PDF
