"""From text to the tokens that multilingual-e5-small knows: SentencePiece's unigram model, XLM-RoBERTa's vocabulary.

tokenizer = Tokenizer(weights.pieces())
tokenizer.encode("query: carbon tax")     [41, 1294, 12, …]

Google's own library does the work. Its model, a protocol buffer, is put together from the pieces in the file of
weights and the table of characters (NFKC, with white space made blanks) that the library carries as `nmt_nfkc`.
A text's tokens are those of the reference (`tokenizer.json` of intfloat/multilingual-e5-small), but that white space at
its ends is left out, that special tokens which a text spells, such as </s>, are letters like others, and that of two
ways to cut a word which are equally likely the other may be taken: one text in a thousand has such a word.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import sentencepiece
from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined]

START, PADDING, END, UNKNOWN = range(4)
Kind = ModelProto.SentencePiece
KINDS = {b"<unk>": Kind.UNKNOWN, **dict.fromkeys([b"<s>", b"<pad>", b"</s>", b"<mask>"], Kind.CONTROL)}
"""Those that no text is cut into."""
ZERO_WIDTH_JOINER = "\u200d"
"""Was a blank when the model was made; the library's table keeps it by now."""


class Tokenizer:
    """Any number of threads may use it at once."""

    def __init__(self, pieces: Iterable[tuple[bytes, float]]) -> None:
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=_settings() + _vocabulary(pieces))

    def encode(self, text: str) -> list[int]:
        """The ids of the text's tokens, without those of its start and end."""
        tokens: list[int] = self._processor.encode(text.replace(ZERO_WIDTH_JOINER, " "))
        return tokens


def _settings() -> bytes:
    """The model without its pieces."""
    characters = sentencepiece.SentencePieceNormalizer(rule_name="nmt_nfkc").serialized_model_proto()
    model = ModelProto()
    model.normalizer_spec.CopyFrom(ModelProto.FromString(characters).normalizer_spec)
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = True
    model.normalizer_spec.escape_whitespaces = True
    spec = model.trainer_spec
    spec.model_type = spec.UNIGRAM
    spec.bos_id, spec.pad_id, spec.eos_id, spec.unk_id = START, PADDING, END, UNKNOWN
    settings: bytes = model.SerializeToString()
    return settings


def _vocabulary(pieces: Iterable[tuple[bytes, float]]) -> bytes:
    """The model's field `pieces`, as protocol buffers are written (https://protobuf.dev/programming-guides/encoding).

    Written here, since 250,000 objects would take a second. Messages one after the other are one message.
    """
    score_bytes = struct.Struct("<f").pack
    return b"".join(
        b"\x0a%c\x0a%c%b\x15%b\x18%c"
        % (len(text) + 9, len(text), text, score_bytes(score), KINDS.get(text, Kind.NORMAL))
        for text, score in pieces
    )
