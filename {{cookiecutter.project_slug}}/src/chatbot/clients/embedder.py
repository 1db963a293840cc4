"""Who makes the embeddings: multilingual-e5-small out of a wheel, offline, or any OpenAI-compatible API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import hypot
from typing import TYPE_CHECKING

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
        vectors = [_unit(item.embedding) for item in sorted(response.data, key=lambda item: item.index)]
        self.dimension = len(vectors[0])
        return vectors


def _unit(vector: Sequence[float]) -> list[float]:
    """Scaled to length 1: not every server does it."""
    length = hypot(*vector) or 1.0
    return [value / length for value in vector]
