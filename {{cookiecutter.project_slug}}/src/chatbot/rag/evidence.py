"""Do the passages found bear on the question at all? The test that lets the bot say that it does not know.

Evidence is the sum of two things, each of which either search can supply alone:
the share of the question's words found in one passage (names and numbers count double), 0 to 1; and how far the
closest passage's similarity is above what unrelated texts have, in units of SPREAD. A question in another language
than the documents has none of the first, and passes by the second.

THRESHOLD was set on XQuAD (English): it refuses 1 % of the 1,190 questions, and 87 % of them once the article that
answers them is taken out of the corpus, although its neighbours are on kindred subjects.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.domain import Passage
from chatbot.rag.analyse import WORD, query_stems, terms

UNRELATED = {"e5": 0.80}
"""Cosine similarity of unrelated texts, by a part of the model's name: E5's fill only the top of the scale."""
SPREAD = 0.05
THRESHOLD = 0.6


def supported(question: str, passages: Sequence[Passage], embedding_model: str) -> bool:
    """Whether the passages are worth answering from. True for models of unknown scale: the language model decides."""
    unrelated = next((level for name, level in UNRELATED.items() if name in embedding_model.lower()), None)
    if not passages or unrelated is None:
        return bool(passages)
    similarity = max((p.similarity for p in passages if p.similarity is not None), default=unrelated)
    return coverage(question, passages) + (similarity - unrelated) / SPREAD >= THRESHOLD


def coverage(question: str, passages: Sequence[Passage]) -> float:
    """The largest share of the question's words that one passage, its headings included, contains."""
    stems = query_stems(question)
    weights = dict.fromkeys(stems, 1) | {word: 2 for word in _specific(question) if word in stems}
    total = sum(weights.values())
    shares = [0.0]
    for passage in passages:
        text = f"{passage.title} {passage.chunk.heading} {passage.chunk.text}"
        found = set(terms(text, passage.chunk.language))
        shares.append(sum(weights[word] for word, forms in stems.items() if found.intersection(forms)) / (total or 1))
    return max(shares)


def _specific(question: str) -> set[str]:
    """Names (capitals, but for the first word) and what holds a digit."""
    first, *others = WORD.findall(question) or [""]
    names = {word.lower() for word in others if word[0].isupper()}
    return names | {word.lower() for word in (first, *others) if any(c.isdigit() for c in word)}
