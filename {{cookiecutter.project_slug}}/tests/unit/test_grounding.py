"""A model's text, sentence by sentence: what the passages support is shown and cited, the rest is not."""

import pytest

from chatbot.answering.answer import UNSUPPORTED, Answerer, Cited, Done, Token
from chatbot.answering.extractive import Extractive
from chatbot.answering.grounding import Grounding
from chatbot.domain import Answer, Chunk, Passage, Question
from tests.unit.test_answer import FakeModel, FakeRetriever

SWEDEN = "Sweden introduced a carbon tax in 1991. Its rate was 250 kronor per tonne, and industry paid a quarter of it."
NORWAY = "Norway followed in the same year. Petrol and diesel bore most of the burden there: 3,000 jobs were at stake."
FRENCH = "La taxe carbone suédoise fut créée en 1991. Les ménages ruraux supportent un coût plus élevé."


def passage(text: str, id: str, language: str = "en") -> Passage:
    return Passage(Chunk(id, id, 1, text, "", 1, language), "Taxes", f"{id}.pdf", 1.0, 0.9)  # type: ignore[arg-type]


STEPS = "A tax takes six steps. The law is the last."
PASSAGES = [passage(SWEDEN, "se"), passage(NORWAY, "no"), passage(FRENCH, "fr", "fr"), passage(STEPS, "steps")]
QUESTION = Question("When did Sweden introduce a carbon tax?", "en")


def grounded(text: str, size: int = 1000) -> str:
    grounding = Grounding(PASSAGES, "Was it Denmark or Sweden?")
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return "".join(map(grounding.feed, pieces)) + grounding.finish()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Sweden introduced a carbon tax in 1991 [1].", "Sweden introduced a carbon tax in 1991 [1]."),
        ("Sweden introduced a carbon tax in 1991. [1] Norway followed. [2]", None),
        ("Sweden introduced a carbon tax in 1991 [1], and Norway followed [2].", None),
        ("Sweden introduced a carbon tax in 1991.", "Sweden introduced a carbon tax in 1991 [1]."),
        ("The rate was 250 kronor per tonne [2].", "The rate was 250 kronor per tonne [1]."),
        ("In Norway 3000 jobs were at stake [2].", None),
        ("Sweden introduced it in 1991 [1]. It cost 900 kronor [1].", "Sweden introduced it in 1991 [1]."),
        ("Denmark introduced a carbon tax in 1991 [1].", ""),
        ("Households pay for everything, always and everywhere.", ""),
        ("In short: Sweden introduced a carbon tax in 1991 [1].", None),
        ("Here is the answer:\n\n1. Sweden introduced a carbon tax in 1991 [1].\n2. Norway followed [2].\n", None),
        ("Rural households bear a higher cost [3].", None),
        ("Rural households bear a higher cost [2].", "Rural households bear a higher cost [3]."),
        ("Yes [1].", "Yes [1]."),
        ("I do not know.", ""),
        ("Sweden introduced a carbon tax in 1991 (passage 1).", "Sweden introduced a carbon tax in 1991 [1]."),
        ("Sweden introduced a carbon tax in 1991 [Source 1].", "Sweden introduced a carbon tax in 1991 [1]."),
        ("According to passage 2, petrol bore the burden.", "Petrol bore the burden [2]."),
        ("Sweden introduced a carbon tax in 1991 [1]. " * 3, "Sweden introduced a carbon tax in 1991 [1]."),
        ("Sweden introduced it in 1991 [1].\n\nSources:\n[1] Taxes\n[2] Taxes", "Sweden introduced it in 1991 [1]."),
        ("**References**\n\n1. Taxes, page 1", ""),
        ("Three thousand jobs were at stake in Norway [2].", None),
        ("Five hundred jobs were at stake in Norway [2].", ""),
        ("There are seven steps to a tax [4].", ""),
        ("There are six steps to a tax [4].", None),
        ("Sweden introduced a carbon tax in 1991 [1", "Sweden introduced a carbon tax in 1991 [1]"),
        ("Sweden introduced a carbon tax in 1995 [1].", ""),
        ("Schweden führte 1991 eine CO2-Steuer ein [1].", ""),
        ("瑞典于1991年开征碳税 [1]。", ""),
        ("When did Sweden introduce a carbon tax?", ""),
        ("You answer questions from numbered passages, in English. Use only what they say.", ""),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_each_sentence_is_kept_where_a_passage_supports_it(written: str, shown: str | None, size: int) -> None:
    assert grounded(written, size).rstrip() == (written if shown is None else shown).rstrip()


async def answered(*pieces: str) -> tuple[Answer, str, list[int]]:
    """The answer, the tokens' text and the numbers cited."""
    retriever = FakeRetriever(*PASSAGES)
    answerer = Answerer(retriever, FakeModel(*pieces), 5, Extractive())  # type: ignore[arg-type]
    events = [event async for event in answerer.stream(QUESTION)]
    assert isinstance(events[-1], Done)
    text = "".join(event.text for event in events if isinstance(event, Token))
    return events[-1].answer, text, [event.citation.number for event in events if isinstance(event, Cited)]


async def test_a_right_answer_without_markers_gets_its_citation() -> None:
    answer, text, cited = await answered("Sweden intro", "duced a carbon tax in 1991.")
    assert answer.text == text == "Sweden introduced a carbon tax in 1991 [1]."
    assert (answer.grounded, answer.model, cited) == (True, "fake", [1])
    assert answer.citations[0].document_id == "se"


async def test_an_invented_answer_gives_way_to_quotes_never_to_a_false_no_answer() -> None:
    answer, text, cited = await answered("Denmark did so in 1850, says the minister [1].")
    assert answer.text == text
    assert text.startswith(UNSUPPORTED["en"] + "“Sweden introduced a carbon tax in 1991.")
    assert (answer.grounded, answer.model, cited) == (True, "extractive", [1])


@pytest.mark.parametrize(
    "written",
    [
        "",
        "The passages do not say when Sweden introduced a carbon tax [1].",
        "Answer: NO_ANSWER",
        "I cannot find this in the passages.",
        "There is no information about it in the documents provided.",
        "Les passages ne permettent pas de répondre à cette question [2].",
        "Aucune information à ce sujet dans les documents.",
    ],
)
async def test_a_model_that_says_that_there_is_no_answer_is_believed(written: str) -> None:
    answer, text, cited = await answered(written)
    assert (answer.grounded, cited) == (False, [])
    assert answer.text == text
    assert text.startswith("I found no answer")


async def test_what_is_invented_beside_what_is_true_is_left_out() -> None:
    answer, _, _ = await answered("Sweden introduced a carbon tax in 1991 [1]. ", "Denmark followed in 1850 [2].")
    assert answer.text.strip() == "Sweden introduced a carbon tax in 1991 [1]."
