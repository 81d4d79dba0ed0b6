"""llama2.c's tokenizer.bin: a score and the bytes of every piece."""

from __future__ import annotations

import struct
from pathlib import Path

from ...support.errors import UserError
from ..codec import TextCodec
from .pieces import codec_of_json
from .score_merges import score_json

_SPECIAL = {0: "<unk>", 1: "<s>", 2: "</s>"}
"""The file writes them with line feeds around."""
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
            texts.append(data[at - length : at].decode("utf-8").replace(" ", "▁"))
        except UnicodeDecodeError:
            raise UserError(f"tokenizer {path}: token {token} is not UTF-8") from None
        scores.append(score)
    if at != len(data):
        raise UserError(
            f"tokenizer {path} has {len(data) - at} bytes after token {vocab_size - 1}; "
            "give the tokenizer of this model"
        )
    json = score_json(texts, scores, _SPECIAL)
    return codec_of_json(str(path), json, vocab_size, bos=1, eos=2, stop=(1, 2), add_bos=True)
