"""The embedder that comes in a wheel, with its real model: unit vectors that know French and English."""

from __future__ import annotations

import asyncio
import time
from math import hypot

import pytest

from chatbot.clients import embedder

pytestmark = pytest.mark.slow


def dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_the_built_in_model_makes_unit_vectors_that_know_french_and_english() -> None:
    built_in = embedder.connect(None, "multilingual-e5-small", "")
    passages = await built_in.embed_passages(
        ["The cat sleeps.", "La taxe carbone augmente.", "Bread.", "Sea.", "Wood."]
    )
    query = await built_in.embed_query("carbon tax increase")
    assert len(passages) == 5
    assert len(query) == built_in.dimension == 384
    assert hypot(*query) == pytest.approx(1, abs=1e-3)
    assert max(range(5), key=lambda number: dot(passages[number], query)) == 1


async def test_the_loop_turns_while_embedding() -> None:
    built_in = embedder.connect(None, "multilingual-e5-small", "")
    work = asyncio.create_task(built_in.embed_passages(["The price of carbon. " * 20] * 4))
    pauses = []
    while not work.done():
        start = time.perf_counter()
        await asyncio.sleep(0.005)
        pauses.append(time.perf_counter() - start)
    assert len(pauses) > 3
    assert await work == (await work)
