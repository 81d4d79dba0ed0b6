"""Sizes that make sense for a model: what a search tries."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from gateformer.gateware.parts.pair_multiplier import PAIR_FAMILIES
from gateformer.gateware.plan.hw_config import PACKINGS, HwConfig
from gateformer.gateware.plan.layout import Layout
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.counted import counted

from ..boards.board import Board
from .decoder.lanes import check_memory, lane_sizes
from .facts import AnyModel
from .resource_model import Prediction

ROWS = (1, 2, 4, 8, 16)
MAX_COLS = 128


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Sizes, their exact mean cycles per token, and what the board's top will take.

    ``exceeded``: resources of which it takes more than the choice may (see
    :func:`platforms.sizes.families.limits`), in the order of
    :data:`platforms.families.family.UNITS`, then LUT sites and what only a toolchain limits.
    ``least``: a token of all streams takes that many cycles or more; they are not counted, since
    the sizes do not fit, or others that do are faster.
    ``missing``: those of which the device has, or its toolchain can use, too few. ``imported``: of
    a core without a ternary engine, which has lanes alone.
    """

    hw: HwConfig
    cycles: float
    need: Prediction
    exceeded: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    imported: bool = False
    least: bool = False

    @property
    def fits(self) -> bool:
        return not self.exceeded

    @property
    def text(self) -> str:
        """Its sizes, as :func:`sizes_text`."""
        return sizes_text(self.hw, self.imported)


def sizes_text(hw: HwConfig, imported: bool) -> str:
    """``8 × 64, 64 lanes, 2bit``, of several streams and cores
    ``2 cores of 8 × 64, 64 lanes, 2bit, 3 streams``; of an imported model's core, which has no
    ternary engine, ``64 lanes``."""
    if imported:
        return counted(hw.lanes, "lane")
    text = f"{hw.rows} × {hw.cols}, {counted(hw.lanes, 'lane')}, {hw.packing}"
    if hw.streams > 1:
        text += f", {counted(hw.streams, 'stream')}"
    return f"{counted(hw.cores, 'core')} of {text}" if hw.cores > 1 else text


def candidate_sizes(model: AnyModel, board: Board, fixed: dict, several: dict) -> list[HwConfig]:
    """What :func:`platforms.sizes.search.search` searches for a board.

    ``fixed``: sizes that are given; ``several``: streams and cores, which the core of an imported
    model does not have. Raises UserError as :func:`platforms.sizes.decoder.lanes.check_memory`.
    """
    if isinstance(model, DecoderModel):
        check_memory(model, board)
        return lane_sizes(model.config, board.default_hw, fixed)
    candidates = sizes(model.config, dataclasses.replace(board.default_hw, **several), fixed)
    candidates = [hw for hw in candidates if _is_within(hw, board.default_hw, fixed)]
    if board.family.dsp not in PAIR_FAMILIES and "lanes" not in fixed:
        # a lane of two products takes more than two of one
        candidates = [hw for hw in candidates if Layout(model.config, hw).halves == 1]
    return candidates


def sizes(config: ModelConfig, base: HwConfig, fixed: dict) -> list[HwConfig]:
    """Candidates for a model: ``base`` with other rows, cols, lanes and packing.

    ``fixed``: any of :data:`platforms.sizes.search.SEARCHED`, which then have that one value.
    Columns are powers of two and what divides the vectors without a remainder; of lanes that lay
    the array out in the same way there are only the fewest.
    """
    found = []
    widest = max(config.d_model, config.d_ff)
    for rows in _options(fixed, "rows", [r for r in ROWS if r == 1 or r <= widest]):
        layouts = {}
        for lanes in _options(fixed, "lanes", _lanes(config, rows)):
            if lanes % rows == 0:
                layout = Layout(config, HwConfig(rows, rows, lanes))
                key = (layout.word_groups, layout.segments, layout.halves)
                layouts.setdefault(key, lanes)
        for cols in _options(fixed, "cols", _cols(config, rows)):
            if cols % rows:
                continue
            for lanes in layouts.values():
                for packing in _options(fixed, "packing", PACKINGS):
                    chosen = {"rows": rows, "cols": cols, "lanes": lanes, "packing": packing}
                    found.append(dataclasses.replace(base, **chosen))
    return found


def _options(fixed: dict, name: str, options: Iterable) -> list:
    return [fixed[name]] if name in fixed else list(options)


def _cols(config: ModelConfig, rows: int) -> list[int]:
    widest = max(-(-n // rows) * rows for n in (config.d_model, config.d_ff))
    options = {
        cols
        for cols in range(rows, min(MAX_COLS, widest) + 1, rows)
        if cols & (cols - 1) == 0 or config.d_model % cols == 0 or config.d_ff % cols == 0
    }
    if widest <= MAX_COLS:
        options.add(widest)
    # fewer columns than this save next to nothing
    return sorted(cols for cols in options if cols >= min(8, widest))


def _lanes(config: ModelConfig, rows: int) -> list[int]:
    head = -(-config.head_dim // rows) * rows
    words, parts = set(), 1
    while parts <= head // rows:
        words.add(-(-head // parts // rows) * rows)
        parts *= 2
    heads = {head * number for number in range(1, config.n_heads + 1)}
    # a word of all heads, and two of them
    return sorted(words | heads | {2 * head * config.n_heads})


def _is_within(hw: HwConfig, largest: HwConfig, fixed: dict) -> bool:
    return (
        (hw.rows <= largest.rows or "rows" in fixed)
        and (hw.rows * hw.cols <= largest.rows * largest.cols or {"rows", "cols"} & set(fixed))
        and (hw.lanes <= largest.lanes or "lanes" in fixed)
    )
