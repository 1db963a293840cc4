"""The messages of the ONNX format that a graph of ours needs, as classes: Model(graph=Graph(node=[Node(…)])).

Names and numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. The package `onnx` has all of
them, and 30 MB more; `protobuf` comes with ONNX Runtime and with the traces.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FIELD = descriptor_pb2.FieldDescriptorProto
TYPES = {"int": FIELD.TYPE_INT64, "enum": FIELD.TYPE_INT32, "float": FIELD.TYPE_FLOAT, "bytes": FIELD.TYPE_BYTES}
TYPES["str"] = FIELD.TYPE_STRING

FLOAT, UINT8, INT8, INT64 = 1, 2, 3, 7
"""Data types of tensors (TensorProto.DataType)."""
ATTRIBUTE_FLOAT, ATTRIBUTE_INT = 1, 2
"""Types of attributes (AttributeProto.AttributeType)."""
IR_VERSION = 9

MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Model": {"ir_version": (1, "int"), "graph": (7, "Graph"), "opset_import": (8, "OperatorSet*")},
    "OperatorSet": {"domain": (1, "str"), "version": (2, "int")},
    "Graph": {
        "node": (1, "Node*"),
        "name": (2, "str"),
        "initializer": (5, "Tensor*"),
        "input": (11, "ValueInfo*"),
        "output": (12, "ValueInfo*"),
    },
    "Node": {
        "input": (1, "str*"),
        "output": (2, "str*"),
        "name": (3, "str"),
        "op_type": (4, "str"),
        "attribute": (5, "Attribute*"),
        "domain": (7, "str"),
    },
    "Attribute": {"name": (1, "str"), "f": (2, "float"), "i": (3, "int"), "type": (20, "enum")},
    "Tensor": {"dims": (1, "int*"), "data_type": (2, "enum"), "name": (8, "str"), "raw_data": (9, "bytes")},
    "ValueInfo": {"name": (1, "str"), "type": (2, "Type")},
    "Type": {"tensor_type": (1, "TensorType")},
    "TensorType": {"elem_type": (1, "enum"), "shape": (2, "Shape")},
    "Shape": {"dim": (1, "Dimension*")},
    "Dimension": {"dim_value": (1, "int"), "dim_param": (2, "str")},
}
"""By message and field: its number, and its type; * where there may be several."""


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="onnx_subset.proto", package="onnx", syntax="proto2")
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            plain = kind.rstrip("*")
            field = described.field.add(name=name, number=number, type=TYPES.get(plain, FIELD.TYPE_MESSAGE))
            field.label = FIELD.LABEL_REPEATED if kind.endswith("*") else FIELD.LABEL_OPTIONAL
            if plain not in TYPES:
                field.type_name = f".onnx.{plain}"
    # A pool of its own: the package `onnx`, should it be there, registers the same names.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"onnx.{name}")) for name in MESSAGES}


_made = _classes()
Model, OperatorSet, Graph, Node = _made["Model"], _made["OperatorSet"], _made["Graph"], _made["Node"]
Attribute, Tensor, ValueInfo, Type = _made["Attribute"], _made["Tensor"], _made["ValueInfo"], _made["Type"]
TensorType, Shape, Dimension = _made["TensorType"], _made["Shape"], _made["Dimension"]
