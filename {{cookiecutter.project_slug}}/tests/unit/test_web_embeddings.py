"""/v1/embeddings: the official OpenAI client gets the vectors of the bot's own model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import openai
import pytest

from chatbot.bootstrap import Services
from tests.unit.fakes import fake_services
from tests.unit.memory import CountingEmbedder
from tests.unit.test_web_openai import official

pytestmark = pytest.mark.slow


class ByLength(CountingEmbedder):
    async def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        return [[1 / len(text), 0.5] for text in texts]


@pytest.fixture
def services() -> Services:
    return replace(fake_services(), embedder=ByLength())


async def test_texts_become_vectors_in_order(services: Services) -> None:
    async with official(services) as client:
        made = await client.embeddings.create(model="any", input=["Households pay.", "Firms pay."])
        one = await client.embeddings.create(model="any", input="Firms pay.", encoding_format="float")
    expected = await services.embedder.embed_passages(["Households pay.", "Firms pay."])
    assert [each.index for each in made.data] == [0, 1]
    for given, vector in zip(made.data, expected, strict=True):
        assert given.embedding == pytest.approx(vector, abs=1e-6)
    assert one.data[0].embedding == pytest.approx(expected[1], abs=1e-6)
    assert (made.model, made.usage.total_tokens > 0) == (services.embedder.model, True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"input": []}, "at least 1 item"),
        ({"input": ""}, "at least 1 character"),
        ({"input": [1, 2, 3]}, "Token numbers cannot be read here"),
        ({"input": ["x"] * 65}, "64"),
        ({"input": "x" * 9000}, "8000"),
        ({"input": "x", "dimensions": 7}, "dimensions"),
    ],
)
async def test_what_is_not_offered_says_so_in_words(services: Services, change: dict[str, Any], says: str) -> None:
    async with official(services) as client:
        with pytest.raises(openai.BadRequestError, match=says):
            await client.post("/embeddings", body={"model": "any", **change}, cast_to=object)
