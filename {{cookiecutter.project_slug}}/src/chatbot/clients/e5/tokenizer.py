"""From text to the tokens that multilingual-e5-small knows: SentencePiece's unigram model, XLM-RoBERTa's vocabulary.

tokenizer = Tokenizer(weights.pieces())
tokenizer.encode("query: carbon tax")     [41, 1294, 12, …]

Google's own library makes characters those that the model knows (NFKC, with white space made blanks). Cutting a word
into its likeliest pieces (Kudo, "Subword Regularization", 2018) is done here: the library would keep 41 MB for what are
3 MB of numbers, one for each piece. Pieces are found by a polynomial hash of their bytes in 64 bits, of which no two
are the same.
A text's tokens are those of the reference (`tokenizer.json` of intfloat/multilingual-e5-small), but that white space at
its ends is left out, that special tokens which a text spells, such as </s>, are letters like others, and that of two
ways to cut a word which are equally likely the other may be taken: one text in a thousand has such a word.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import sentencepiece
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from chatbot.clients.e5.weights import Pieces

START, PADDING, END, UNKNOWN = range(4)
SPECIAL = (b"<s>", b"<pad>", b"</s>", b"<unk>", b"<mask>")
"""Those that no text is cut into."""
ZERO_WIDTH_JOINER = "\u200d"
"""Was a blank when the model was made; the library's table keeps it by now."""
BLANK = "\u2581"
"""How a blank is written; a piece has one at its beginning or none."""
UNLIKELY = 10.0
"""By how much a character without a piece is less likely than any piece, in natural logarithms."""
WORDS = 8192
"""Kept with their tokens, some 2 MB; of three words of a corpus, two or more are among them."""
LONG = 32
"""Characters of a word that is not kept: it hardly comes again."""
FACTOR = 0x9E3779B97F4A7C15
"""Of the hash; any large odd number."""
AFTER = b"\xff"
"""No UTF-8 has this byte: what reaches over the end of a word is no piece."""


class Tokenizer:
    """Any number of threads may use it at once."""

    def __init__(self, pieces: Pieces) -> None:
        self._scores = pieces.scores
        lengths = np.diff(pieces.ends)
        self._powers = np.cumprod(np.full(lengths.max(), FACTOR, np.uint64))
        self._hashes, self._ids = self._sorted(pieces, lengths)
        self._unknown = float(self._scores[self._ids].min()) - UNLIKELY
        self._characters = sentencepiece.SentencePieceNormalizer(
            rule_name="nmt_nfkc", add_dummy_prefix=True, escape_whitespaces=True, remove_extra_whitespaces=True
        )
        self._cut = lru_cache(WORDS)(self._likeliest)

    def encode(self, text: str) -> list[int]:
        """The ids of the text's tokens, without those of its start and end."""
        known: str = self._characters.normalize(text.replace(ZERO_WIDTH_JOINER, " "))
        words = (BLANK + word for word in known.split(BLANK)[1:])
        return [token for word in words for token in (self._cut if len(word) < LONG else self._likeliest)(word)]

    def _sorted(self, pieces: Pieces, lengths: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
        """The hashes of all pieces in their order, and the piece of each."""
        hashes = np.zeros(len(lengths), np.uint64)
        for length in range(1, len(self._powers) + 1):
            (ids,) = np.nonzero(lengths == length)
            text = pieces.text[pieces.ends[ids][:, None] + np.arange(length)]
            hashes[ids] = _numbers(text) @ self._powers[:length]
        special = [piece for piece in range(len(lengths)) if pieces[piece] in SPECIAL]
        ids = np.argsort(hashes)
        ids = ids[(lengths[ids] > 0) & ~np.isin(ids, special)]
        return hashes[ids], ids

    def _likeliest(self, word: str) -> tuple[int, ...]:
        """The tokens of a word, by Viterbi's algorithm: to each place in it the likeliest way."""
        content = word.encode()
        size = len(content)
        likelihoods = [0.0] + [-np.inf] * size
        ways = [(0, UNKNOWN)] * (size + 1)
        for start, end, token, score in self._steps(content):
            if (likelihood := likelihoods[start] + score) > likelihoods[end]:
                likelihoods[end], ways[end] = likelihood, (start, token)
        tokens: list[int] = []
        while size:
            size, token = ways[size]
            if token != UNKNOWN or tokens[-1:] != [UNKNOWN]:  # several in a row are one
                tokens.append(token)
        return tuple(reversed(tokens))

    def _steps(self, word: bytes) -> list[tuple[int, int, int, float]]:
        """Start, end, token and score of each piece in a word, by start; a character that is none is unknown."""
        longest = min(len(self._powers), len(word))
        text = np.frombuffer(word + AFTER * longest, np.uint8)
        (characters,) = (text[: len(word) + 1] & 0xC0 != 0x80).nonzero()  # where they begin, and the end
        windows = sliding_window_view(text, longest)[characters[:-1]]
        hashes = (_numbers(windows) * self._powers[:longest]).cumsum(axis=1)
        found = self._hashes.searchsorted(hashes)
        rows, lengths = (self._hashes.take(found, mode="clip") == hashes).nonzero()
        tokens = self._ids[found[rows, lengths]]
        starts = characters[rows]
        each = (starts, starts + lengths + 1, tokens, self._scores[tokens])
        steps = [*zip(*(numbers.tolist() for numbers in each), strict=True)]
        known = {(start, end) for start, end, *_ in steps}
        unknown = [(*span, UNKNOWN, self._unknown) for span in pairwise(characters.tolist()) if span not in known]
        return sorted([*steps, *unknown]) if unknown else steps


def _numbers(text: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """None of them 0, which would leave a hash as it is."""
    return text.astype(np.uint64) + 1
