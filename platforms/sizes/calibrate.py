"""Calibration of the resource model: synthesize points, fit factors, write the data file."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from gateformer.model.contract.artifact import open_model
from gateformer.model.support.whole_file import write_whole

from ..boards.board import board
from ..families.family import SITE_UNITS, UNITS, Family
from ..support import yosys
from .decoder.points import decoder_runs
from .decoder.units import GLUE as DECODER_GLUE
from .decoder.units import MODULES
from .facts import core_facts, sizer
from .families import FAMILIES
from .jobs import run_jobs
from .points import UNIT_POINTS, Point, Run, cells, runs
from .program import gateware_digest
from .resource_model import (
    DATA_FILE,
    SECTIONS,
    Prediction,
    ResourceModel,
    flip_flop_terms,
    host_memories,
    load_data,
    lut_terms,
)
from .units import UnitFacts

COMMAND = "gateformer fit --calibrate"
_TERMS = {"lut": "luts", "ff": "flip_flops", "carry": "luts", "sites": "luts"}
"""Counts of :class:`platforms.sizes.units.UnitFacts` that each resource follows."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of core: its section of the data file, its units, what is synthesized of it.

    ``glue``: what a core takes beyond its ``units``; points of whole cores are called so, too.
    """

    section: str
    units: tuple[str, ...]
    glue: str
    runs: Callable[[str], list[Run]]


KINDS = {
    "trained": Kind(SECTIONS[0], tuple(UNIT_POINTS), "core", runs),
    "imported": Kind(SECTIONS[1], tuple(MODULES), DECODER_GLUE, decoder_runs),
}


def calibrate(
    families: Iterable[str],
    kinds: Iterable[str] = tuple(KINDS),
    *,
    jobs: int = 1,
    scheduler: str | None = None,
) -> dict:
    """Synthesize every point of ``families`` and write the data file; its new contents.

    ``kinds``: of :data:`KINDS`. Data of other families and kinds stay as they are. A run that was
    done before is not repeated. Raises UserError as :func:`platforms.sizes.jobs.run_jobs`.
    """
    chosen = [KINDS[name] for name in kinds]
    sections = {
        run: kind.section for name in families for kind in chosen for run in kind.runs(name)
    }
    counted: dict[tuple[str, str], list] = {}
    results = run_jobs(cells, list(sections), what="synthesis", jobs=jobs, scheduler=scheduler)
    for run, counts in results:
        family = FAMILIES[run.family]
        for point, primitives in zip(run.points, counts, strict=True):
            resources = family.count(primitives).as_dict()
            place = sections[run], run.family
            counted.setdefault(place, []).append((point, resources))
    data = dict(load_data()) if DATA_FILE.exists() else {}
    for kind in chosen:
        known = dict(data.get(kind.section, {}))
        for name in families:
            order = [point for run in kind.runs(name) for point in run.points]
            found = sorted(counted[kind.section, name], key=lambda pair: order.index(pair[0]))
            points = [{**point.as_dict(), **resources} for point, resources in found]
            made = {"yosys": yosys.version(), "gateware": gateware_digest(), "points": points}
            known[name] = {**made, **fit(FAMILIES[name], points, kind)}
        data[kind.section] = {name: known[name] for name in sorted(known)}
    data = {"command": COMMAND, **{k.section: data.get(k.section, {}) for k in KINDS.values()}}
    write_whole(DATA_FILE, json.dumps(data, indent=1) + "\n")
    load_data.cache_clear()
    return data


def fit(family: Family, points: Sequence[Mapping], kind: Kind = KINDS["trained"]) -> dict:
    """Factors of every unit and what hosts take, from ``points`` of the data file."""
    used = [point for point in points if not point["checks"]]
    factors = {
        unit: _fit_unit(family, unit, [point for point in used if point["what"] == unit])
        for unit in kind.units
    }
    factors[kind.glue] = {"lut": {}, "ff": {}}
    model = ResourceModel(family, factors, {})
    cores = [point for point in used if point["what"] == kind.glue]
    factors[kind.glue] = _fit_glue(model, cores, kind.glue)
    tops = [point for point in used if point["what"].startswith("top:")]
    hosts = {"hosts": dict(_host(family, top, cores) for top in tops)} if tops else {}
    return {"factors": factors, **hosts}


@functools.lru_cache(maxsize=64)
def _facts_of(model: str, sizes: tuple) -> dict[str, UnitFacts]:
    return core_facts(sizer(_loaded(model))(Point("core", model, sizes).hw))


@functools.lru_cache(maxsize=8)
def _loaded(model: str):
    return open_model(model, imported=True).model


def facts_of(point: Mapping) -> dict[str, UnitFacts]:
    """Facts of the core whose model and sizes a point of the data file has."""
    return _facts_of(point["model"], tuple(point["sizes"]))


def predict(model: ResourceModel, point: Mapping) -> Prediction:
    """What ``model`` says of a point of the data file."""
    facts, what = facts_of(point), point["what"]
    if any(what in kind.units for kind in KINDS.values()):
        return model.unit(what, facts[what])
    core = model.core_of(facts)
    if any(what == kind.glue for kind in KINDS.values()):
        return core
    target = board(what.partition(":")[2])
    config = _loaded(point["model"]).config
    return core + model.host(target.console, config)


def _fit_unit(family: Family, unit: str, points: Sequence[Mapping]) -> dict:
    facts = [facts_of(point)[unit] for point in points]
    exact, luts = zip(*(lut_terms(family, unit_facts) for unit_facts in facts), strict=True)
    wanted = [point["lut"] - known for point, known in zip(points, exact, strict=True)]
    registers = [flip_flop_terms(family, unit_facts) for unit_facts in facts]
    factors = {
        "lut": fit_factors(luts, wanted),
        "ff": fit_factors(registers, [point["ff"] for point in points]),
    }
    if family.sites:
        factors["carry"] = fit_factors(luts, [point["carry"] for point in points])
        sites = [point["sites"] - known for point, known in zip(points, exact, strict=True)]
        factors["sites"] = fit_factors(luts, sites)
    return factors


def _fit_glue(model: ResourceModel, cores: Sequence[Mapping], glue: str) -> dict:
    """What a core takes beyond the sum of its units."""
    facts = [facts_of(point) for point in cores]
    sums = [model.core_of(core) for core in facts]
    return {
        name: fit_factors(
            [getattr(core[glue], terms) for core in facts],
            [point[name] - getattr(total, name) for point, total in zip(cores, sums, strict=True)],
        )
        for name, terms in _TERMS.items()
        if all(name in point for point in cores)
    }


def _host(family: Family, top: Mapping, cores: Sequence[Mapping]) -> tuple[str, dict]:
    """(kind of the host, what it takes beyond its memories), from a top and the same core."""
    same = next(c for c in cores if (c["model"], c["sizes"]) == (top["model"], top["sizes"]))
    console = board(top["what"].partition(":")[2]).console
    memories = host_memories(family, console, _loaded(top["model"]).config)
    names = [*UNITS, *(SITE_UNITS if family.sites else ())]
    return console, {name: top[name] - same[name] - getattr(memories, name) for name in names}


def fit_factors(terms: Sequence[Mapping[str, float]], wanted: Sequence[float]) -> dict:
    """Non-negative factors of the named terms with the least sum of squared relative errors."""
    names = list(dict.fromkeys(name for row in terms for name in row))
    matrix = np.array([[row.get(name, 0) for name in names] for row in terms], float)
    values = np.array(wanted, float)
    weights = 1 / np.maximum(np.abs(values), 1)
    scales = np.maximum(np.abs(matrix).max(axis=0), 1e-12)
    found = nonnegative_least_squares(matrix / scales * weights[:, None], values * weights)
    return {
        name: round(float(factor), 5)
        for name, factor in zip(names, found / scales, strict=True)
        if factor > 0
    }


def nonnegative_least_squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """x >= 0 with the least ``|a x - b|``, by the active sets of Lawson and Hanson.

    C. L. Lawson, R. J. Hanson, "Solving Least Squares Problems", 1974, chapter 23.
    """
    n = a.shape[1]
    x, passive = np.zeros(n), np.zeros(n, bool)
    tolerance = 1e-10 * max(np.abs(a.T @ b).max(), 1)
    for _ in range(10 * n):
        gradient = np.where(passive, -np.inf, a.T @ (b - a @ x))
        if gradient.max() <= tolerance:
            break
        # the first of counts that all points have in the same proportion, not what rounding likes
        best = int(np.argmax(gradient >= gradient.max() - tolerance))
        passive[best] = True
        while True:
            trial = np.zeros(n)
            trial[passive] = np.linalg.lstsq(a[:, passive], b, rcond=None)[0]
            if not passive.any() or trial[passive].min() > 0:
                break
            blocked = passive & (trial <= 0)
            step = np.min(x[blocked] / (x[blocked] - trial[blocked]))
            x += step * (trial - x)
            passive &= x > tolerance * 1e-3
        x = trial
    return x


def lut_error(point: Mapping, prediction: Prediction, resource: str = "lut") -> float:
    """Relative error of the predicted LUTs, or LUT sites."""
    return getattr(prediction, resource) / point[resource] - 1
