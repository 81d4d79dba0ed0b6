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
from .interleaved.cycles import least_cycles
from .program import gateware_digest
from .resource_model import DATA_FILE, Prediction, resource_model


def measure(
    model: AnyModel,
    candidates: Sequence[HwConfig],
    done: Callable[[int], None] = lambda count: None,
) -> list[list]:
    """[sizes, mean cycles, {family: resources of the core}] of each candidate, JSON-ready.

    Of a core of several streams, cycles are the least that a token of them takes
    (:func:`platforms.sizes.interleaved.cycles.least_cycles`).

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
        rows.append([dataclasses.asdict(hw), least_cycles(program), needs])
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
    """(sizes, cycles, {family: Prediction of the core}) of each candidate, as :func:`measure`.

    Takes some 20 ms per candidate for a model that was not searched before on this machine.
    """
    title = "searching sizes, once for each model and version"
    rows = kept(
        tuple(candidates),
        model.digest,
        lambda show: measure(model, candidates, lambda n: show(f"{n} of {len(candidates)}")),
        title,
    )
    return [
        (HwConfig(**hw), cycles, {name: Prediction(*need) for name, need in needs.items()})
        for hw, cycles, needs in rows
    ]


_MEMORY: dict[tuple, list] = {}


def kept(what: tuple, model_digest: str, make: Callable[[Callable], list], title: str) -> list:
    """What ``make`` gives, JSON-ready, kept in memory and on disk by all that it depends on.

    ``what``: that, but for the model, whose digest is given, and the sources. ``make`` is called
    with what shows how far it is, behind the ``title``.
    """
    key = (what, model_digest, DATA_FILE.stat().st_mtime_ns)
    if key not in _MEMORY:

        def write(_: Path, target: Path):
            with working(title) as show:
                rows = make(lambda text: show(f"{title}: {text}"))
                target.write_text(json.dumps(rows), encoding="utf-8")

        parts = (model_digest, repr(what), _sources())
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
