"""The bytes of every token of a Hugging Face ``tokenizers`` JSON."""

from __future__ import annotations

import json
import re

from ...support.errors import UserError
from ..codec import TextCodec

_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")


def byte_alphabet() -> dict[str, int]:
    """GPT-2's character for each byte: printable Latin-1 is itself, the rest from U+0100 on."""
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in kept]
    return {chr(b): b for b in kept} | {chr(256 + i): b for i, b in enumerate(others)}


def codec_of_json(where: str, data: bytes, vocab_size: int | None = None, **facts) -> TextCodec:
    """Codec of a tokenizer's JSON; ``vocab_size`` may exceed the tokenizer's (padding).

    ``facts``: further fields of the codec. UserError naming ``where`` if it is no such JSON,
    its model is neither BPE nor Unigram, or it has more tokens than ``vocab_size``.
    """
    try:
        content = json.loads(data)
        model = content["model"]
        kind = model.get("type", "BPE")
        vocabulary = model["vocab"]
        if kind == "Unigram":  # a list of pieces with their scores
            vocabulary = {text: token for token, (text, _) in enumerate(vocabulary)}
        added = content.get("added_tokens") or []
        special = {token["id"]: token["content"] for token in added if token["special"]}
        plain = {token["id"]: token["content"] for token in added if not token["special"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{where} is no tokenizer.json of Hugging Face's tokenizers") from None
    if kind not in ("BPE", "Unigram") or not isinstance(vocabulary, dict):
        raise UserError(f"{where} has a {kind} model; expected BPE or Unigram")
    highest = max([*vocabulary.values(), *special, *plain], default=-1)
    if vocab_size is not None and highest >= vocab_size:
        raise UserError(
            f"{where} has token {highest}, but the model has {vocab_size}; give its own tokenizer"
        )
    byte_level = '"ByteLevel"' in json.dumps(content.get("decoder"))
    alphabet = byte_alphabet()
    pieces = [b""] * (highest + 1 if vocab_size is None else vocab_size)
    for text, token in vocabulary.items():
        match = None if byte_level else _BYTE_TOKEN.fullmatch(text)
        if match and model.get("byte_fallback"):
            pieces[token] = bytes([int(match[1], 16)])
        elif not byte_level:
            pieces[token] = text.replace("▁", " ").encode("utf-8")
        elif all(character in alphabet for character in text):
            pieces[token] = bytes(alphabet[character] for character in text)
        else:
            pieces[token] = text.encode("utf-8")
    for token, text in plain.items():
        pieces[token] = text.encode("utf-8")
    for token in special:
        pieces[token] = b""
    strip = not byte_level and _strips(content.get("decoder"))
    return TextCodec(
        "tokenizers",
        tuple(pieces),
        tuple(sorted(special.items())),
        strip_first_space=strip,
        tokenizer_json=data,
        **facts,
    )


def _strips(decoder) -> bool:
    """Whether a decoder leaves out the space that a text begins with."""
    if not isinstance(decoder, dict):
        return False
    if decoder.get("type") == "Sequence":
        return any(map(_strips, decoder.get("decoders") or []))
    if decoder.get("type") == "Metaspace":
        scheme = decoder.get("prepend_scheme", "always")
        return scheme != "never" and decoder.get("add_prefix_space", True) is True
    return decoder.get("type") == "Strip" and bool(decoder.get("start"))
