"""A text codec as arrays of a safetensors file and facts of its JSON header."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..support.errors import UserError
from .codec import TextCodec

BYTES, ENDS = "vocabulary.bytes", "vocabulary.ends"
FILES = {"tokenizer_json": "tokenizer.json", "sentencepiece": "tokenizer.model"}
"""Names of what encodes, as Hugging Face names the files, by the codec's field."""


def to_arrays(codec: TextCodec) -> tuple[dict[str, np.ndarray], dict]:
    """(arrays, facts): uint8 of all pieces, uint32 [vocab] of their ends, uint8 of what encodes."""
    arrays = {
        BYTES: np.frombuffer(b"".join(codec.pieces), np.uint8),
        ENDS: np.cumsum([len(piece) for piece in codec.pieces], dtype=np.uint32),
    }
    for field, name in FILES.items():
        if (data := getattr(codec, field)) is not None:
            arrays[name] = np.frombuffer(data, np.uint8)
    return arrays, {
        "kind": codec.kind,
        "special": [[token, text] for token, text in codec.special],
        "added": [[token, text] for token, text in codec.added],
        "bos": codec.bos,
        "eos": codec.eos,
        "stop": list(codec.stop),
        "add_bos": codec.add_bos,
        "strip_first_space": codec.strip_first_space,
        "chat_template": codec.chat_template,
    }


def from_arrays(arrays: Mapping[str, np.ndarray], facts: Mapping) -> TextCodec:
    """The codec again; UserError naming the array or fact that is missing or damaged."""
    data, ends = (_array(arrays, *of) for of in ((BYTES, np.uint8), (ENDS, np.uint32)))
    sizes = np.diff(ends.astype(np.int64), prepend=0)
    if np.any(sizes < 0):
        raise UserError(f"{ENDS} is damaged: it falls at token {int(np.argmax(sizes < 0))}")
    if int(sizes.sum()) != len(data):
        raise UserError(f"{ENDS} ends at {int(sizes.sum())}, but {BYTES} has {len(data)} bytes")
    text, stops = data.tobytes(), ends.tolist()
    pieces = tuple(text[a:b] for a, b in zip([0, *stops[:-1]], stops, strict=True))
    fits = {
        "kind": lambda v: isinstance(v, str),
        "special": lambda v: isinstance(v, list) and all(map(_is_special, v)),
        "added": lambda v: isinstance(v, list) and all(map(_is_special, v)),
        "bos": lambda v: v is None or _is_id(v),
        "eos": lambda v: v is None or _is_id(v),
        "stop": lambda v: isinstance(v, list) and all(map(_is_id, v)),
        "add_bos": lambda v: isinstance(v, bool),
        "strip_first_space": lambda v: isinstance(v, bool),
        "chat_template": lambda v: v is None or isinstance(v, str),
    }
    facts = {"added": []} | dict(facts)  # artifacts of before SentencePiece lack it
    for name, fit in fits.items():
        if name not in facts or not fit(facts[name]):
            raise UserError(f"tokenizer fact {name} is damaged: {facts.get(name, 'missing')!r}")
    values = {name: facts[name] for name in fits}
    for name in ("special", "added"):
        values[name] = tuple((token, text) for token, text in values[name])
    values["stop"] = tuple(values["stop"])
    for field, name in FILES.items():
        values[field] = _array(arrays, name, np.uint8).tobytes() if name in arrays else None
    return TextCodec(pieces=pieces, **values)


def _array(arrays: Mapping[str, np.ndarray], name: str, dtype: type) -> np.ndarray:
    if name not in arrays:
        raise UserError(f"the tokenizer lacks the array {name}; import the model again")
    array = arrays[name]
    if array.dtype != dtype or array.ndim != 1:
        raise UserError(
            f"{name} must be {np.dtype(dtype)} with one axis, not {array.dtype} {array.shape}"
        )
    return array


def _is_id(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_special(value) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and _is_id(value[0]) and type(value[1]) is str
    )
