"""Sized programs and units of the core of any model, by the version of its number contract."""

from __future__ import annotations

import functools
from collections.abc import Callable

from gateformer.gateware.plan.bounds import prove_bounds
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.contract.integer_model import IntegerModel

from .decoder.program import SizedDecoderProgram
from .decoder.units import decoder_unit_facts
from .interleaved.units import with_streams
from .program import SizedProgram
from .units import UnitFacts, unit_facts

AnyModel = IntegerModel | DecoderModel
AnySized = SizedProgram | SizedDecoderProgram


def sizer(model: AnyModel) -> Callable[[HwConfig], AnySized]:
    """What gives the sized program of ``model`` on some hardware.

    Raises UserError as ``prove_bounds``; what it returns as
    :class:`gateware.decoder.program.DecoderProgram`.
    """
    if isinstance(model, DecoderModel):
        return functools.partial(SizedDecoderProgram, model)
    bounds = prove_bounds(model)
    return lambda hw: SizedProgram(model, hw, bounds)


def core_facts(program: AnySized) -> dict[str, UnitFacts]:
    """Facts of every unit of the core, or of one of several, by the unit's name."""
    if isinstance(program, SizedDecoderProgram):
        return decoder_unit_facts(program)
    facts = unit_facts(program)
    return with_streams(program, facts) if program.hw.streams > 1 else facts
