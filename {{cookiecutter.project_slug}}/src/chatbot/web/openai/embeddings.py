"""The bot's embedding model for OpenAI's clients: /v1/embeddings.

client.embeddings.create(model="chatbot", input=["Households pay more."]).data[0].embedding
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, WithJsonSchema
from starlette.exceptions import HTTPException

from chatbot.web import problems
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import CallerParam, ServicesParam
from chatbot.web.streaming.disconnect import while_connected

MOST_TEXTS = 64
LONGEST_TEXT = 8000
CHARS_PER_TOKEN = 4

router = APIRouter(
    prefix="/v1", tags=["OpenAI"], dependencies=[allowed("ask")], responses=problems.responses(400, 413, 422, 503)
)


def _words(given: Any) -> Any:
    """A list of texts."""
    if isinstance(given, list) and any(isinstance(item, (int, list)) for item in given):
        raise ValueError("Token numbers cannot be read here: send the text itself.")
    return [given] if isinstance(given, str) else given


TEXT_SCHEMA = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
LIST_SCHEMA = {"type": "array", "items": TEXT_SCHEMA, "minItems": 1, "maxItems": MOST_TEXTS}
Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT)]
Texts = Annotated[
    list[Text],
    Field(min_length=1, max_length=MOST_TEXTS),
    BeforeValidator(_words),
    WithJsonSchema({"anyOf": [TEXT_SCHEMA, LIST_SCHEMA]}),
]


class EmbeddingRequest(BaseModel):
    """Texts to embed, as OpenAI's clients send them."""

    model: str = Field(default="chatbot", max_length=200, description="Any name: there is one embedding model.")
    input: Texts = Field(
        description="A text or a list of them, which are embedded as passages. Token numbers cannot be read.",
        examples=["Households pay more."],
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1, description="That of the model, if at all.")


class Embedding(BaseModel):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="Numbers; or base64 of 32-bit floats, the least byte first.")


class EmbeddingUsage(BaseModel):
    prompt_tokens: int = Field(description="An estimate from the number of characters.")
    total_tokens: int


class EmbeddingList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


@router.post("/embeddings", summary="Embed texts as OpenAI's clients do", response_model=EmbeddingList)
async def create_embeddings(
    body: EmbeddingRequest, request: Request, services: ServicesParam, caller: CallerParam
) -> EmbeddingList:
    """The vectors that this bot's own index is made of, so that others can be compared with them."""
    embedder = services.embedder
    vectors = await while_connected(request, embedder.embed_passages(body.input))
    if body.dimensions not in (None, len(vectors[0])):
        raise HTTPException(400, f"dimensions: the model has {len(vectors[0])}, and no other number.")
    tokens = -(-sum(map(len, body.input)) // CHARS_PER_TOKEN)
    data = [Embedding(index=n, embedding=_encoded(each, body.encoding_format)) for n, each in enumerate(vectors)]
    usage = EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens)
    return EmbeddingList(data=data, model=embedder.model, usage=usage)


def _encoded(vector: Sequence[float], format: str) -> list[float] | str:
    if format == "float":
        return list(vector)
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
