"""The sized program of an imported model: the program itself, but for the words of weights."""

from __future__ import annotations

import pytest

from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.parts.memory_banks import bank_depths
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.platforms.sizes.decoder.program import SizedDecoderProgram
from gateformer.platforms.sizes.live_bits import varying_bits

from .shapes import SHAPES


@pytest.fixture(params=SHAPES, scope="module")
def model(request):
    return open_model(request.param, imported=True).model


@pytest.mark.parametrize("lanes", [3, 8, 24, 128])
def test_nothing_but_the_words_of_weights_differs(model, lanes):
    hw = HwConfig(rows=1, cols=1, lanes=lanes)
    program, sized = DecoderProgram(model, hw), SizedDecoderProgram(model, hw)
    assert sized.instructions == program.instructions
    assert sized.images.parameters == program.images.parameters
    stores = zip(sized.images.stores, program.images.stores, strict=True)
    assert all(mine.format == own.format for mine, own in stores)
    for name in ("words", "scale_words"):
        counts = [
            [len(getattr(store, name)) for store in images.stores]
            for images in (sized.images, program.images)
        ]
        assert counts[0] == counts[1]
    cycles = program.cycles_by_position()
    assert sized.mean_cycles == sum(cycles) / len(cycles)


@pytest.mark.parametrize("lanes", [3, 8, 24, 128])
def test_the_bits_of_each_bank_that_are_not_the_same_in_all_words_are_counted(model, lanes):
    hw = HwConfig(rows=1, cols=1, lanes=lanes)
    sized = SizedDecoderProgram(model, hw).images.stores
    for store, counted in zip(DecoderProgram(model, hw).images.stores, sized, strict=True):
        live, first = [], 0
        for depth in bank_depths(len(store.words)):
            live.append(varying_bits(store.words[first : first + depth]))
            first += depth
        assert counted.live_bits() == live
