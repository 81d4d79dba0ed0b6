"""What is said of lanes that a user asks for, and that would be idle."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError

from ..boards.board import Board
from .candidates import sizes
from .decoder.lanes import lane_sizes
from .facts import AnyModel
from .measurement import measured
from .search import choose, search
from .sizing import choose_sizes

NEAR = 1.5
"""Lanes that are a better number in place of others: at most so many times as many."""


def lanes_remark(model: AnyModel, board: Board, fixed: Mapping, hw: HwConfig) -> str | None:
    """One line if another number of lanes than was asked for is clearly better, otherwise None.

    Fewer are if they take no more cycles, more are if they save a larger part of the cycles than
    they add lanes. Every number counts with the sizes that a build with it would get. Cycles are
    exact. On a board with a budget it takes the search of a build that was asked for no lanes.

    Parameters
    ----------
    model, board : what is built, and for what
    fixed : sizes that the user gave, as of :func:`platforms.sizes.sizing.choose_sizes`
    hw : HwConfig, what that chose
    """
    asked = measured(model, [hw])[0][1]
    others = {name: value for name, value in fixed.items() if name != "lanes"}
    found = _searched(model, board, others) if board.budget else _simulated(model, board, others)
    cycles = {lanes: mean for lanes, mean in found.items() if lanes <= NEAR * hw.lanes}
    cycles.pop(hw.lanes, None)
    better = [lanes for lanes, mean in cycles.items() if lanes < hw.lanes and mean <= asked]
    if not better:
        cost = {lanes: lanes * mean for lanes, mean in cycles.items() if lanes > hw.lanes}
        better = [lanes for lanes in cost if cost[lanes] == min(cost.values()) < hw.lanes * asked]
    if not better:
        return None
    best = min(better)
    return (
        f"--lanes {hw.lanes} leaves lanes idle: it takes {asked:,.0f} cycles per token, --lanes "
        f"{best} {cycles[best]:,.0f}"
    )


def _searched(model: AnyModel, board: Board, fixed: dict) -> dict[int, float]:
    """Mean cycles of the choice with each number of lanes of which sizes fit."""
    candidates = search(model, board, fixed)
    by_lanes = {candidate.hw.lanes: [] for candidate in candidates}
    for candidate in candidates:
        by_lanes[candidate.hw.lanes].append(candidate)
    chosen = {lanes: choose(group) for lanes, group in by_lanes.items()}
    return {lanes: best.cycles for lanes, best in chosen.items() if best is not None}


def _simulated(model: AnyModel, board: Board, fixed: dict) -> dict[int, float]:
    """The same of a simulation, whose other sizes follow from the lanes."""
    if isinstance(model, DecoderModel):
        tried = lane_sizes(model.config, board.default_hw, {})
    else:
        tried = sizes(model.config, board.default_hw, fixed)
    chosen = {}
    for lanes in sorted({hw.lanes for hw in tried}):
        with contextlib.suppress(UserError):  # no multiple of the rows
            chosen[lanes] = choose_sizes(model, board, **fixed, lanes=lanes)
    return {hw.lanes: mean for hw, mean, _ in measured(model, list(chosen.values()))}
