"""From a float decoder and tokens to integers, with progress: what ``gateformer import`` and
``gateformer train`` do alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from ..contract.decoder.formats import WeightFormat
from ..contract.decoder.model import DecoderModel
from ..evaluation.decoder_evaluation import bits_per_weight, bytes_per_token, progress_bar
from ..floating.checkpoints.source import SourceModel
from ..floating.decoder import FloatDecoder
from ..text.codec import TextCodec
from .calibration import Ranges, calibrate, calibration_windows
from .choice import AUTO, NATIVE, Choice
from .quantizing import quantize
from .vocabulary import kept

CALIBRATION_TOKENS = 512 * 16
"""Tokens that ranges are taken from."""
WINDOW = 512
FEEDBACK_BITS = 6
"""Most bits with which rounding errors are passed on."""
TYPICAL_POSITION = 256


def windows_of(tokens: Sequence[int], ctx_len: int, bos: int | None = None) -> list[np.ndarray]:
    """What ranges are taken from: windows of a context of ``ctx_len`` all over ``tokens``.

    Raises UserError if there are too few tokens.
    """
    length = min(WINDOW, ctx_len)
    count = min(CALIBRATION_TOKENS // length, len(tokens) // length)
    return calibration_windows(tokens, length, max(count, 2), bos)


def ranges_of(source: SourceModel, windows: list[np.ndarray], weights: str) -> Ranges:
    """Ranges of the float model, with what the rounding to ``weights`` (``--bits``) needs."""
    asked = None if weights in (AUTO, NATIVE) else WeightFormat.parse(weights)
    products = asked is not None and asked.kind == "int" and asked.bits <= FEEDBACK_BITS
    bar, progress = progress_bar(Console(stderr=True), "ranges")
    with bar:
        return calibrate(FloatDecoder(source), windows, products=products, progress=progress)


def integers_of(
    source: SourceModel,
    ranges: Ranges,
    choice: Choice,
    codec: TextCodec,
    context: int | None = None,
) -> DecoderModel:
    """The quantized model, with its vocabulary."""
    bar, progress = progress_bar(Console(stderr=True), "weights")
    with bar:
        return quantize(source, ranges, choice, context, kept(codec), progress)


def say_what_was_made(out: Path, model: DecoderModel) -> None:
    """Two lines: the artifact's size, and what it can be used for."""
    position = min(TYPICAL_POSITION, model.config.ctx_len - 1)
    print(
        f"{out}: {bits_per_weight(model):.2f} bits per weight, "
        f"{bytes_per_token(model, position):,} bytes per token at position {position}"
    )
    print("boards: not yet, neither from block memories nor streamed; try gateformer generate")
