"""Citations: only those that point to a passage, renumbered, with words that are really there."""

import pytest

from chatbot.answering.cite import Checker, check
from chatbot.domain import Chunk, Passage

TEXTS = ("The tax fell in 2019. Prices rose by 3 %.", "Households pay more.", "Firms pay less.")
PASSAGES = [
    Passage(Chunk(f"c{i}", f"d{i}", 0, text, "H", i, "en"), f"T{i}", f"s{i}", 1.0) for i, text in enumerate(TEXTS)
]


def test_markers_are_renumbered_in_order_of_appearance() -> None:
    text, citations = check("Firms pay less [3]. The tax fell [1], and firms gain [3].", PASSAGES)
    assert text == "Firms pay less [1]. The tax fell [2], and firms gain [1]."
    assert [(c.number, c.chunk_id) for c in citations] == [(1, "c2"), (2, "c0")]
    assert (citations[1].title, citations[1].source, citations[1].page, citations[1].heading) == ("T0", "s0", 0, "H")


def test_markers_that_point_nowhere_are_removed() -> None:
    assert check("So it is [7]. And [0] so [1].", PASSAGES)[0] == "So it is. And so [1]."


@pytest.mark.parametrize(
    ("written", "shown"), [("[1, 3]", "[1][2]"), ("[1][3]", "[1][2]"), ("【1】", "[1]"), ("[1,9]", "[1]")]
)
def test_other_ways_to_cite(written: str, shown: str) -> None:
    assert check(f"Yes {written}.", PASSAGES)[0] == f"Yes {shown}."


def test_the_quote_is_what_was_quoted_or_the_sentence_most_alike() -> None:
    assert check("“Prices rose by 3 %.” [1]", PASSAGES)[1][0].quote == "Prices rose by 3 %."
    nested = "The “12 steps”\nare good. Prices"
    passage = Passage(Chunk("c", "d", 0, nested, "H", 1, "en"), "T", "s", 1.0)
    assert check("“The “12 steps” are good.” [1]", [passage])[1][0].quote == "The “12 steps” are good."
    assert check("In 2019 the taxes were falling [1].", PASSAGES)[1][0].quote == "The tax fell in 2019."
    assert check("« something else » [2]", PASSAGES)[1][0].quote == "Households pay more."


def test_a_text_without_citations_is_returned_whole() -> None:
    assert check("I do not know.", PASSAGES) == ("I do not know.", [])


def test_brackets_that_are_no_citations_stay() -> None:
    assert check("List[int] and [sic] [1] and [\u206012]", PASSAGES)[0] == "List[int] and [sic] [1] and [\u206012]"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pieces_make_the_same_text_as_the_whole(size: int) -> None:
    text = "Firms pay less [3] or not [8]. The tax fell [1, 2]; x[0] is [3]. End"
    checker = Checker(PASSAGES)
    shown = "".join(checker.feed(text[start : start + size]) for start in range(0, len(text), size)) + checker.finish()
    assert (shown, checker.citations) == check(text, PASSAGES)


def test_nothing_is_shown_before_the_first_citation() -> None:
    checker = Checker(PASSAGES)
    assert [checker.feed(piece) for piece in ("A claim ", "[9] without ", "proof ", "[2]", " more")] == [
        "",
        "",
        "",
        "A claim without proof [1]",
        " more",
    ]
