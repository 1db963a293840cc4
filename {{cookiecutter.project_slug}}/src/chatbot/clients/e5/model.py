"""multilingual-e5-small itself: texts to unit vectors, by ONNX Runtime on the processor.

model = Model.load(weights.path())
model.embed("query: carbon tax")     [0.05, -0.03, …], 384 floats of length 1

Wang et al., "Multilingual E5 Text Embeddings", 2024: a question begins with "query: ", a text to be found with
"passage: ", and the vector is the mean over the tokens of the last layer. Longer texts than the model reads are read
in windows, whose vectors are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from chatbot.clients.e5 import c_memory
from chatbot.clients.e5.graph import graph
from chatbot.clients.e5.tokenizer import END, START, Tokenizer
from chatbot.clients.e5.weights import Floats, Weights

WINDOW = 512
"""Tokens read at once, start and end included: the most that the model can. Windows of 128 are 6 % faster and find less
(French questions over HAL), as does reading the first 128 only, which is 1.4 to 1.7 times as fast."""


class Model:
    """Any number of threads may use it at once, each embedding a text on the core it runs on."""

    def __init__(self, weights: Weights, tokenizer: Tokenizer, session: Any) -> None:
        self._weights = weights
        self._tokenizer = tokenizer
        self._session = session
        hidden = weights.shape.hidden
        table = weights.vectors("emb.pos").reshape(-1, hidden)
        self._positions: Floats = table + weights.vectors("emb.type")[:hidden]

    @classmethod
    def load(cls, file: Path) -> Model:
        """Takes about half a second. InvalidConfiguration when the file is not one of weights."""
        c_memory.share()
        weights = Weights(file)
        session = session_of(graph(weights))
        tokenizer = Tokenizer(weights.pieces())
        weights.let_go()
        c_memory.give_back()  # what making both took
        return cls(weights, tokenizer, session)

    def embed(self, text: str, windows: int | None = None) -> list[float]:
        """The unit vector of a text that begins with "query: " or "passage: "; of so many windows of it, or all."""
        tokens = self._tokenizer.encode(text)
        return self._unit(windows_of(tokens[: windows and windows * (WINDOW - 2)], WINDOW - 2))

    def _unit(self, windows: Sequence[Sequence[int]]) -> list[float]:
        mean = np.average([self._mean(each) for each in windows], axis=0, weights=[len(each) + 2 for each in windows])
        unit: list[float] = (mean / np.linalg.norm(mean)).tolist()
        return unit

    def _mean(self, tokens: Sequence[int]) -> Floats:
        words = self._weights.word_embeddings([START, *tokens, END])
        mean: Floats = self._session.run(None, {"embeddings": (words + self._positions[: len(words)])[None]})[0][0]
        return mean


def windows_of(tokens: Sequence[int], longest: int) -> list[Sequence[int]]:
    """The tokens in as few parts as can be, of about the same length; one part if there are none."""
    parts = ceil(len(tokens) / longest) or 1
    size = ceil(len(tokens) / parts) or 1
    return [tokens[start : start + size] for start in range(0, max(len(tokens), 1), size)]


def session_of(model: bytes) -> Any:
    """Single-threaded: texts side by side use the cores better than one text spread over them, and a question that
    comes meanwhile is not made to wait for a pool of threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # which would keep the memory of the longest text for ever
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    session._model_bytes = None  # kept to start again on another kind of processor; 22 MB
    return session
