# amaranth: UnusedElaboratable=no
"""The datapath's widths hold what its sources give at their extremes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from amaranth.hdl import Fragment

from gateformer.gateware.decoder import datapath
from gateformer.gateware.decoder import program as program_module
from gateformer.gateware.decoder.serial.requantizer import Requantizer
from gateformer.gateware.host.any_core import compile_model
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.config import Bits
from gateformer.model.contract.decoder import arith
from gateformer.model.contract.decoder.random_decoder import random_decoder

from .pipeline_bench import trace

NARROW = {name: 8 for name in ("norm", "query", "attention", "gate", "hidden", "key", "value")}
SHAPES = [
    # lanes, shape
    (1, {"d_model": 1, "d_ff": 1, "head_dim": 1, "weights": "int4", "head": "int4"}),
    (3, {"d_model": 14, "d_ff": 5, "head_dim": 2, "norm": "layer", "norm_bias": True}),
    (4, {"d_model": 63, "d_ff": 9, "head_dim": 4, "bits": Bits(residual=28)}),
    (4, {"d_model": 9, "d_ff": 64, "head_dim": 4, "ctx_len": 200, "bits": Bits(16, **NARROW)}),
]


@pytest.fixture
def built(monkeypatch):
    """(lanes, shape) to (program, DecoderDatapath's units and the arguments of its requantizer)."""

    def build(lanes, shape, eps):
        given: dict = {}

        class Recorded(Requantizer):
            def __init__(self, **arguments):
                given.update(arguments)
                super().__init__(**arguments)

        monkeypatch.setattr(program_module, "Requantizer", Recorded)
        model = random_decoder(0, vocab_size=3, n_heads=1, **{"ctx_len": 4, **shape})
        norms = {name: dataclasses.replace(norm, eps=eps) for name, norm in model.norms.items()}
        model = dataclasses.replace(model, norms=norms)
        program = compile_model(model, HwConfig(rows=1, cols=1, lanes=lanes))
        unit = datapath.DecoderDatapath(program)
        Fragment.get(unit, platform=None)
        return program, unit, given

    return build


@pytest.mark.parametrize("eps", [0, 2**61])
@pytest.mark.parametrize(("lanes", "shape"), SHAPES)
def test_every_source_fits_the_requantizer(built, lanes, shape, eps):
    program, unit, given = built(lanes, shape, eps)
    model, residual, softmax = program.model, unit._residual, unit._softmax
    middles = [
        unit._lanes.total_width,
        residual.normalized_width,
        softmax.mean_width(model.config.bits.value),
        signed_width(int(np.abs(model.position_embedding).max())),
    ]
    assert given["middle_width"] >= max(middles)
    entering = [unit._lanes.total_width, unit._lanes.mean_width, residual.centred_width, middles[3]]
    assert given["a_width"] >= max(entering)
    assert given["b_width"] >= max(residual.root_width, len(softmax.reciprocal))
    squares = model.config.d_model * arith.limit(model.config.bits.residual) ** 2 + eps
    sum_exponent = arith.floor_log2(arith.PROBABILITY_MAX * model.config.ctx_len)
    assert given["first_shifts"] >= (squares.bit_length() - 1) // 2
    assert given["first_shifts"] >= sum_exponent + arith.RECIPROCAL_BITS - arith.MEAN_V_BITS
    multipliers, biases = zip(*program.images.parameters, strict=True)
    assert given["factor_width"] >= signed_width(max(map(abs, multipliers)))
    assert given["bias_width"] >= signed_width(max(map(abs, biases)))
    assert given["shifts"] >= max(max(item.shift, item.odd_shift) for item in program.instructions)


@pytest.mark.parametrize(("lanes", "shape"), SHAPES[2:])
def test_a_requantizer_of_these_widths_loses_nothing(built, lanes, shape):
    """The largest number of each source through it, times the largest factor."""
    program, unit, given = built(lanes, shape, 0)
    bits = program.model.config.bits
    d, width = program.model.config.d_model, program.widths.index(32)
    spike = arith.limit(bits.residual)
    s = spike**2
    e = arith.floor_log2(s) // 2
    root = arith.rsqrt_table(d)[(s << 9) >> 2 * e]
    total = arith.PROBABILITY_MAX * program.model.config.ctx_len
    far = arith.floor_log2(total)
    index = (total << 10 >> far) - 1024
    reciprocal = arith.reciprocal_table()[index]
    row = arith.limit(unit._lanes.total_width)
    numbers = [
        (row, 1, 0),
        (-row, 1, 0),
        (spike, root, e),
        (-spike, root, e),
        (arith.limit(bits.value) * total, reciprocal, far + 8),
        (-arith.limit(bits.value) * total, reciprocal, far + 8),
    ]
    factor = arith.limit(given["factor_width"])
    requantizer = Requantizer(**given)
    pad = [0] * requantizer.latency
    late = [0] * requantizer.factor_delay
    a, b, first_shift = ([*column, *pad] for column in zip(*numbers, strict=True))
    inputs = {
        "a": a,
        "b": b,
        "first_shift": first_shift,
        "factor": [*late, *[factor] * len(numbers), *pad][: len(a)],
        "shift": [*late, *[given["shifts"]] * len(numbers), *pad][: len(a)],
        "width": [width] * len(a),
    }
    got = trace(requantizer, inputs, "value")["value"][requantizer.latency :]
    for (x, y, shift), found in zip(numbers, got, strict=True):
        middle = arith.round_shift(x * y, shift)
        assert found == arith.requantize(middle * factor, given["shifts"], 32)
