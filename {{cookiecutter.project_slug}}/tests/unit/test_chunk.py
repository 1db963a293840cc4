"""Chunks: sizes, overlaps, headings, pages, and ids that survive a change elsewhere."""

from itertools import pairwise

from chatbot.domain import ParsedDocument, Section
from chatbot.ingestion.chunk import chunk, indexed_text

SENTENCES = [f"Sentence number {number} says something of its own." for number in range(100)]


def parsed(*sections: Section, title: str = "Title") -> ParsedDocument:
    return ParsedDocument(title, sections, "en")


def test_chunks_are_whole_sentences_of_balanced_size() -> None:
    chunks = chunk("d", parsed(Section(" ".join(SENTENCES))), size=1000, overlap=150)
    assert [each.position for each in chunks] == list(range(len(chunks)))
    assert max(len(each.text) for each in chunks) <= 1100
    assert max(len(each.text) for each in chunks) - min(len(each.text) for each in chunks) < 300
    assert all(each.text.startswith("Sentence") and each.text.endswith("own.") for each in chunks)


def test_nothing_is_lost_and_the_overlap_is_whole_sentences() -> None:
    chunks = chunk("d", parsed(Section(" ".join(SENTENCES))), size=500, overlap=120)
    assert all(any(sentence in each.text for each in chunks) for sentence in SENTENCES)
    for before, after in pairwise(chunks):
        shared = [sentence for sentence in SENTENCES if sentence in before.text and sentence in after.text]
        assert 0 < len(" ".join(shared)) <= 120


def test_without_overlap_no_sentence_is_repeated() -> None:
    chunks = chunk("d", parsed(Section(" ".join(SENTENCES))), size=500, overlap=0)
    assert " ".join(each.text for each in chunks) == " ".join(SENTENCES)


def test_a_chunk_never_crosses_a_heading() -> None:
    chunks = chunk("d", parsed(Section("One.", "A"), Section("Two.", "A > B"), Section("Three.", "C")), 1000, 100)
    assert [(each.heading, each.text) for each in chunks] == [("A", "One."), ("A > B", "Two."), ("C", "Three.")]


def test_a_sentence_that_goes_on_overleaf_is_kept_whole_and_cited_on_its_first_page() -> None:
    chunks = chunk("d", parsed(Section("It begins here and", page=1), Section("ends there.", page=2)), 1000, 100)
    assert [(each.text, each.page) for each in chunks] == [("It begins here and ends there.", 1)]


def test_pages_are_those_on_which_chunks_start() -> None:
    pages = [Section(" ".join(SENTENCES[start : start + 20]), page=start // 20 + 1) for start in range(0, 100, 20)]
    chunks = chunk("d", parsed(*pages), 500, 0)
    assert [each.page for each in chunks] == sorted(each.page or 0 for each in chunks)
    assert {each.page for each in chunks} == {1, 2, 3, 4, 5}


def test_text_without_sentences_is_cut_at_blanks_or_else_anywhere() -> None:
    assert max(len(each.text) for each in chunk("d", parsed(Section("word " * 2000)), 1000, 100)) <= 1100
    cut = chunk("d", parsed(Section("x" * 5000)), 1000, 0)
    assert "".join(each.text for each in cut) == "x" * 5000


def test_an_overlap_larger_than_the_chunk_still_ends() -> None:
    assert len(chunk("d", parsed(Section(" ".join(SENTENCES))), size=200, overlap=2000)) < 200


def test_ids_are_the_same_again_and_distinct() -> None:
    document = parsed(Section("Same."), Section("Other.", "H"), Section("Same."))
    ids = [each.id for each in chunk("d", document, 1000, 100)]
    assert ids == [each.id for each in chunk("d", document, 1000, 100)]
    assert len(set(ids)) == 3
    assert not set(ids) & {each.id for each in chunk("e", document, 1000, 100)}


def test_a_change_leaves_the_ids_of_other_sections_alone() -> None:
    before = chunk("d", parsed(Section("One.", "A"), Section("Two.", "B")), 1000, 100)
    after = chunk("d", parsed(Section("Zero.", "Z"), Section("One.", "A"), Section("Two!", "B")), 1000, 100)
    assert before[0].id == after[1].id
    assert before[1].id != after[2].id


def test_another_title_is_another_id_since_it_is_indexed() -> None:
    before = chunk("d", parsed(Section("One."), title="Old"), 1000, 100)
    assert before[0].id != chunk("d", parsed(Section("One."), title="New"), 1000, 100)[0].id


def test_a_chunk_has_its_own_language() -> None:
    chunks = chunk("d", parsed(Section("The price of it.", "A"), Section("Le prix de la taxe.", "B")), 1000, 100)
    assert [each.language for each in chunks] == ["en", "fr"]


def test_what_is_indexed_has_the_headings() -> None:
    [only] = chunk("d", parsed(Section("Text.", "Heading")), 1000, 100)
    assert indexed_text("Title", only) == "Title\nHeading\nText."
