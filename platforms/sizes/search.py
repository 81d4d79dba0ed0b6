"""Search of the hardware sizes of a model on a board: candidates, Pareto front, choice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from gateformer.gateware.parts import dsp48
from gateformer.gateware.plan.hw_config import PACKINGS, HwConfig
from gateformer.gateware.plan.layout import Layout
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.counted import counted

from ..boards.board import Board
from ..boards.target import UART
from ..families.family import UNITS
from ..families.toolchain_limits import device_total, toolchain_limits
from .decoder.console import console_more
from .decoder.lanes import TooManyBits, check_memory, lane_sizes
from .facts import AnyModel
from .families import ROOM, limits, short_name
from .measurement import measured
from .resource_model import Prediction, resource_model

ROWS = (1, 2, 4, 8, 16)
MAX_COLS = 128
NO_FIT_ADVICE = "train a smaller model or choose a larger board"
NO_FIT_IMPORTED = (
    "import it with fewer --bits, a smaller --context or both, or choose a larger board"
)
SEARCHED = ("rows", "cols", "lanes", "packing")
"""Fields of HwConfig that the search varies; the others are the board's."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Sizes, their exact mean cycles per token, and what the board's top will take.

    ``exceeded``: resources of which it takes more than the choice may (see
    :func:`platforms.sizes.families.limits`), in the order of
    :data:`platforms.families.family.UNITS`, then LUT sites and what only a toolchain limits.
    ``missing``: those of which the device has, or its toolchain can use, too few. ``imported``: of
    a core without a ternary engine, which has lanes alone.
    """

    hw: HwConfig
    cycles: float
    need: Prediction
    exceeded: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    imported: bool = False

    @property
    def fits(self) -> bool:
        return not self.exceeded

    @property
    def text(self) -> str:
        """Its sizes, as :func:`sizes_text`."""
        return sizes_text(self.hw, self.imported)


def sizes(config: ModelConfig, base: HwConfig, fixed: dict) -> list[HwConfig]:
    """Candidates for a model: ``base`` with other rows, cols, lanes and packing.

    ``fixed``: any of :data:`SEARCHED`, which then have that one value. Columns are powers of two
    and what divides the vectors without a remainder; of lanes that lay the array out in the same
    way there are only the fewest.
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


def search(model: AnyModel, board: Board, fixed: dict | None = None) -> list[Candidate]:
    """Every candidate for ``board``, which must have a budget, the fastest first.

    Unless ``fixed`` asks for it, no engine of a trained model is larger than in
    ``board.default_hw``: those are the largest at which the board's clock was checked. Of an
    imported model only ``lanes`` of ``fixed`` is heeded.

    Takes some 20 ms per candidate for a model that was not searched before on this machine.
    Raises UserError as :func:`platforms.sizes.resource_model.resource_model`,
    :func:`platforms.sizes.facts.sizer` and :func:`platforms.sizes.decoder.lanes.check_memory`.
    """
    fixed = fixed or {}
    family = board.family
    predicted = resource_model(family)
    host = predicted.host(board.console, model.config)
    most = limits(family, board.budget, board.limits)
    held = _held(board)
    found, imported = [], isinstance(model, DecoderModel)
    if imported:
        check_memory(model, board)
        if board.console == UART:
            host += console_more(family, model)
        candidates = lane_sizes(model.config, board.default_hw, fixed)
    else:
        candidates = sizes(model.config, board.default_hw, fixed)
        candidates = [hw for hw in candidates if _is_within(hw, board.default_hw, fixed)]
        if family.dsp not in dsp48.FAMILIES and "lanes" not in fixed:
            # two products in a multiplier take more than two multipliers do
            candidates = [hw for hw in candidates if Layout(model.config, hw).halves == 1]
    for hw, cycles, needs in measured(model, candidates):
        need = needs[family.name] + host
        exceeded = _above(need, most)
        missing = _above(need, held)
        found.append(Candidate(hw, cycles, need, exceeded, missing, imported))
    return sorted(found, key=_speed)


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
    return (candidate.cycles, candidate.need.lut)


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


def shortage(candidates: Sequence[Candidate], board: Board) -> str:
    """What the candidate that comes nearest to fitting lacks, if :func:`choose` finds none."""
    least = min(candidates, key=lambda c: (len(c.missing), c.need.lut))
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
    imported = all(c.imported for c in candidates)
    return NO_FIT_IMPORTED if imported else NO_FIT_ADVICE


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
    held = _held(board)
    names = limits(board.family, board.budget, board.limits)
    short = {name: sum(name in c.exceeded for c in faster) for name in names}
    needs = [
        f"{short[name]} need more {short_name(name)} ({_count(getattr(chosen.need, name))} of "
        f"{held.get(name, device_total(board.budget, name)):,.0f} taken)"
        for name in sorted(names, key=short.__getitem__, reverse=True)
        if short[name]
    ]
    return f"{text}; of {len(faster)} faster {', '.join(needs)}"


def _count(number: float) -> str:
    return f"{number:,.1f}".removesuffix(".0") if number < 1000 else f"{number:,.0f}"


def room_taken(candidate: Candidate, board: Board) -> str:
    """Predicted share of the LUTs' places: "77% of the LUT sites"."""
    kind = "sites" if board.family.sites else "lut"
    share = getattr(candidate.need, kind) / device_total(board.budget, kind)
    return f"{share:.0%} of the {short_name(kind)}{'' if kind == 'sites' else 's'}"


def sizes_text(hw: HwConfig, imported: bool) -> str:
    """``8 × 64, 64 lanes, 2bit``, of an imported model's core, which has no ternary engine,
    ``64 lanes``."""
    if imported:
        return counted(hw.lanes, "lane")
    return f"{hw.rows} × {hw.cols}, {counted(hw.lanes, 'lane')}, {hw.packing}"
