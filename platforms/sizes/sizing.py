"""Hardware sizes for a model on a board, before anything is synthesized, and what to say if none.

With a board, the sizes are those that :mod:`platforms.sizes.search` finds. The prediction only
chooses; what counts is the synthesis after it.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from gateformer.gateware.plan.hw_config import PACKINGS, HwConfig
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.contract.integer_model import IntegerModel
from gateformer.model.support.errors import UserError

from ..boards.board import Board
from .decoder.lanes import simulated
from .facts import AnyModel
from .search import SEARCHED, choose, nearest, no_fit_advice, predicted, search, shortage

CLEARLY_LESS = 0.95
"""Part of a design's LUTs below which a smaller one is worth a try."""


def choose_sizes(
    model: AnyModel, board: Board, *, streams: int = 1, cores: int = 1, **fixed
) -> HwConfig:
    """The sizes with the fewest mean cycles per token that are predicted to fit ``board``, of so
    many streams and cores, which all have.

    Those of :func:`platforms.sizes.search.choose`. A simulation gets its default sizes, less what
    the model would leave idle.

    ``fixed``: any of ``rows``, ``cols``, ``lanes``, ``packing``, as the user gave them; of an
    imported model only ``lanes``.

    Raises
    ------
    UserError
        If a given size is invalid, or no sizes fit; names the resource that runs out.
    """
    imported = isinstance(model, DecoderModel)
    if imported and set(fixed) - {"lanes"}:
        raise UserError(
            f"{_options(fixed)}: the core of an imported model has --lanes alone; leave others out"
        )
    several = {"streams": streams, "cores": cores}
    if imported and (given := {name: value for name, value in several.items() if value != 1}):
        raise UserError(
            f"{_options(given)}: the core of an imported model on chip is one, of one stream; "
            "leave it out"
        )
    # an invalid value is reported as such, not as something that doesn't fit
    HwConfig(**{"rows": 1, **fixed}, **several)
    if board.budget is None and imported:
        return simulated(model.config, board.default_hw, fixed)
    if board.budget is None:
        default = dataclasses.replace(board.default_hw, **several)
        return _largest_useful(model, default, fixed)
    candidates = search(model, board, fixed, **several)
    best = choose(candidates)
    if best is None:
        raise _no_fit(model, board, fixed, candidates, several)
    return best.hw


def nearest_fitting(model: AnyModel, board: Board, hw: HwConfig) -> HwConfig | None:
    """The fastest sizes, none larger than ``hw``'s, that are predicted to take clearly less."""
    given = {name: getattr(hw, name) for name in SEARCHED}
    several = {"streams": hw.streams, "cores": hw.cores}
    (need,) = (candidate.need for candidate in predicted(model, board, [hw]))
    smaller = [
        candidate
        for candidate in search(model, board, **several)
        if all(getattr(candidate.hw, name) <= given[name] for name in ("rows", "cols", "lanes"))
        and candidate.need.lut < CLEARLY_LESS * need.lut
    ]
    best = choose(smaller)
    return None if best is None else best.hw


def fewer_that_fit(model: AnyModel, board: Board, hw: HwConfig) -> str | None:
    """Options for as many streams, or cores, as are predicted to fit with the sizes of ``hw``."""
    for name in ("streams", "cores"):
        for number in range(getattr(hw, name) - 1, 0, -1):
            fewer = dataclasses.replace(hw, **{name: number})
            if not any(candidate.missing for candidate in predicted(model, board, [fewer])):
                return f"--{name} {number}"
    return None


def size_options(model: AnyModel, hw: HwConfig) -> str:
    """Command-line options that choose ``hw`` for a model."""
    if isinstance(model, DecoderModel):
        return f"--lanes {hw.lanes}"
    sizes = f"--rows {hw.rows} --cols {hw.cols} --lanes {hw.lanes}"
    return sizes if hw.packing == PACKINGS[0] else f"{sizes} --packing {hw.packing}"


def _largest_useful(model: IntegerModel, default: HwConfig, fixed: dict) -> HwConfig:
    cfg = model.config
    widest = _power_of_two(max(cfg.d_model, cfg.d_ff))
    useful = {"rows": widest, "cols": widest, "lanes": _power_of_two(cfg.d_model)}
    sizes = {name: min(getattr(default, name), most) for name, most in useful.items()}
    for rows in _halves(fixed.get("rows", sizes["rows"]), "rows" in fixed):
        chosen = {**sizes, **fixed, "rows": rows}
        for name in ("cols", "lanes"):
            if "rows" in fixed and name not in fixed:
                chosen[name] = -(-chosen[name] // rows) * rows
        if chosen["cols"] % rows == 0 and chosen["lanes"] % rows == 0:
            return dataclasses.replace(default, **chosen)
    raise _no_multiple(fixed)


def _power_of_two(number: int) -> int:
    """The least one that is not below ``number``."""
    return 2 ** (number - 1).bit_length()


def _halves(number: int, fixed: bool) -> Iterator[int]:
    yield number
    while number > 1 and not fixed:
        number //= 2
        yield number


def _options(fixed: dict) -> str:
    return " ".join(f"--{name} {value}" for name, value in fixed.items())


def _no_multiple(fixed: dict) -> UserError:
    return UserError(
        f"no sizes go with {_options(fixed)}: cols and lanes must be multiples of rows"
    )


def _no_fit(
    model: AnyModel, board: Board, fixed: dict, candidates: list, several: dict
) -> UserError:
    if not candidates:
        return _no_multiple(fixed)
    tried, given = [], fixed | {name: number for name, number in several.items() if number > 1}
    if fixed:
        with contextlib.suppress(UserError):
            tried.append(size_options(model, choose_sizes(model, board, **several)))
    fewer = fewer_that_fit(model, board, nearest(candidates).hw)
    if fewer is not None:
        tried.append(fewer)
    advice = f"try {' or '.join(tried)}" if tried else no_fit_advice(candidates)
    return UserError(
        f"the model does not fit {board.label}{' with ' + _options(given) if given else ''}: "
        f"{shortage(candidates, board)}; {advice}"
    )
