"""Factors of what several streams take, from cores and tops that differ in nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...boards.board import board
from ...families.family import SITE_UNITS, UNITS, Family
from ..factors import facts_of, fit_factors, hw_of, loaded
from ..resource_model import (
    ResourceModel,
    flip_flop_terms,
    host_memories,
    load_data,
    lut_terms,
)
from .units import INTERLEAVER


def fit_interleaved(family: Family, points: Sequence[Mapping]) -> dict:
    """Factors of the interleaver, and what each further stream takes in a host.

    ``points``: of the data file; of every model and sizes one has one stream. What is fitted is
    what the others take more than that, so that errors of other units' predictions fall out.
    """
    trained = load_data()["families"][family.name]["factors"]
    model = ResourceModel(family, trained, {})
    cores = [point for point in points if point["what"] == "core"]
    several = [point for point in cores if hw_of(point).streams > 1]
    facts = [facts_of(point)[INTERLEAVER] for point in several]
    exact, luts = zip(*(lut_terms(family, each) for each in facts), strict=True)
    registers = [flip_flop_terms(family, each) for each in facts]
    kinds = {"lut": luts, "ff": registers, "carry": luts, "sites": luts}
    factors = {}
    for name, terms in kinds.items():
        if name not in several[0]:
            continue
        known = exact if name in ("lut", "sites") else [0] * len(several)
        wanted = [
            _of_interleaver(model, point, _alone(point, points), name) - memories
            for point, memories in zip(several, known, strict=True)
        ]
        factors[name] = fit_factors(terms, wanted)
    tops = [point for point in points if point["what"].startswith("top:")]
    consoles = dict.fromkeys(board(top["what"].partition(":")[2]).console for top in tops)
    hosts = {console: _further(family, console, tops, points) for console in consoles}
    return {"factors": {INTERLEAVER: factors}, "hosts": hosts}


def _alone(point: Mapping, points: Sequence[Mapping]) -> Mapping:
    """The point that differs in having one stream and core."""
    same = ("what", "model", "sizes")
    return next(
        other
        for other in points
        if hw_of(other).all_streams == 1 and all(other[name] == point[name] for name in same)
    )


def _of_interleaver(model: ResourceModel, point: Mapping, alone: Mapping, name: str) -> float:
    """What is left of what a core takes: all that has changed beside other units' memories."""
    several = {unit: facts for unit, facts in facts_of(point).items() if unit != INTERLEAVER}
    before = getattr(model.core_of(facts_of(alone)), name)
    others = getattr(model.core_of(several), name)
    return point[name] - alone[name] + before - others


def _further(
    family: Family, console: str, tops: Sequence[Mapping], points: Sequence[Mapping]
) -> dict:
    """What a stream takes in a host, but for its memories: mean of the tops."""
    found = [top for top in tops if board(top["what"].partition(":")[2]).console == console]
    several = [top for top in found if hw_of(top).all_streams > 1]
    further = sum(hw_of(top).all_streams - 1 for top in several)
    names = [*UNITS, *(SITE_UNITS if family.sites else ())]
    taken = {}
    for name in names:
        more = sum(
            _host(top, points, name) - _host(_alone(top, points), points, name) for top in several
        )
        memories = host_memories(family, console, loaded(several[0]["model"]).config)
        taken[name] = round(more / further - getattr(memories, name), 1)
    return taken


def _host(top: Mapping, points: Sequence[Mapping], name: str) -> float:
    """What a top takes beyond the same core."""
    same = ("model", "sizes", "streams", "cores")
    core = next(
        point
        for point in points
        if point["what"] == "core" and all(point[each] == top[each] for each in same)
    )
    return top[name] - core[name]
