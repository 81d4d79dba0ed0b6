"""Cycles and resources of many sizes of hardware for one model, kept from run to run."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model import contract
from gateformer.model.support.cache import cached_file, digest
from gateformer.model.support.sources import sources

from .. import families
from ..support.progress import working
from .facts import AnyModel, core_facts, sizer
from .families import FAMILIES, PREDICTED_AS
from .program import gateware_digest
from .resource_model import DATA_FILE, Prediction, resource_model


def measure(
    model: AnyModel,
    candidates: Sequence[HwConfig],
    done: Callable[[int], None] = lambda count: None,
) -> list[list]:
    """[sizes, mean cycles, {family: resources of the core}] of each candidate, JSON-ready.

    ``done`` is called with the number of candidates that are measured.
    """
    sized, rows = sizer(model), []
    models = {name: resource_model(family) for name, family in _calibrated().items()}
    for hw in candidates:
        program = sized(hw)
        facts = core_facts(program)
        needs = {
            name: dataclasses.astuple(predicted.core_of(facts))
            for name, predicted in models.items()
        }
        rows.append([dataclasses.asdict(hw), program.mean_cycles, needs])
        done(len(rows))
    return rows


def _calibrated() -> dict:
    known = json.loads(DATA_FILE.read_text(encoding="utf-8"))["families"]
    return {
        name: family
        for name, family in FAMILIES.items()
        if name in known or PREDICTED_AS.get(name) in known
    }


def measured(model: AnyModel, candidates: Sequence[HwConfig]) -> list[tuple]:
    """(sizes, mean cycles, {family: Prediction of the core}) of each candidate.

    Takes some 20 ms per candidate for a model that was not searched before on this machine.
    """
    rows = _kept(
        tuple(candidates),
        model.digest,
        lambda done: measure(model, candidates, done),
    )
    return [
        (HwConfig(**hw), cycles, {name: Prediction(*need) for name, need in needs.items()})
        for hw, cycles, needs in rows
    ]


_MEMORY: dict[tuple, list] = {}


def _kept(candidates: tuple, model_digest: str, make: Callable[[Callable], list]) -> list:
    """The measurement, kept in memory and on disk by everything that it depends on."""
    key = (candidates, model_digest, DATA_FILE.stat().st_mtime_ns)
    if key not in _MEMORY:

        def write(_: Path, target: Path):
            title = "searching sizes, once for each model and version"
            with working(title) as show:
                rows = make(lambda count: show(f"{title}: {count} of {len(candidates)}"))
                target.write_text(json.dumps(rows), encoding="utf-8")

        parts = (model_digest, repr(candidates), _sources())
        path = cached_file(f"search-{digest(*parts)}.json", write)
        _MEMORY[key] = json.loads(path.read_text(encoding="utf-8"))
    return _MEMORY[key]


@functools.cache
def _source_digest(stamp: int) -> str:
    files = [
        *sources(families),
        *sorted(Path(__file__).parent.rglob("*.py")),
        *sources(contract),
        DATA_FILE,
    ]
    return digest(gateware_digest(), *(file.read_text(encoding="utf-8") for file in files))


def _sources() -> str:
    return _source_digest(DATA_FILE.stat().st_mtime_ns)
