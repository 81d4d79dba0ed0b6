"""Hardware sizes for a model on a board: an estimate before anything is synthesized.

The estimate chooses sizes and names alternatives; what counts is the synthesis after it. Block
memories and multipliers follow from the shapes; LUTs from coefficients per trit, lane and row.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math

from gateware.bounds import Bounds, prove_bounds
from gateware.hw_config import PACKINGS, HwConfig
from gateware.layout import Layout
from gateware.memory_images import matrix_maps
from gateware.packing import weight_format
from model.errors import UserError
from model.integer_model import IntegerModel

from .board import Board

ROWS = (16, 8, 4, 2, 1)
COLS = (128, 64, 32, 16, 8, 4, 2, 1)
LANES = (64, 32, 16, 8, 4, 2, 1)

LUT_PER_TRIT = 10.9
LUT_PER_LANE = 24.6
LUT_PER_ROW = 197
LUT_FIXED = 2500
"""Fitted to the shipped model's Zybo top, synthesized at 8 × 64 weights and 64 lanes (11,041 LUT),
4 × 64 and 32 (7,347), and 4 × 32 packed 3-in-5 and 16 (5,380): within 7 %."""

RAMB18_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""(depth, width) of half a 7-series block memory in simple dual port mode (UG473)."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Estimated use of a board: LUTs, block memories of 36 Kb, multiplier blocks."""

    lut: float
    bram36: float
    dsp: int

    def exceeding(self, board: Board) -> list[str]:
        """Resources of which the board has too few; a simulation has enough of everything."""
        if board.budget is None:
            return []
        return [
            name
            for name in ("lut", "bram36", "dsp")
            if getattr(self, name) > getattr(board.budget, name)
        ]


def block_memories(depth: int, width: int) -> float:
    """36 Kb block memories of one memory, in halves."""
    if not depth or not width:
        return 0
    return min(math.ceil(depth / d) * math.ceil(width / w) for d, w in RAMB18_SHAPES) / 2


def estimate(model: IntegerModel, bounds: Bounds, hw: HwConfig) -> Estimate:
    """What a core for ``model`` of these sizes will take, host interface included."""
    layout = Layout(model.config, hw)
    words = scales = 0
    for name, matrix in model.matrices.items():
        _, _, rows, cols = matrix_maps(layout, name)
        words += rows * matrix.digits * layout.chunks(cols)
        scales += rows
    scales += len(model.norms) * layout.d_groups
    bram = block_memories(words, weight_format(hw.packing).width(hw.rows, hw.cols))
    bram += block_memories(scales, 18 * hw.rows)
    bram += layout.word_groups * block_memories(layout.array_depth, 8 * hw.rows)
    bram += block_memories(model.config.vocab_size, bounds.logit_width)
    decode = 2.2 if hw.packing == "3in5" else 0
    lut = LUT_FIXED + LUT_PER_ROW * hw.rows + LUT_PER_LANE * layout.lanes
    lut += (LUT_PER_TRIT + decode) * hw.rows * hw.cols
    wide = 2 if bounds.acc_width > 25 else 1
    return Estimate(lut, bram, layout.lanes + (1 + wide) * hw.rows)


def choose_sizes(model: IntegerModel, board: Board, **fixed) -> HwConfig:
    """The most parallel sizes that are estimated to fit ``board``.

    ``fixed``: any of ``rows``, ``cols``, ``lanes``, ``packing``, as the user gave them.

    Raises
    ------
    UserError
        If a given size is invalid, or no sizes fit; names the resource that runs out.
    """
    # an invalid value is reported as such, not as something that doesn't fit
    HwConfig(**{"rows": 1, **fixed})
    default = _useful(model, board.default_hw)
    bounds, best = prove_bounds(model), None
    for hw in _candidates(default, fixed):
        if estimate(model, bounds, hw).exceeding(board):
            continue
        rank = _rank(hw)
        if best is None or rank > best[0]:
            best = (rank, hw)
    if best is None:
        raise _no_fit(model, board, fixed)
    return best[1]


def nearest_fitting(model: IntegerModel, board: Board, hw: HwConfig) -> HwConfig | None:
    """The largest sizes, none larger than ``hw``'s, that are estimated to take clearly less."""
    bounds = prove_bounds(model)
    limit = estimate(model, bounds, hw)
    fitting = [
        other
        for other in _candidates(dataclasses.asdict(hw), {})
        if other.rows <= hw.rows
        and other.cols <= hw.cols
        and other.lanes <= hw.lanes
        and not (use := estimate(model, bounds, other)).exceeding(board)
        and use.lut < 0.95 * limit.lut
    ]
    return max(fitting, key=_rank, default=None)


def _candidates(default: dict, fixed: dict):
    for rows in _options("rows", ROWS, default, fixed):
        for cols in _options("cols", COLS, default, fixed):
            for lanes in _options("lanes", LANES, default, fixed):
                for packing in _options("packing", PACKINGS, default, fixed):
                    if cols % rows == 0 and lanes % rows == 0:
                        yield HwConfig(rows, cols, lanes, packing)


def _options(name: str, options: tuple, default: dict, fixed: dict) -> tuple:
    if name in fixed:
        return (fixed[name],)
    # no board gets larger engines than it was designed for
    return tuple(o for o in options if name == "packing" or o <= default[name])


def _useful(model: IntegerModel, hw: HwConfig) -> dict:
    """``hw``'s sizes, less what a small model would leave idle."""
    cfg = model.config
    widest = 2 ** (max(cfg.d_model, cfg.d_ff) - 1).bit_length()
    limits = {"rows": widest, "cols": widest, "lanes": 2 ** (cfg.d_model - 1).bit_length()}
    sizes = dataclasses.asdict(hw)
    return {name: min(size, limits.get(name, size)) for name, size in sizes.items()}


def _rank(hw: HwConfig) -> tuple:
    """More weights per cycle first, then more lanes, the packing without a decoder, fewer rows."""
    return (hw.rows * hw.cols, hw.lanes, hw.packing == PACKINGS[0], -hw.rows)


def _no_fit(model: IntegerModel, board: Board, fixed: dict) -> UserError:
    candidates = list(_candidates(_useful(model, board.default_hw), fixed))
    given = " ".join(f"--{name} {value}" for name, value in fixed.items())
    if not candidates:
        return UserError(f"no sizes go with {given}: cols and lanes must be multiples of rows")
    bounds = prove_bounds(model)
    estimates = [estimate(model, bounds, hw) for hw in candidates]
    least = min(estimates, key=lambda e: (len(e.exceeding(board)), e.lut))
    resource = least.exceeding(board)[0]
    need, have = getattr(least, resource), getattr(board.budget, resource)
    advice = "train a smaller model or choose a larger board"
    if fixed:
        with contextlib.suppress(UserError):
            hw = choose_sizes(model, board)
            advice = f"try {size_options(hw)}"
    return UserError(
        f"the model does not fit {board.name}{' with ' + given if fixed else ''}: it needs about "
        f"{need:,.0f} {resource.upper()}, {need - have:,.0f} more than the {have:,} there are; "
        f"{advice}"
    )


def size_options(hw: HwConfig) -> str:
    """Command-line options that choose ``hw``."""
    sizes = f"--rows {hw.rows} --cols {hw.cols} --lanes {hw.lanes}"
    return sizes if hw.packing == PACKINGS[0] else f"{sizes} --packing {hw.packing}"
