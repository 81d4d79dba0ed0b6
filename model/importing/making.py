"""From a float decoder and tokens to integers, with progress: what ``gateformer import`` and
``gateformer train`` do alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..contract.decoder.model import DecoderModel
from ..evaluation.decoder_evaluation import bits_per_weight, bytes_per_token, progress_bar
from ..floating.checkpoints.source import SourceModel
from ..floating.decoder import FloatDecoder
from ..support.terminal import Terminal
from ..text.codec import TextCodec
from .calibration import Ranges, calibrate
from .choice import NATIVE, Choice
from .quantizing import quantize
from .vocabulary import kept

TYPICAL_POSITION = 256


def ranges_of(
    source: SourceModel, windows: list[np.ndarray], weights: str, prefix: Sequence[int] = ()
) -> Ranges:
    """Ranges of the float model, with what the rounding to ``weights`` (``--bits``) needs."""
    bar, progress = progress_bar(Terminal(stderr=True), "ranges")
    with bar:
        return calibrate(FloatDecoder(source), windows, weights != NATIVE, prefix, progress)


def integers_of(
    source: SourceModel,
    ranges: Ranges,
    choice: Choice,
    codec: TextCodec,
    context: int | None = None,
) -> DecoderModel:
    """The quantized model, with its vocabulary."""
    bar, progress = progress_bar(Terminal(stderr=True), "weights")
    with bar:
        return quantize(source, ranges, choice, context, kept(codec), progress)


def say_what_was_made(out: Path, model: DecoderModel) -> None:
    """Two lines: the artifact's size, and what it can be used for."""
    position = min(TYPICAL_POSITION, model.config.ctx_len - 1)
    print(
        f"{out}: {bits_per_weight(model):.2f} bits per weight, "
        f"{bytes_per_token(model, position):,} bytes per token at position {position}"
    )
    print(
        f"gateformer generate {out} writes its text; gateformer fit {out} says what boards it fits",
        flush=True,
    )
