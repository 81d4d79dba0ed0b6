"""What the top with a streamed core is predicted to take.

A stream's engines behind its lanes are those of a core on chip and predicted as they are there;
memories and multipliers follow from the shapes. The rest, lanes and buffers of a stream
(:data:`.units.STREAM`) and what all streams share (:data:`.units.SHARED`), has factors in
``resource_data.json``, fitted by :func:`fit` to the synthesized designs that the file lists.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.support.errors import UserError

from ...boards.target import PROCESSOR
from ...families.family import Family
from ..factors import nonnegative_least_squares
from ..families import PREDICTED_AS
from ..resource_model import (
    Prediction,
    bram_of,
    dsp_of,
    host_memories,
    lut_terms,
    resource_model,
)
from .units import SHARED, STREAM, shared_facts, stream_unit_facts

DATA_FILE = Path(__file__).parent / "resource_data.json"
FITTED = ("lut", "ff", "sites")
HOST = "host"
TERMS = {
    STREAM: ("lanes", "parts", "unit"),
    SHARED: ("ports", "word bits", "unit"),
    HOST: ("streams",),
}
"""Counts that have a factor. The host's is of what a stream takes in a whole top beyond the
registers of a core on chip: registers, and what grows with a large vocabulary and context."""
TABLE_LANE = 82
"""LUTs of a lane of look-up tables beside what all lanes have (yosys; docs/streamed_core.md)."""
NOTHING = Prediction(0, 0, 0, 0)


class StreamedResources:
    """Predictions for one family; UserError if neither it nor one like it was calibrated."""

    def __init__(self, family: Family):
        data = load_data()
        name = family.name if family.name in data else PREDICTED_AS.get(family.name)
        if name not in data:
            raise UserError(
                f"streamed cores of {family.title} were not calibrated; known: {', '.join(data)}"
            )
        self.family, self._factors = family, data[name]["factors"]

    def top(self, program: StreamedProgram) -> Prediction:
        """Of a whole top with registers and the ports' interfaces."""
        known, terms = design(self.family, program)
        more = {
            resource: sum(
                factors[unit][term] * terms[unit][term] for unit in TERMS for term in TERMS[unit]
            )
            for resource, factors in self._factors.items()
        }
        return known + Prediction(bram=0, dsp=0, **more)


def design(
    family: Family, program: StreamedProgram, *, top: bool = True
) -> tuple[Prediction, dict]:
    """What is known of a top, or of its core alone, without a calibration of streamed cores, and
    the counts of the rest, by unit and term, of all streams together."""
    model, streams = resource_model(family), program.streams
    known = model.host(PROCESSOR, program.model.config) if top else NOTHING
    each, terms = [], {}
    for name, facts in stream_unit_facts(program).items():
        if name == STREAM:
            terms[STREAM] = {term: streams * facts.luts[term] for term in TERMS[STREAM]}
            luts = lut_terms(family, facts)[0] + TABLE_LANE * facts.luts["table lanes"]
            each.append(_exact(family, facts, luts))
        else:
            each.append(model.unit(name, facts))
    # the first stream's token FIFOs are the host's
    fifos = host_memories(family, PROCESSOR, program.model.config)
    for number in range(streams):
        known += functools.reduce(Prediction.__add__, each)
        known += fifos if top and number else NOTHING
    shared = shared_facts(program)
    terms[SHARED] = {term: shared.luts[term] for term in TERMS[SHARED]}
    if top:
        terms[HOST] = {"streams": streams}
    return known + _exact(family, shared, lut_terms(family, shared)[0]), terms


def _exact(family: Family, facts, luts: float) -> Prediction:
    """Memories and multipliers."""
    sites = luts if family.sites else 0
    return Prediction(luts, 0, bram_of(family, facts), dsp_of(family, facts), 0, sites)


def fit(points: Sequence[Mapping]) -> dict:
    """{resource: {unit: {term: factor}}}, none negative, with the least relative errors at points
    that have counts ``terms`` by unit, what is ``known``, and each resource as it was counted;
    those that are only checked are left out."""
    used = [point for point in points if not point["checks"]]
    names = [(unit, term) for unit in TERMS for term in TERMS[unit]]
    counts = np.array(
        [[point["terms"].get(unit, {}).get(term, 0) for unit, term in names] for point in used],
        float,
    )
    scales, found = np.abs(counts).max(axis=0), {}
    for resource in FITTED:
        counted = np.array([point[resource] for point in used], float)
        # a unit by itself guides where whole designs leave a choice
        weights = np.array([point["weight"] for point in used]) / counted
        wanted = counted - [point["known"][resource] for point in used]
        factors = nonnegative_least_squares(counts / scales * weights[:, None], wanted * weights)
        found[resource] = {unit: {} for unit in TERMS}
        for (unit, term), factor in zip(names, factors / scales, strict=True):
            found[resource][unit][term] = round(float(factor), 3)
    return found


def predicted(point: Mapping, factors: Mapping, resource: str) -> float:
    """What factors say of a point of the data file."""
    return point["known"][resource] + sum(
        factors[resource][unit][term] * count
        for unit, terms in point["terms"].items()
        for term, count in terms.items()
    )


def point_of(family: Family, program: StreamedProgram, counted: Mapping, *, top: bool) -> dict:
    """A synthesized core, or a whole top, as a point of the data file."""
    known, terms = design(family, program, top=top)
    resources = (*FITTED, "bram", "dsp")
    return {
        "ports": program.memory.ports,
        "data_bytes": program.memory.data_bytes,
        "streams": program.streams,
        "terms": terms,
        "known": {name: round(getattr(known, name), 1) for name in resources},
        **{name: counted[name] for name in resources},
    }


@functools.cache
def load_data() -> dict:
    """Contents of the data file, by family."""
    return json.loads(DATA_FILE.read_text(encoding="utf-8"))["families"]
