"""The embedder that needs no network: multilingual-e5-small on the processor, in threads of its own.

A text is embedded whole by one thread, and questions have other threads than passages, so that a question never waits
for a batch of passages, nor for the threads in which the rest of the process blocks. The model is loaded when first
used.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from chatbot.clients.e5 import c_memory

if TYPE_CHECKING:
    from chatbot.clients.e5.model import Model

NAME = "multilingual-e5-small-int8-2"
"""Names the vectors, not only the weights: an index made with others, as by the wheel's own engine, is built anew."""
DIMENSION = 384
QUESTION_WINDOWS = 1
"""How much of a question is read, in the most that the model reads at once: some 350 words. 4,000 odd characters may be
16,000 tokens, and would keep a thread from everybody else's questions for seconds."""


class BuiltIn:
    """One thread a core for questions, and as many for passages."""

    model = NAME
    dimension = DIMENSION

    def __init__(self) -> None:
        self._questions = ThreadPoolExecutor(_cores(), "embed-question")
        self._passages = ThreadPoolExecutor(_cores(), "embed-passage")
        self._loading = threading.Lock()
        self._loaded: Model | None = None

    async def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        vectors = await asyncio.gather(*(self._embedded(self._passages, f"passage: {text}", None) for text in texts))
        await asyncio.get_running_loop().run_in_executor(self._passages, c_memory.give_back)
        return vectors

    async def embed_query(self, text: str) -> list[float]:
        return await self._embedded(self._questions, f"query: {text}", QUESTION_WINDOWS)

    async def close(self) -> None:
        """Texts that no thread has begun are given up."""
        for threads in (self._questions, self._passages):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _embedded(self, threads: ThreadPoolExecutor, text: str, windows: int | None) -> list[float]:
        return await asyncio.get_running_loop().run_in_executor(threads, self._embed, text, windows)

    def _embed(self, text: str, windows: int | None) -> list[float]:
        with self._loading:
            self._loaded = self._loaded or _load()
        return self._loaded.embed(text, windows)


def _load() -> Model:
    from chatbot.clients.e5.weights import path

    file = path()  # says what to do where there are no wheels, before the libraries are missed
    from chatbot.clients.e5.model import Model

    return Model.load(file)


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
