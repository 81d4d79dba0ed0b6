"""Hardware sizes for a model on a board: an estimate before anything is synthesized.

The estimate chooses sizes and names alternatives; what counts is the synthesis after it. Block
memories and multipliers follow from the shapes; LUTs from coefficients fitted to synthesis runs
of the shipped model's core at several sizes.
"""

from __future__ import annotations

import dataclasses
import math

from gateware.bounds import prove_bounds
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

LUT_PER_TRIT = 13.4
LUT_PER_LANE = 44
LUT_PER_ROW = 170
LUT_FIXED = 2200
"""Fitted to synthesized cores; see the module's text."""

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


def estimate(model: IntegerModel, hw: HwConfig) -> Estimate:
    """What a core for ``model`` of these sizes will take, host interface included."""
    layout, bounds = Layout(model.config, hw), prove_bounds(model)
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
    decode = 1 if hw.packing == "3in5" else 0
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
    best = None
    for hw in _candidates(default, fixed):
        if estimate(model, hw).exceeding(board):
            continue
        rank = _rank(hw)
        if best is None or rank > best[0]:
            best = (rank, hw)
    if best is None:
        raise _no_fit(model, board, fixed)
    return best[1]


def nearest_fitting(model: IntegerModel, board: Board, hw: HwConfig) -> HwConfig | None:
    """The largest sizes, none larger than ``hw``'s, that are estimated to take clearly less."""
    limit = estimate(model, hw)
    fitting = [
        other
        for other in _candidates(dataclasses.asdict(hw), {})
        if other.rows <= hw.rows
        and other.cols <= hw.cols
        and other.lanes <= hw.lanes
        and not (use := estimate(model, other)).exceeding(board)
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
    candidates = list(_candidates(dataclasses.asdict(board.default_hw), fixed))
    if not candidates:
        given = ", ".join(f"{name} {value}" for name, value in fixed.items())
        return UserError(f"no sizes go with {given}; cols and lanes must be multiples of rows")
    least = min((estimate(model, hw) for hw in candidates), key=lambda e: len(e.exceeding(board)))
    resource = least.exceeding(board)[0]
    need, have = getattr(least, resource), getattr(board.budget, resource)
    advice = "choose other sizes" if fixed else "train a smaller model or choose a larger board"
    return UserError(
        f"the model does not fit {board.name}: it needs about {need:,.0f} {resource.upper()}, "
        f"{need - have:,.0f} more than the {have:,} there are; {advice}"
    )
