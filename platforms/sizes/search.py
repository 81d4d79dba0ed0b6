"""Search of the hardware sizes of a model on a board: candidates, Pareto front, choice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.decoder.model import DecoderModel

from ..boards.board import Board
from ..boards.target import UART
from ..families.family import UNITS
from ..families.toolchain_limits import device_total, toolchain_limits
from .candidates import Candidate, candidate_sizes
from .decoder.console import console_more
from .decoder.lanes import TooManyBits
from .facts import AnyModel
from .families import ROOM, limits, short_name
from .interleaved.counted import counted_cycles
from .measurement import measured
from .resource_model import Prediction, resource_model

NO_FIT_ADVICE = "train a smaller model or choose a larger board"
NO_FIT_IMPORTED = (
    "import it with fewer --bits, a smaller --context or both, or choose a larger board"
)
SEARCHED = ("rows", "cols", "lanes", "packing")
"""Fields of HwConfig that the search varies; the others are the board's."""


def search(
    model: AnyModel, board: Board, fixed: dict | None = None, *, streams: int = 1, cores: int = 1
) -> list[Candidate]:
    """Every candidate for ``board``, which must have a budget, the fastest first.

    With several ``streams`` or ``cores``, of a trained model, cycles are those of a token of all
    together, and counted where a choice could depend on it
    (:func:`platforms.sizes.interleaved.counted.counted_cycles`).

    Unless ``fixed`` asks for it, no engine of a trained model is larger than in
    ``board.default_hw``: those are the largest at which the board's clock was checked. Of an
    imported model only ``lanes`` of ``fixed`` is heeded.

    Takes some 20 ms per candidate for a model that was not searched before on this machine.
    Raises UserError as :func:`platforms.sizes.resource_model.resource_model`,
    :func:`platforms.sizes.facts.sizer` and :func:`platforms.sizes.decoder.lanes.check_memory`.
    """
    several = {"streams": streams, "cores": cores}
    found = predicted(model, board, candidate_sizes(model, board, fixed or {}, several))
    if streams * cores > 1:
        found = counted_cycles(model, found)
    return sorted(found, key=_speed)


def predicted(model: AnyModel, board: Board, candidates: Sequence[HwConfig]) -> list[Candidate]:
    """Candidates of these sizes; with several streams or cores, which all have the same number of,
    their cycles are the least possible."""
    family, imported = board.family, isinstance(model, DecoderModel)
    most, held = limits(family, board.budget, board.limits), _held(board)
    found = []
    one_core = [dataclasses.replace(hw, cores=1) for hw in candidates]
    for hw, (_, cycles, needs) in zip(candidates, measured(model, one_core), strict=True):
        need = needs[family.name].times(hw.cores) + _host(model, board, hw.all_streams)
        exceeded, missing = _above(need, most), _above(need, held)
        least = hw.all_streams > 1
        found.append(Candidate(hw, cycles / hw.cores, need, exceeded, missing, imported, least))
    return found


def _host(model: AnyModel, board: Board, streams: int) -> Prediction:
    """What the board's top takes beyond the cores."""
    host = resource_model(board.family).host(board.console, model.config, streams)
    if board.console == UART and isinstance(model, DecoderModel):
        host += console_more(board.family, model)
    return host


def search_all(model: AnyModel, boards: Iterable[Board]) -> list[tuple[Board, list[Candidate]]]:
    """Every board with its candidates; none if its block memories are too few for any of them."""
    found = []
    for board in boards:
        try:
            found.append((board, search(model, board)))
        except TooManyBits:
            found.append((board, []))
    return found


def _held(board: Board) -> dict[str, float]:
    """What there is of each resource: of the device, and of it what the toolchain can use."""
    there = {name: getattr(board.budget, name) for name in UNITS}
    for name, usable in toolchain_limits(board.budget, board.limits).items():
        there[name] = min(there.get(name, int(usable)), int(usable))
    return there


def _above(need: Prediction, most: Mapping[str, float]) -> tuple[str, ...]:
    """Resources of which more is needed; one that the prediction does not have is not judged."""
    return tuple(name for name in most if getattr(need, name, 0) > most[name])


