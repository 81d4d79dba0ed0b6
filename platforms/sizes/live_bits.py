"""Bits of the initialized memories that are not the same in all words: yosys keeps no other."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterable, Sequence

import numpy as np
from amaranth.hdl import Const, ShapeCastable

from gateformer.gateware.plan.encoding import encode, instruction_layout

from .program import SizedProgram

CODED_TRITS = 3
"""Trits of a code of :class:`gateware.engines.ternary.packing.ThreeInFiveFormat`."""


def live_weight_bits(program: SizedProgram) -> int:
    """Bits of a weight word that are not the same in all words, if the weights take all values.

    Only the last code of a word differs, where trits are packed and some of it are never used.
    """
    engine = program.units.engine
    packer, trits = engine.weight_format, engine.rows * engine.cols
    rest = trits % CODED_TRITS
    if packer.decode_latency == 0 or rest == 0:
        return packer.width(engine.rows, engine.cols)
    codes = packer.pack(np.array(list(itertools.product((-1, 0, 1), repeat=rest)))[:, None, :])
    return packer.width(1, trits - rest) + varying_bits(codes)


def varying_bits(words: Iterable[int]) -> int:
    """Bits that are not the same in all ``words``, which are not negative."""
    words = list(words)
    return (
        functools.reduce(operator.or_, words) & ~functools.reduce(operator.and_, words)
    ).bit_count()


def live_scale_bits(program: SizedProgram) -> int:
    """Bits of the scale memory's word that are not the same in all words: yosys keeps no other."""
    mask = (1 << program.units.vector._scaling.scale_width) - 1
    lanes = zip(*program.images.scale_words, strict=True)
    return sum(varying_bits(scale & mask for scale in lane) for lane in lanes)


def live_program_bits(instructions: Sequence) -> int:
    """Bits of an instruction that are not the same in all: yosys keeps no other."""
    layout = instruction_layout(instructions)
    encoded = [encode(item, layout) for item in instructions]
    live = 0
    for name, field in layout:
        # a field has few values, and Amaranth takes its time for each
        values = {repr(item[name]): item[name] for item in encoded}.values()
        if isinstance(field.shape, ShapeCastable):
            values = [Const.cast(field.shape.const(value)).value for value in values]
        live += varying_bits(values)
    return live
