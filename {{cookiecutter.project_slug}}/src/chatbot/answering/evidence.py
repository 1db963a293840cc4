"""Do the passages found bear on the question at all? The test that lets the bot say that it does not know.

Evidence is the sum of two things, each of which either search can supply alone:
the share of the question's words found in one passage (names and numbers count double), 0 to 1; and how far the
closest passage's similarity is above what unrelated texts have, in units of SPREAD. A question in another language
than the documents has none of the first, and passes by the second.

THRESHOLD was set on XQuAD (English): 1 % of its questions are refused, and 80 % of them once the whole article that
answers them is taken out, although its words and kindred articles remain. What has nothing to do with the corpus, and
nonsense, stays below it in both languages.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.domain import Passage
from chatbot.text.analysis import WORD, content_words, query_stems, terms

UNRELATED = {"e5": 0.80}
"""Cosine similarity of unrelated texts, by a part of the model's name: E5's fill only the top of the scale."""
SPREAD = 0.05
THRESHOLD = 0.6


def supported(question: str, passages: Sequence[Passage], embedding_model: str) -> bool:
    """Whether the passages are worth answering from.

    A question without a word that carries meaning never is. For embedding models of unknown scale every other one
    is: the language model decides.
    """
    if not passages or not content_words(question):
        return False
    unrelated = next((level for name, level in UNRELATED.items() if name in embedding_model.lower()), None)
    if unrelated is None:
        return True
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
