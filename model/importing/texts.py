"""Windows of tokens that ranges are taken from: a text, and for a chat model conversations of its
pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..support.errors import UserError
from ..text.chat import chat_tokens
from ..text.codec import TextCodec
from .calibration import calibration_windows

CALIBRATION_TOKENS = 512 * 16
"""Tokens of text that ranges are taken from."""
WINDOW = 512
LEAST_WINDOWS = 2
CHAT_SHARE = 4
"""A chat model is also shown one conversation for so many windows of text: the template's own
words and special tokens have activations that no text has."""
TURNS = (60, 400, 120, 900)
"""Characters of what is said in turn."""


def windows_of(
    codec: TextCodec, tokens: Sequence[int], context: int, text: str = ""
) -> list[np.ndarray]:
    """Windows int [n] of ``tokens``, and of conversations of pieces of ``text`` if the model has a
    chat template.

    Raises UserError if the text is shorter than two windows of min(512, ``context``) tokens.
    """
    length = min(WINDOW, context)
    if len(tokens) < LEAST_WINDOWS * length:
        raise UserError(
            f"the calibration text has {len(tokens)} tokens, but at least "
            f"{LEAST_WINDOWS * length} are needed ({LEAST_WINDOWS} windows of {length}); give a "
            "longer text, or a shorter --context"
        )
    count = min(CALIBRATION_TOKENS // length, len(tokens) // length)
    windows = calibration_windows(tokens, length, count, codec.bos)
    if codec.chat_template is not None:
        windows += conversations(codec, text, length, -(-len(windows) // CHAT_SHARE))
    return windows


def conversations(codec: TextCodec, text: str, length: int, count: int) -> list[np.ndarray]:
    """``count`` windows of up to ``length`` tokens: pieces of ``text``, from places at equal
    distances, said by user and assistant in turn."""
    starts = np.linspace(0, max(len(text) - sum(TURNS), 0), count).astype(int)
    windows = []
    for start in starts:
        messages = []
        for turn, size in enumerate(TURNS):
            role = ("user", "assistant")[turn % 2]
            messages.append({"role": role, "content": text[start : start + size]})
            start += size
        windows.append(np.asarray(chat_tokens(codec, messages)[:length]))
    return windows
