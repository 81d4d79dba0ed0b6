"""Exact cycles of several streams, of as few designs as the choice depends on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from gateformer.gateware.compiler.several_cores import cycles_together

from ..candidates import Candidate
from ..facts import AnyModel, sizer
from ..measurement import kept

TITLE = "counting the cycles of several streams, once for each model and version"


def counted_cycles(
    model: AnyModel, candidates: Sequence[Candidate], beat: float = math.inf
) -> list[Candidate]:
    """The same candidates, cycles counted where one may be the fastest that fits.

    The most promising first, until the least that the others may take is not less than ``beat`` or
    than the fastest takes. If none fits, the smallest that the device holds is counted.

    A design takes a tenth of a second to some seconds, by its streams, if it was not counted
    before on this machine.
    """
    numbers = [i for i, each in enumerate(candidates) if each.fits]
    if not numbers:
        held = [i for i, each in enumerate(candidates) if not each.missing]
        numbers = sorted(held, key=lambda i: candidates[i].need.lut)[:1]
    numbers.sort(key=lambda i: candidates[i].cycles)
    promising = [candidates[i] for i in numbers]
    key = ("together", beat, tuple((each.hw, each.cycles) for each in promising))

    def make(show: Callable[[str], None]) -> list[float]:
        return _count(model, promising, beat, show)

    found = list(candidates)
    exact = kept(key, model.digest, make, TITLE)
    for i, cycles in zip(numbers, exact, strict=False):
        found[i] = dataclasses.replace(found[i], cycles=cycles, least=False)
    return found


def _count(
    model: AnyModel, promising: Sequence[Candidate], best: float, show: Callable[[str], None]
) -> list[float]:
    """Cycles of as many of them as may be the fastest, in their order."""
    sized, found = sizer(model), []
    for candidate in promising:
        if candidate.cycles >= best:
            break
        found.append(cycles_together(sized(candidate.hw)))
        best = min(best, found[-1])
        show(f"{len(found)} of at most {len(promising)} sizes")
    return found
