"""Who makes the embeddings: multilingual-e5-small out of a wheel, offline, or any OpenAI-compatible API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import hypot, isfinite
from typing import TYPE_CHECKING, Any

from chatbot.clients import built_in_embedder, openai_api
from chatbot.domain import InvalidConfiguration
from chatbot.ports import Embedder

if TYPE_CHECKING:
    from openai import AsyncOpenAI

REMOTE_BATCH = 64
TIMEOUT = 60.0
"""Seconds."""


def connect(url: str | None, model: str, api_key: str) -> Embedder:
    """Opens and loads nothing. InvalidConfiguration when a model that is not built in has no URL."""
    if url:
        return OpenAICompatible(url, model, api_key)
    if model != built_in_embedder.NAME:
        raise InvalidConfiguration(
            f"EMBEDDINGS_MODEL is {model}, which needs EMBEDDINGS_URL: only {built_in_embedder.NAME} is built in."
        )
    return built_in_embedder.BuiltIn()


class OpenAICompatible:
    """Asks an API. E5 models are known by their name: they want to be told whether a text is a question."""

    def __init__(self, url: str, model: str, api_key: str) -> None:
        self.model = model
        self._connection = (url, api_key, TIMEOUT)
        self._client: AsyncOpenAI | None = None
        self._query, self._passage = ("query: ", "passage: ") if "e5" in model.lower() else ("", "")
        self.dimension = 0

    async def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        vectors: list[list[float]] = []
        for start in range(0, len(texts), REMOTE_BATCH):
            vectors += await self._embed([self._passage + text for text in texts[start : start + REMOTE_BATCH]])
        return vectors

    async def embed_query(self, text: str) -> list[float]:
        return (await self._embed([self._query + text]))[0]

    async def close(self) -> None:
        if self._client:
            await self._client.close()

    async def _embed(self, texts: list[str]) -> list[list[float]]:
        if self._client is None:
            await asyncio.to_thread(openai_api.load)
        with openai_api.unavailable("the embedding model", "EMBEDDINGS"):
            self._client = self._client or openai_api.client(*self._connection)
            response = await self._client.embeddings.create(model=self.model, input=texts, encoding_format="float")
            vectors = _vectors(response.data, len(texts))
            if self.dimension not in (0, len(vectors[0])):
                raise ValueError("another model under the same name")
        self.dimension = len(vectors[0])
        return vectors


def _vectors(data: Any, number: int) -> list[list[float]]:
    """In the order of the texts. ValueError for what is not one vector for each, all of one length: such an answer is
    no fault of the text, nor of the document that it stands in."""
    try:
        vectors = [_unit(item.embedding) for item in sorted(data, key=lambda item: item.index)]
    except TypeError as error:
        raise ValueError("no vectors") from error
    if len(vectors) != number or len({len(vector) for vector in vectors}) != 1:
        raise ValueError("not a vector for each text")
    return vectors


def _unit(vector: Sequence[float]) -> list[float]:
    """Scaled to length 1: not every server does it."""
    length = hypot(*vector) or 1.0
    if not isfinite(length):
        raise ValueError("no numbers")
    return [value / length for value in vector]
