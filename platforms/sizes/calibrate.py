"""Calibration of the resource model: synthesize points, fit factors, write the data file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from gateformer.model.support.whole_file import write_whole

from ..boards.board import board
from ..families.family import SITE_UNITS, UNITS, Family
from ..support import yosys
from .decoder.points import decoder_runs
from .decoder.units import GLUE as DECODER_GLUE
from .decoder.units import MODULES
from .factors import facts_of, fit_factors, hw_of, loaded
from .families import FAMILIES
from .interleaved.calibrate import fit_interleaved
from .interleaved.points import interleaved_runs
from .interleaved.units import INTERLEAVER
from .jobs import run_jobs
from .points import UNIT_POINTS, Run, cells, runs
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
    "interleaved": Kind(SECTIONS[2], (INTERLEAVER,), "core", interleaved_runs),
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
    if kind is KINDS["interleaved"]:
        return fit_interleaved(family, used)
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


def predict(model: ResourceModel, point: Mapping) -> Prediction:
    """What ``model`` says of a point of the data file."""
    facts, what = facts_of(point), point["what"]
    if any(what in kind.units for kind in KINDS.values()):
        return model.unit(what, facts[what])
    core = model.core_of(facts).times(hw_of(point).cores)
    if any(what == kind.glue for kind in KINDS.values()):
        return core
    target = board(what.partition(":")[2])
    config = loaded(point["model"]).config
    return core + model.host(target.console, config, hw_of(point).all_streams)


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
    memories = host_memories(family, console, loaded(top["model"]).config)
    names = [*UNITS, *(SITE_UNITS if family.sites else ())]
    return console, {name: top[name] - same[name] - getattr(memories, name) for name in names}


def lut_error(point: Mapping, prediction: Prediction, resource: str = "lut") -> float:
    """Relative error of the predicted LUTs, or LUT sites."""
    return getattr(prediction, resource) / point[resource] - 1
