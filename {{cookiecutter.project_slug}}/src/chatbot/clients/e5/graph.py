"""The encoder of multilingual-e5-small as an ONNX graph with matrices of int8, made from the file of weights.

session = onnxruntime.InferenceSession(graph(weights))
(mean,) = session.run(None, {"embeddings": …})     (tokens, hidden) in; (hidden,) out: the mean of the last layer

The layers of Devlin et al., "BERT", 2019. A row of int8 weights shares one scale; what they are multiplied with is
quantised as it comes (DynamicQuantizeMatMul), and sums and all else stay float32. One text at a time goes through,
without padding and so without a mask: on a processor that is faster than any batch, whose activations fill its caches,
and a text's vector does not depend on its neighbours. Words are looked up before, in the file of weights.
Making the graph takes a fifth of a second, so it is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.clients.e5 import onnx_proto as onnx
from chatbot.clients.e5.weights import Floats, Weights

MICROSOFT = "com.microsoft"
"""Operators of ONNX Runtime's own: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md."""
OPSETS = {"": 18, MICROSOFT: 1}
LARGEST = 127
PARTS = 4
"""Of the inner layer. Cosine to the vectors without quantisation .9990, for .9976 in one part, and 2 % slower."""
DATA_TYPES = {"float32": onnx.FLOAT, "int8": onnx.INT8, "int64": onnx.INT64}


def graph(weights: Weights) -> bytes:
    """The serialized ModelProto, about 21 MB."""
    building = _Building(weights)
    last = building.normalised("embeddings", "emb.ln")
    for layer in range(weights.shape.layers):
        last = building.layer(last, f"l{layer}")
    mean = building.node("ReduceMean", [last, building.constant("tokens", np.array([1]))], keepdims=0)
    building.node("Identity", [mean], "mean")
    return building.serialized()


class _Building:
    """Nodes and constants so far; each method adds some and returns the name of what comes out of them."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        opsets = [onnx.OperatorSet(domain=domain, version=version) for domain, version in OPSETS.items()]
        self._model = onnx.Model(ir_version=onnx.IR_VERSION, opset_import=opsets)
        self._graph = self._model.graph
        self._graph.name = "encoder"

    def layer(self, x: str, name: str) -> str:
        """Attention, then two matrices with GELU between, each added to what went in and normalised."""
        x = self._sum_normalised(x, self._attention(x, name), f"{name}.aln")
        inner = self.node("Gelu", [self._linear(x, f"{name}.fi", rows=self._weights.shape.inner)], domain=MICROSOFT)
        return self._sum_normalised(x, self._linear_in_parts(inner, f"{name}.fo"), f"{name}.oln")

    def normalised(self, x: str, name: str) -> str:
        scale, shift = (self.constant(each, self._weights.vectors(each)) for each in (f"{name}.w", f"{name}.b"))
        return self.node("LayerNormalization", [x, scale, shift], epsilon=self._weights.shape.epsilon)

    def node(self, operator: str, inputs: Sequence[str], *outputs: str, domain: str = "", **options: float) -> str:
        names = outputs or (f"{operator}.{len(self._graph.node)}",)
        self._graph.node.add(
            op_type=operator,
            input=inputs,
            output=names,
            domain=domain,
            attribute=[_attribute(name, value) for name, value in options.items()],
        )
        return names[0]

    def constant(self, name: str, values: NDArray[Any]) -> str:
        kind = DATA_TYPES[values.dtype.name]
        self._graph.initializer.add(name=name, dims=values.shape, data_type=kind, raw_data=values.tobytes())
        return name

    def serialized(self) -> bytes:
        hidden = onnx.Dimension(dim_value=self._weights.shape.hidden)
        one, tokens = onnx.Dimension(dim_value=1), onnx.Dimension(dim_param="tokens")
        self._graph.input.append(_described("embeddings", [one, tokens, hidden]))
        self._graph.output.append(_described("mean", [one, hidden]))
        content: bytes = self._model.SerializeToString()
        return content

    def _attention(self, x: str, name: str) -> str:
        """Queries, keys and values come out of one multiplication."""
        parts = [f"{name}.{part}" for part in "qkv"]
        together = self._linear(x, *parts)
        self.node("Split", [together], *parts, axis=-1, num_outputs=3)
        heads = self._weights.shape.heads
        return self._linear(self.node("MultiHeadAttention", parts, domain=MICROSOFT, num_heads=heads), f"{name}.ao")

    def _sum_normalised(self, x: str, y: str, name: str) -> str:
        # Not SkipLayerNormalization, which does both, but eight times slower on a processor.
        return self.normalised(self.node("Add", [x, y]), name)

    def _linear(self, x: str, *names: str, rows: int | None = None) -> str:
        """x times the matrices of these names, side by side, plus their biases."""
        rows = rows or self._weights.shape.hidden
        matrix = np.concatenate([self._weights.matrix(f"{name}.w", rows) for name in names])
        bias = self.constant(f"{names[0]}.biases", self._weights.vectors(*(f"{name}.b" for name in names)))
        return self._product(x, names[0], matrix, bias)

    def _linear_in_parts(self, x: str, name: str) -> str:
        """The same for a matrix whose input has a few very large values: only the part that holds one is coarse."""
        parts = [f"{name}.{number}" for number in range(PARTS)]
        self.node("Split", [x], *parts, axis=-1, num_outputs=PARTS)
        matrices = np.split(self._weights.matrix(f"{name}.w", self._weights.shape.hidden), PARTS, axis=1)
        products = [self._product(part, part, matrix) for part, matrix in zip(parts, matrices, strict=True)]
        return self.node("Sum", [*products, self.constant(f"{name}.b", self._weights.vectors(f"{name}.b"))])

    def _product(self, x: str, name: str, matrix: Floats, *bias: str) -> str:
        quantised, scales = quantise(matrix)
        values: dict[str, NDArray[Any]] = {"w": quantised.T, "scale": scales, "zero": np.zeros(len(matrix), np.int8)}
        constants = [self.constant(f"{name}.int8.{part}", each) for part, each in values.items()]
        return self.node("DynamicQuantizeMatMul", [x, *constants, *bias], domain=MICROSOFT)


def quantise(matrix: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Integers -127 to 127, and for each row the scale by which they are multiplied to be the matrix again."""
    scales = np.maximum(np.abs(matrix).max(axis=1), np.finfo(np.float32).tiny) / LARGEST
    return np.rint(matrix / scales[:, None]).astype(np.int8), scales.astype(np.float32)


def _attribute(name: str, value: float) -> object:
    if isinstance(value, int):
        return onnx.Attribute(name=name, i=value, type=onnx.ATTRIBUTE_INT)
    return onnx.Attribute(name=name, f=value, type=onnx.ATTRIBUTE_FLOAT)


def _described(name: str, dimensions: Sequence[object]) -> object:
    kind = onnx.TensorType(elem_type=onnx.FLOAT, shape=onnx.Shape(dim=dimensions))
    return onnx.ValueInfo(name=name, type=onnx.Type(tensor_type=kind))
