"""How many streams and cores give the most tokens of all together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from gateformer.gateware.plan.hw_config import MOST_STREAMS
from gateformer.model.contract.integer_model import IntegerModel

from ...boards.board import Board
from ..search import Candidate, choose, predicted, search
from .counted import counted_cycles

GAIN = 0.01
"""Part of the cycles that more streams or cores must save: a text alone gets no faster by them,
and they leave less room to place and route."""


def best_together(model: IntegerModel, board: Board, fixed: dict | None = None) -> list[Candidate]:
    """The choice of one stream, then of each larger number of streams and cores whose choice is at
    least :data:`GAIN` faster than all before: the last one is the fastest. Empty if none fits.

    ``fixed``, exceptions: as of :func:`platforms.sizes.search.search`. Takes about a minute if the
    model was not searched before on this machine.
    """
    alone = search(model, board, fixed)
    first = choose(alone)
    if first is None or not first.fits:
        return [] if first is None else [first]
    found, fitting = [first], {1: alone}
    for streams in range(1, MOST_STREAMS + 1):
        for cores in (n for n in range(1, streams + 1) if streams % n == 0):
            each, beat = streams // cores, (1 - GAIN) * found[-1].cycles
            if each not in fitting:
                hardware = _with(_promising(fitting[each - 1], beat), each, 1)
                fitting[each] = predicted(model, board, hardware)
            if cores * each == 1:
                continue
            candidates = predicted(model, board, _with(_fitting(fitting[each]), each, cores))
            best = choose(counted_cycles(model, candidates, beat))
            if best is not None and best.fits and not best.least and best.cycles < beat:
                found.append(best)
    return found


def _fitting(candidates: Sequence[Candidate]) -> list[Candidate]:
    return [candidate for candidate in candidates if candidate.fits]


def _promising(candidates: Sequence[Candidate], beat: float) -> list[Candidate]:
    """Those of which one more stream may fit, and in some number of cores be fast enough."""
    promising = []
    for candidate in _fitting(candidates):
        streams = candidate.hw.streams
        # what one more can save of the least cycles
        least = candidate.cycles * streams / (streams + 1)
        if least / (MOST_STREAMS // (streams + 1)) < beat:
            promising.append(candidate)
    return promising


def _with(candidates: Sequence[Candidate], streams: int, cores: int) -> list:
    """Their sizes with so many."""
    return [dataclasses.replace(each.hw, streams=streams, cores=cores) for each in candidates]
