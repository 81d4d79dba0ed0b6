"""Which matrix gets how many bits, for a budget of bytes: more where rounding costs more."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from ..contract.decoder.formats import WeightFormat
from ..evaluation.quality import log_softmax
from ..floating.checkpoints.native_blocks import as_float
from ..floating.checkpoints.source import SourceModel
from ..floating.decoder import FloatDecoder
from ..floating.decoder_shape import DecoderShape
from ..support.errors import UserError
from . import rounding
from .calibration import Progress, Ranges

LADDER = ("int4", "int5", "int6", "int8")
"""The formats to choose from, fewest bits first."""
PROBE = "int4"
ROW_BYTES = 2
"""The multiplier of a row."""
INPUTS = {
    **dict.fromkeys(("q_proj", "k_proj", "v_proj"), "attn_norm"),
    **dict.fromkeys(("gate_proj", "up_proj"), "ffn_norm"),
    "o_proj": "attn",
    "down_proj": "hidden",
}


def require_budget(shape: DecoderShape, budget: int | None) -> None:
    """Raise UserError unless ``budget`` bytes are enough for every matrix; None: not given."""
    least, most = _range(_sizes(shape))
    span = (
        f"{least} bytes ({LADDER[0]} for every matrix) is the least, "
        f"{most} ({LADDER[-1]}) the most of use"
    )
    if budget is None:
        raise UserError(f"--bits auto needs --budget BYTES; {span}")
    if budget < least:
        raise UserError(f"a budget of {budget} bytes is too small; {span}")


def _sizes(shape: DecoderShape) -> dict[str, dict[str, int]]:
    """Bytes of every matrix by format."""
    return {
        name: {text: _bytes(size, text) for text in LADDER}
        for name, size in shape.tensor_shapes().items()
        if _is_matrix(name)
    }


def _range(sizes: dict[str, dict[str, int]]) -> tuple[int, int]:
    """(least, most) bytes of all matrices."""
    least, most = (sum(size[text] for size in sizes.values()) for text in (LADDER[0], LADDER[-1]))
    return least, most


def allocate(
    source: SourceModel,
    ranges: Ranges,
    windows: Sequence[np.ndarray],
    budget: int,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Formats of all matrices, for :class:`.choice.Choice`, that take at most ``budget`` bytes.

    How much a matrix matters is measured: KL divergence (nats per token) from the float model on
    ``windows`` of tokens with only that matrix rounded to 4 bits; other formats cost as much less
    as their squared error is smaller. ``progress`` is called after every matrix.

    Raises UserError if the budget is below 4 bits for every weight.
    """
    require_budget(source.shape, budget)
    floats = {name: as_float(source.tensors[name]) for name in source.shape.tensor_shapes()}
    sizes = _sizes(source.shape)
    names, (least, _) = list(sizes), _range(sizes)
    decoder = FloatDecoder(source.shape, floats, keep=False)
    expected = [log_softmax(decoder.logits(window[None])[0]) for window in windows]
    costs = {}
    for done, name in enumerate(names, 1):
        rounded, errors = _errors(floats[name], _moments(ranges, name))
        probe = FloatDecoder(source.shape, {**floats, name: rounded}, keep=False)
        divergence = np.mean(
            [
                (np.exp(p) * (p - log_softmax(probe.logits(window[None])[0]))).sum(axis=-1).mean()
                for p, window in zip(expected, windows, strict=True)
            ]
        )
        scale = float(divergence) / max(errors[PROBE], 1e-30)
        costs[name] = {text: scale * error for text, error in errors.items()}
        if progress:
            progress(done, len(names))
    return _climb(costs, sizes, budget - least)


def _climb(costs, sizes, spare: int) -> dict[str, str]:
    """Steps up the ladder, the most divergence saved per byte first, while bytes are left."""
    chosen = dict.fromkeys(costs, 0)
    heap: list[tuple[float, str]] = []

    def offer(name: str) -> None:
        if chosen[name] + 1 < len(LADDER):
            low, high = LADDER[chosen[name]], LADDER[chosen[name] + 1]
            more = sizes[name][high] - sizes[name][low]
            heapq.heappush(heap, (-(costs[name][low] - costs[name][high]) / more, name))

    for name in costs:
        offer(name)
    while heap:
        _, name = heapq.heappop(heap)
        low, high = LADDER[chosen[name]], LADDER[chosen[name] + 1]
        more = sizes[name][high] - sizes[name][low]
        if more <= spare:
            spare -= more
            chosen[name] += 1
            offer(name)
    return {name: LADDER[step] for name, step in chosen.items()}


def _errors(weights: np.ndarray, moments) -> tuple[np.ndarray, dict[str, float]]:
    """(weights in the probe's format, squared error in what leaves the matrix by format)."""
    errors, probe = {}, weights
    for text in LADDER:
        kind = WeightFormat.parse(text)
        scales = rounding.row_scales(weights, kind, moments)
        codes = rounding.codes(weights, kind, scales)
        rounded = codes.astype(np.float32) * scales.astype(np.float32)[:, None]
        errors[text] = float((((rounded - weights) ** 2) @ np.asarray(moments, np.float32)).sum())
        if text == PROBE:
            probe = rounded
    return probe, errors


def _moments(ranges: Ranges, name: str) -> np.ndarray:
    layer, _, kind = name.rpartition(".")
    return ranges.moments[f"{layer}.{INPUTS[kind]}" if layer else "final_norm"]


def _is_matrix(name: str) -> bool:
    return name in ("token_embedding", "lm_head") or name.rpartition(".")[2] in INPUTS


def _bytes(shape: tuple[int, int], text: str) -> int:
    bits = WeightFormat.parse(text).bits
    return -(-shape[0] * shape[1] * bits // 8) + ROW_BYTES * shape[0]