def _speed(candidate: Candidate) -> tuple:
    return (candidate.cycles, candidate.least, candidate.need.lut)


def choose(candidates: Sequence[Candidate]) -> Candidate | None:
    """The candidate with the fewest mean cycles that fits; of equals the one with fewest LUTs.

    If none leaves the LUTs free that place and route is given, or their sites, the smallest that
    the device holds.
    """
    fitting = [c for c in candidates if c.fits]
    if fitting:
        return min(fitting, key=_speed)
    held = [c for c in candidates if not c.missing]
    return min(held, key=lambda c: c.need.lut, default=None)


def nearest(candidates: Sequence[Candidate]) -> Candidate:
    """The one that comes nearest to fitting."""
    return min(candidates, key=lambda c: (len(c.missing), c.need.lut))


def shortage(candidates: Sequence[Candidate], board: Board) -> str:
    """What the candidate that comes nearest to fitting lacks, if :func:`choose` finds none."""
    least = nearest(candidates)
    resource = least.missing[0]
    need, have = getattr(least.need, resource), _held(board)[resource]
    there_are = "there are"
    if resource in toolchain_limits(board.budget, board.limits):
        there_are = f"{board.toolchains[0]} can use"
    return (
        f"it needs about {need:,.0f} {short_name(resource)}, {need - have:,.0f} more than the "
        f"{have:,} {there_are}"
    )


def no_fit_advice(candidates: Sequence[Candidate]) -> str:
    """What to do if none of them fits; only of an imported model there may be none at all."""
    if all(c.imported for c in candidates):
        return NO_FIT_IMPORTED
    fewer = any(c.hw.all_streams > 1 for c in candidates)
    return f"take fewer streams or cores, {NO_FIT_ADVICE}" if fewer else NO_FIT_ADVICE


def pareto_front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates to which no other is better in cycles or LUTs and at least equal in both.

    Only those count whose block memories, multipliers and flip-flops are there. The fastest comes
    first.
    """
    front: list[Candidate] = []
    for candidate in sorted(candidates, key=_speed):
        if set(candidate.exceeded) - set(ROOM):
            continue
        if not front or candidate.need.lut < front[-1].need.lut:
            front.append(candidate)
    return front


def reason(candidates: Sequence[Candidate], chosen: Candidate, board: Board) -> str:
    """Why ``chosen`` was chosen, in one line."""
    fitting = sum(c.fits for c in candidates)
    if not chosen.fits:
        taken = room_taken(chosen, board)
        return f"{chosen.text}: the smallest; it takes {taken} and may not route"
    text = f"{chosen.text}: fewest cycles of the {fitting} of {len(candidates)} sizes that fit"
    faster = [c for c in candidates if c.cycles < chosen.cycles]
    if not faster and chosen.imported:
        return text
    if not faster:
        return f"{text}; the board's clock was not checked with larger ones"
    known = "that may be faster" if any(c.least for c in faster) else "faster"
    held = _held(board)
    names = limits(board.family, board.budget, board.limits)
    short = {name: sum(name in c.exceeded for c in faster) for name in names}
    needs = [
        f"{short[name]} need more {short_name(name)} ({_count(getattr(chosen.need, name))} of "
        f"{held.get(name, device_total(board.budget, name)):,.0f} taken)"
        for name in sorted(names, key=short.__getitem__, reverse=True)
        if short[name]
    ]
    return f"{text}; of {len(faster)} {known} {', '.join(needs)}"


def _count(number: float) -> str:
    return f"{number:,.1f}".removesuffix(".0") if number < 1000 else f"{number:,.0f}"


def room_taken(candidate: Candidate, board: Board) -> str:
    """Predicted share of the LUTs' places: "77% of the LUT sites"."""
    kind = "sites" if board.family.sites else "lut"
    share = getattr(candidate.need, kind) / device_total(board.budget, kind)
    return f"{share:.0%} of the {short_name(kind)}{'' if kind == 'sites' else 's'}"
