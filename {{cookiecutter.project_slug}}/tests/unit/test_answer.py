"""The answerer: events in order, citations checked, and honesty when there is no evidence."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from chatbot.answering.answer import (
    NOTHING_FOUND,
    Answerer,
    Cited,
    Done,
    Event,
    Sources,
    Spent,
    Token,
    nothing_found,
)
from chatbot.answering.evidence import coverage, supported
from chatbot.answering.extractive import Extractive
from chatbot.domain import Chunk, Passage, Question, Unavailable, Usage

GOOD = Passage(
    Chunk("c1", "d1", 0, "Sweden introduced a carbon tax in 1991.", "History", 3, "en"), "Taxes", "t.pdf", 1.0, 0.9
)
FAR = Passage(Chunk("c2", "d2", 0, "Bread is baked at dawn.", "", None, "en"), "Bread", "b.md", 0.5, 0.77)
QUESTION = Question("When did Sweden introduce a carbon tax?", "en")


class FakeRetriever:
    embedding_model = "multilingual-e5-small"

    def __init__(self, *passages: Passage) -> None:
        self.passages = list(passages)

    async def search(self, text: str, limit: int, filters: object) -> list[Passage]:
        return self.passages[:limit]


class FakeModel:
    model = "fake"

    def __init__(self, *pieces: str | Usage | Exception) -> None:
        self.pieces, self.asked = pieces, 0

    async def stream(self, question: Question, passages: Sequence[Passage]) -> AsyncIterator[str | Usage]:
        self.asked += 1
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def close(self) -> None: ...


def answerer(retriever: FakeRetriever, model: FakeModel) -> Answerer:
    return Answerer(retriever, model, passages=5)  # type: ignore[arg-type]


async def events(model: FakeModel, *passages: Passage, question: Question = QUESTION) -> list[Event]:
    return [event async for event in answerer(FakeRetriever(*passages), model).stream(question)]


async def test_the_events_of_an_answer_come_in_order_and_add_up() -> None:
    seen = await events(FakeModel("In 1991 ", "[1", "][4].", " Yes.", Usage(7, 3)), GOOD, FAR)
    assert isinstance(seen[0], Sources)
    assert [type(event) for event in seen[-2:]] == [Spent, Done]
    assert isinstance(seen[-1], Done)
    answer = seen[-1].answer
    assert "".join(event.text for event in seen if isinstance(event, Token)) == answer.text == "In 1991 [1]. Yes."
    assert [event.citation for event in seen if isinstance(event, Cited)] == answer.citations
    assert (answer.grounded, answer.model, answer.usage, answer.language) == (True, "fake", Usage(7, 3), "en")


async def test_answer_is_what_the_stream_ends_with() -> None:
    answer = await answerer(FakeRetriever(GOOD), FakeModel("1991 [1]")).answer(QUESTION)
    assert answer.text == "1991 [1]"
    assert answer.citations[0].quote == GOOD.chunk.text


@pytest.mark.parametrize("pieces", [(), ("I do not know.",), ("The passages do ", "not mention it. [1]")])
async def test_a_text_that_cites_nothing_is_not_shown(pieces: tuple[str, ...]) -> None:
    seen = await events(FakeModel(*pieces), GOOD)
    assert isinstance(seen[-1], Done)
    assert not seen[-1].answer.grounded
    assert [event.text for event in seen if isinstance(event, Token)] == [
        "I found no answer to this question in the documents. The nearest are: Taxes."
    ]


async def test_off_topic_questions_do_not_reach_the_model() -> None:
    model = FakeModel("Brazil [1]")
    question = Question("Qui a gagné la Coupe du monde de 1998 ?", "fr")
    seen = await events(model, FAR, question=question)
    assert model.asked == 0
    assert isinstance(seen[-1], Done)
    assert seen[-1].answer.text.startswith("Je n’ai pas trouvé")
    assert "Bread" in seen[-1].answer.text


async def test_quotes_are_word_for_word() -> None:
    words = "Get it from https://conda.io with `pip`, or write <dbl> for a number of this type."
    for text in (words, words.replace("`", "")):
        manual = Passage(Chunk("c", "d", 1, text, "", 1, "en"), "Types", "t.pdf", 1.0, 0.9, closeness=2)
        answerer_ = Answerer(FakeRetriever(manual), Extractive(), passages=5)  # type: ignore[arg-type]
        answer = await answerer_.answer(Question("Where do I get it from, conda.io or pip?", "en"))
        assert answer.citations[0].quote == text
    assert "`https://conda.io`" in answer.text
    assert "`<dbl>`" in answer.text


def test_documents_as_far_as_unrelated_texts_are_not_named() -> None:
    assert nothing_found("en", [replace(GOOD, closeness=0.5), replace(FAR, closeness=-0.4)]).endswith(" Taxes.")
    assert nothing_found("en", [replace(FAR, closeness=-0.4)]) == NOTHING_FOUND["en"]


async def test_an_empty_corpus_has_no_nearest_documents() -> None:
    [*_, done] = await events(FakeModel("x [1]"))
    assert isinstance(done, Done)
    assert done.answer.text == "I found no answer to this question in the documents."


async def test_an_outage_is_raised_not_answered() -> None:
    with pytest.raises(Unavailable):
        await events(FakeModel("In 1991 [1]", Unavailable("the language model", "HTTP 500")), GOOD)


@pytest.mark.parametrize(
    ("question", "passages", "enough"),
    [
        ("When did Sweden introduce a carbon tax?", [GOOD], True),
        ("Quand la taxe fut-elle créée là-bas ?", [GOOD], True),
        ("Who won the 1998 football World Cup?", [FAR], False),
        ("asdf qwerty", [FAR], False),
        ("?", [GOOD], False),
        ("What is it?", [GOOD], False),
        ("anything", [], False),
    ],
)
def test_evidence_is_common_words_or_close_meaning(question: str, passages: list[Passage], enough: bool) -> None:
    assert supported(question, passages, "multilingual-e5-small") is enough


def test_a_model_of_unknown_scale_leaves_the_judgement_to_the_language_model() -> None:
    assert supported("asdf qwerty", [FAR], "text-embedding-3-small")
    assert not supported("asdf qwerty", [], "text-embedding-3-small")


def test_names_and_numbers_count_double() -> None:
    assert coverage("Was bread baked in 1998", [FAR]) == pytest.approx(2 / 4)
    assert coverage("Was bread baked in Paris", [FAR]) == pytest.approx(2 / 4)
    assert coverage("", [FAR]) == 0
