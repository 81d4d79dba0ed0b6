"""The compiler: images hold the model, widths are proven, the schedule is static."""

import itertools

import numpy as np
import pytest

from gateformer.gateware.compiler.memory_images import matrix_maps
from gateformer.gateware.compiler.program import Program
from gateformer.gateware.engines.ternary.packing import weight_format
from gateformer.gateware.plan.bounds import prove_bounds
from gateformer.gateware.plan.encoding import encode, instruction_layout
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract import arith
from gateformer.model.contract.random_model import random_model
from gateformer.model.support.errors import UserError

SPEC = "random:n_layers=2,d_model=12,n_heads=3,d_ff=20,ctx_len=6,vocab_size=9,digits.up_proj=3"


@pytest.fixture(scope="module", params=["2bit", "3in5"])
def program(request):
    return Program(random_model(SPEC), HwConfig(2, 6, 4, request.param))


def test_weight_memory_holds_the_weights(program):
    layout, images = program.layout, program.images
    packer = weight_format(program.hw.packing)
    trits = packer.unpack(images.weight_words, layout.rows, layout.hw.cols)
    for name, matrix in program.model.matrices.items():
        place = images.matrices[name]
        words = place.groups * place.planes * place.chunks
        beats = trits[place.address : place.address + words].reshape(
            place.groups, place.planes, place.chunks, layout.rows, layout.hw.cols
        )
        value = 0
        for plane in range(place.planes):
            value = 3 * value + beats[:, plane].astype(np.int64)
        full = value.transpose(0, 2, 1, 3).reshape(place.groups * layout.rows, -1)
        row_map, col_map, *_ = matrix_maps(layout, name)
        assert (full[np.ix_(row_map, col_map)] == matrix.weight).all()
        assert np.abs(full).sum() == np.abs(matrix.weight).sum()


def test_widened_multipliers_compute_the_requantizer(program):
    images = program.images
    rng = np.random.default_rng(0)
    for name, matrix in program.model.matrices.items():
        place = images.matrices[name]
        wide = np.array(images.scale_words[place.scale : place.scale + place.groups]).reshape(-1)
        row_map, *_ = matrix_maps(program.layout, name)
        acc = rng.integers(-matrix.acc_bound, matrix.acc_bound + 1, len(row_map))
        product = arith.round_shift(acc * wide[row_map], images.requantize_shift)
        expected = arith.to_residual(matrix.shift)(acc, matrix.mult)
        clipped = np.clip(product, -arith.RESIDUAL_MAX, arith.RESIDUAL_MAX)
        assert (clipped == expected).all()


def test_instructions_survive_encoding(program):
    layout = instruction_layout(program.instructions)
    for item in program.instructions:
        bits = layout.const(encode(item, layout))
        assert bits.wait == item.wait
        assert bits.outer + 1 == item.outer
        assert bits.address == item.address


def test_timeline_covers_the_token(program):
    for position in (0, 5):
        spans = program.timeline(position)
        assert spans[0].start == 0
        assert spans[-1].end == program.cycles(position)
        for a, b in itertools.pairwise(spans):
            assert a.start < a.end <= b.start


def test_later_positions_cost_one_score_and_one_weighing_more_per_slot(program):
    layout, layers = program.layout, program.model.config.n_layers
    step = layers * layout.slots * 2 * layout.head_words
    counts = program.cycles_by_position()
    assert {b - a for a, b in itertools.pairwise(counts)} == {step}


def test_bounds_hold_for_the_worst_input(program):
    bounds = prove_bounds(program.model)
    for matrix in program.model.matrices.values():
        worst = (np.sign(matrix.weight) * arith.ACT_MAX * matrix.weight).sum(axis=1).max()
        assert worst < 2 ** (bounds.acc_width - 1)


def test_a_model_that_cannot_be_bounded_is_refused(monkeypatch):
    monkeypatch.setattr("gateformer.gateware.plan.bounds.MAX_ACC_BITS", 8)
    model = random_model(SPEC)
    with pytest.raises(UserError) as caught:
        prove_bounds(model)
    name, bound = max(
        ((name, m.acc_bound) for name, m in model.matrices.items()), key=lambda item: item[1]
    )
    width = arith.signed_width(bound)
    assert str(caught.value) == (
        f"{name}.weight would need a {width}-bit accumulator (sums reach {bound}); the hardware "
        "builds at most 8 bits: use fewer digits or a smaller size"
    )
