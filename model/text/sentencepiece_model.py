"""SentencePiece: its models as the library ``sentencepiece`` reads them, and their token ids."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable, Mapping, Sequence

from ..support.errors import UserError
from ..support.optional import require

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Types of a piece, in SentencePiece's files and in GGUF's tokenizer.ggml.token_type."""
SPACE = "▁"
"""What a space is in a piece."""
_BPE = 2
_BYTES = 256
_VARINT, _LENGTH, _FLOAT = 0, 2, 5
"""Wire types of Protocol Buffers."""


def load(where: str, model: bytes):
    """The library's processor; UserError naming ``where`` if it is no SentencePiece model."""
    require({"sentencepiece": "encoding text for this model"}, "import")
    import sentencepiece

    try:
        if model:  # the library takes no bytes for none given
            processor = sentencepiece.SentencePieceProcessor(model_proto=model)
            for token in range(processor.get_piece_size()):
                processor.id_to_piece(token)  # fails if it is not UTF-8
            return processor
    except (RuntimeError, OSError, UnicodeDecodeError):
        pass
    raise UserError(
        f"{where} is no SentencePiece model, or it is damaged; get it from its source again"
    )


class SentencePieceEncoder:
    """Token ids of texts.

    Parameters
    ----------
    model : bytes of a SentencePiece model
    added : (id, text) of tokens that stand wherever their text does
    special : (id, text) of tokens that do only if that is asked for
    """

    def __init__(
        self,
        model: bytes,
        added: Iterable[tuple[int, str]] = (),
        special: Iterable[tuple[int, str]] = (),
    ):
        self._processor = load("the model's tokenizer", model)
        self._always = _Splitter(added)
        self._all = _Splitter([*added, *special])

    def encode(self, text: str, special: bool = False) -> list[int]:
        """Token ids; each part between added or special tokens is a text of its own."""
        ids: list[int] = []
        for part in (self._all if special else self._always).parts(text):
            ids += self._processor.encode(part) if isinstance(part, str) else [part]
        return ids


class _Splitter:
    """A text as the ids of tokens and what lies between; of two that fit, the longer counts."""

    def __init__(self, tokens: Iterable[tuple[int, str]]):
        self._ids = {text: token for token, text in tokens if text}
        longest_first = sorted(self._ids, key=len, reverse=True)
        self._pattern = re.compile(f"({'|'.join(map(re.escape, longest_first))})")

    def parts(self, text: str) -> list[str | int]:
        if not self._ids:
            return [text]
        split = self._pattern.split(text)
        return [self._ids[p] if i % 2 else p for i, p in enumerate(split) if p]


def bpe_model(
    where: str,
    texts: Sequence[str],
    scores: Sequence[float],
    types: Mapping[int, int],
    prefix: bool = True,
) -> bytes:
    """A model that joins the neighbours whose piece has the best score, the leftmost of equals.

    Parameters
    ----------
    where : what an error names
    texts : text of each token, SPACE for a space
    scores : one per token
    types : type of the tokens that are not NORMAL; one of them is UNKNOWN
    prefix : whether a text is given a space before it

    A text that occurs twice belongs to the first token. Raises UserError for a score that is no
    number, or if the library refuses the pieces.
    """
    seen: set[str] = set()
    pieces = []
    for token, (text, score) in enumerate(zip(texts, scores, strict=True)):
        if not math.isfinite(score):
            raise UserError(f"{where} has score {score} for token {token}; expected a number")
        kind = types.get(token, NORMAL)
        if not text or text in seen:  # the library wants them all, and all different
            text, kind = f"<token {token}>", CONTROL
        seen.add(text)
        body = _bytes(1, text.encode("utf-8")) + _float(2, score) + _integer(3, kind)
        pieces.append(_bytes(1, body))
    unknown = next(token for token, kind in types.items() if kind == UNKNOWN)
    fallback = sum(kind == BYTE for kind in types.values()) == _BYTES
    trainer = _integer(3, _BPE) + _integer(35, fallback) + _integer(40, unknown)
    normalizer = _bytes(1, b"identity") + b"".join(
        _integer(field, value) for field, value in ((3, prefix), (4, False), (5, True))
    )
    model = b"".join(pieces) + _bytes(2, trainer) + _bytes(3, normalizer)
    load(where, model)
    return model


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(int(value))


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | _FLOAT) + struct.pack("<f", value)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | _LENGTH) + _varint(len(data)) + data
