"""llama2.c's tokenizer.bin: a score and the bytes of every piece."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from ...support.errors import UserError
from ..codec import TextCodec
from ..sentencepiece_model import BYTE, SPACE, UNKNOWN
from .sentencepiece import codec_of_scores

_SPECIAL = {0: "<unk>", 1: "<s>", 2: "</s>"}
"""The file writes them with line feeds around."""
_BYTE_TOKEN = re.compile(r"<0x[0-9A-F]{2}>")
_ENTRY = struct.Struct("<fi")


def read_tokenizer_bin(path: Path, vocab_size: int) -> TextCodec:
    """Codec of ``vocab_size`` tokens; llama2.c ends a text at either of bos and eos.

    Raises UserError if the file is cut off, too long for the vocabulary, or no such file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"tokenizer {path} cannot be read: {error.strerror}") from None
    texts, scores, at = [], [], 4  # after the longest piece's length
    for token in range(vocab_size):
        score, length = _ENTRY.unpack_from(data, at) if at + 8 <= len(data) else (0, -1)
        at += 8 + length
        if length < 0 or at > len(data):
            raise UserError(
                f"tokenizer {path} ends within token {token} of {vocab_size}; "
                "give the tokenizer of this model, whole"
            )
        try:
            texts.append(data[at - length : at].decode("utf-8").replace(" ", SPACE))
        except UnicodeDecodeError:
            raise UserError(f"tokenizer {path}: token {token} is not UTF-8") from None
        scores.append(score)
    if at != len(data):
        raise UserError(
            f"tokenizer {path} has {len(data) - at} bytes after token {vocab_size - 1}; "
            "give the tokenizer of this model"
        )
    texts[: len(_SPECIAL)] = _SPECIAL.values()
    types = {token: BYTE for token, text in enumerate(texts) if _BYTE_TOKEN.fullmatch(text)}
    facts = {"bos": 1, "eos": 2, "stop": (1, 2), "add_bos": True}
    return codec_of_scores(str(path), texts, scores, types | {0: UNKNOWN}, _SPECIAL, **facts)
