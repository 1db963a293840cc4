"""The encoder of multilingual-e5-small as an ONNX graph with matrices of int8, made from the file of weights.

session = onnxruntime.InferenceSession(graph(weights))
(mean,) = session.run(None, {"embeddings": …})     (tokens, hidden) in; (hidden,) out: the mean of the last layer

The layers of Devlin et al., "BERT", 2019. A row of int8 weights shares one scale; what they are multiplied with is
quantised as it comes, on one scale for the whole text (DynamicQuantizeMatMul), and sums and all else stay float32.
One scale is too coarse in three places, which have a remedy each: `_values`, `_into_inner`, `_out_of_inner`. Cosine to
the vectors without quantisation .9998, for .9976 without them, at 93 % of the speed.
One text at a time goes through, without padding and so without a mask: on a processor that is faster than any batch,
whose activations fill its caches, and a text's vector does not depend on its neighbours. Words are looked up before, in
the file of weights. Making the graph takes a fifth of a second, so it is kept nowhere.
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
LEAST_GELU = 0.17
"""Below zero: no value of GELU is smaller."""
SMOOTHNESS = 0.75
"""Which part of how much channels differ goes from the activations to the weights, 0 to 1."""
DATA_TYPES = {"float32": onnx.FLOAT, "uint8": onnx.UINT8, "int8": onnx.INT8, "int64": onnx.INT64}


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
        inner = self.node("Gelu", [self._into_inner(x, name)], domain=MICROSOFT)
        return self._sum_normalised(x, self._out_of_inner(inner, f"{name}.fo"), f"{name}.oln")

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
        """Queries and keys come out of one multiplication."""
        queries, keys = f"{name}.queries", f"{name}.keys"
        self.node("Split", [self._linear(x, f"{name}.q", f"{name}.k")], queries, keys, axis=-1, num_outputs=2)
        parts = [queries, keys, self._values(x, f"{name}.v")]
        mixed = self.node("MultiHeadAttention", parts, domain=MICROSOFT, num_heads=self._weights.shape.heads)
        return self._linear(mixed, f"{name}.ao")

    def _values(self, x: str, name: str) -> str:
        """In float32, with the weights' own four bits.

        Attention goes mostly to tokens that say nothing and whose values are near zero (Xiao et al., "Efficient
        Streaming Language Models with Attention Sinks", 2024). An error in these is added to every token.
        """
        hidden = self._weights.shape.hidden
        codes, scales = self._weights.blocks(name + ".w", hidden)
        packed = self.constant(f"{name}.codes", codes[..., ::2] | codes[..., 1::2] << 4)
        options = {"N": hidden, "K": hidden, "bits": 4, "block_size": codes.shape[-1]}
        inputs = [x, packed, self.constant(f"{name}.scales", scales), "", "", self._bias(name)]
        return self.node("MatMulNBits", inputs, domain=MICROSOFT, **options)

    def _into_inner(self, x: str, name: str) -> str:
        """Some channels are always larger, and the normalisation before says which: its weights take them down.

        Xiao et al., "SmoothQuant", 2023, who measure the channels instead.
        """
        matrix = self._weights.matrix(f"{name}.fi.w", self._weights.shape.inner)
        usual = np.hypot(*(self._weights.vectors(f"{name}.aln.{part}") for part in "wb"))
        smooth = usual**SMOOTHNESS / np.abs(matrix).max(axis=0) ** (1 - SMOOTHNESS)
        smoothed = self.node("Div", [x, self.constant(f"{name}.smooth", smooth)])
        return self._product(smoothed, f"{name}.fi", matrix * smooth, self._bias(f"{name}.fi"))

    def _out_of_inner(self, x: str, name: str) -> str:
        """A few tokens have a value that is ten times all others: each token has a scale of its own."""
        last, least = self.constant(f"{name}.axis", np.array([-1])), np.array([LEAST_GELU], np.float32)
        largest = self.node("Max", [self.node("ReduceMax", [x, last]), self.constant(f"{name}.least", least)])
        matrix = self._weights.matrix(f"{name}.w", self._weights.shape.hidden)
        product = self._product(self.node("Div", [x, largest]), name, matrix)
        return self.node("Add", [self.node("Mul", [product, largest]), self._bias(name)])

    def _sum_normalised(self, x: str, y: str, name: str) -> str:
        # Not SkipLayerNormalization, which does both, but eight times slower on a processor.
        return self.normalised(self.node("Add", [x, y]), name)

    def _linear(self, x: str, *names: str) -> str:
        """x times the square matrices of these names, side by side, plus their biases."""
        matrix = np.concatenate([self._weights.matrix(f"{name}.w", self._weights.shape.hidden) for name in names])
        return self._product(x, names[0], matrix, self._bias(*names))

    def _bias(self, *names: str) -> str:
        return self.constant(f"{names[0]}.bias", self._weights.vectors(*(f"{name}.b" for name in names)))

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
