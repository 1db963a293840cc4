"""Hybrid search over searches in memory."""

from collections.abc import Sequence

from chatbot.answering.retrieve import Retriever, fuse
from chatbot.domain import Chunk, Filters, Hit, Passage

VECTOR = [1.0]


class Searches:
    """A lexical index, a vector store, an embedder and the documents, in one: they return what they are given."""

    model = "e5"
    dimension = 1

    def __init__(self, lexical: list[Hit], dense: list[Hit], texts: dict[str, str]) -> None:
        self.hits, self.texts = {"lexical": lexical, "dense": dense}, texts
        self.calls: list[object] = []

    async def search(self, *arguments: object) -> list[Hit]:
        self.calls.append(arguments)
        return self.hits["dense" if arguments[0] == VECTOR else "lexical"]

    async def embed_query(self, text: str) -> list[float]:
        return VECTOR

    async def passages(self, hits: Sequence[Hit]) -> list[Passage]:
        chunks = [(Chunk(hit.chunk_id, "d", 0, self.texts[hit.chunk_id], "", 1, "en"), hit.score) for hit in hits]
        return [Passage(chunk, "T", "s", score) for chunk, score in chunks]


def retriever(searches: Searches, weight: float = 0.5) -> Retriever:
    return Retriever(searches, searches, searches, searches, weight)  # type: ignore[arg-type]


def test_fusion_rewards_what_both_searches_found() -> None:
    lexical, dense = [Hit("a", 9), Hit("b", 8), Hit("c", 1)], [Hit("d", 0.9), Hit("b", 0.89), Hit("e", 0.5)]
    fused = fuse(lexical, dense, 0.5)
    assert fused[0].chunk_id == "b"
    assert all(0 <= hit.score <= 1 for hit in fused)


def test_the_weight_decides_between_the_searches() -> None:
    lexical, dense = [Hit("a", 9), Hit("b", 1)], [Hit("b", 0.9), Hit("a", 0.1)]
    assert fuse(lexical, dense, 0.9)[0].chunk_id == "a"
    assert fuse(lexical, dense, 0.1)[0].chunk_id == "b"


def test_one_hit_or_none_can_be_fused() -> None:
    assert fuse([Hit("a", 3)], [], 0.5) == [Hit("a", 0.5)]
    assert fuse([], [], 0.5) == []


async def test_passages_come_best_first_with_their_similarity() -> None:
    searches = Searches(
        [Hit("a", 9), Hit("b", 1)], [Hit("c", 0.9), Hit("a", 0.8), Hit("b", 0.1)], dict(a="A", b="B", c="C")
    )
    found = await retriever(searches).search("some words", 2)
    assert [(passage.chunk.id, passage.similarity) for passage in found] == [("a", 0.8), ("c", 0.9)]


async def test_the_same_text_in_two_documents_is_one_passage() -> None:
    searches = Searches([], [Hit("a", 0.9), Hit("b", 0.8), Hit("c", 0.7)], dict(a="Same", b="Same", c="Other"))
    found = await retriever(searches).search("words", 2)
    assert [passage.chunk.id for passage in found] == ["a", "c"]


async def test_documents_in_the_other_language_are_searched_by_what_the_words_mean_there() -> None:
    searches = Searches([Hit("a", 3.0)], [], {"a": "Words"})
    filters: Filters = {"year": [2024]}
    await retriever(searches).search("students", 3, filters)
    lexical = [call for call in searches.calls if isinstance(call, tuple) and call[0] != VECTOR]
    assert [(call[-1], "etudi" in call[0]) for call in lexical] == [
        (filters, False),
        ({**filters, "language": ["fr"]}, True),
    ]
    searches.calls.clear()
    await retriever(searches).search("students", 3, {"language": ["en"]})
    assert [call[-1] for call in searches.calls if isinstance(call, tuple)] == [{"language": ["en"]}] * 2


async def test_filters_reach_both_searches_and_stop_words_reach_none() -> None:
    searches = Searches([], [], {})
    filters: Filters = {"year": [2024]}
    await retriever(searches).search("xylophones", 3, filters)
    assert [call[-1] for call in searches.calls if isinstance(call, tuple)] == [filters, filters]
    searches.calls.clear()
    await retriever(searches).search("the of and", 3)
    assert len(searches.calls) == 1


def test_the_embedding_model_is_known() -> None:
    assert retriever(Searches([], [], {})).embedding_model == "e5"
