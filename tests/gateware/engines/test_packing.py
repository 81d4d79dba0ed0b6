"""Weight formats: packing and unpacking are inverse, and errors name the value."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from gateformer.gateware.engines.ternary.packing import FORMATS, weight_format
from gateformer.gateware.engines.ternary.weight_decoder import (
    n_pairs,
    three_in_five_code,
    tree_parent,
)
from gateformer.gateware.plan.hw_config import PACKINGS

BOTH = pytest.mark.parametrize("name", ["2bit", "3in5"])


@st.composite
def blocks(draw):
    """Trits [beats, rows, cols] of random shape and density."""
    shape = [draw(st.integers(low, high)) for low, high in [(0, 4), (1, 5), (1, 11)]]
    seed = draw(st.integers(0, 2**32 - 1))
    zeros = draw(st.sampled_from([0.0, 0.3, 0.9, 1.0]))
    rng = np.random.default_rng(seed)
    return rng.choice([-1, 0, 1], shape, p=[(1 - zeros) / 2, zeros, (1 - zeros) / 2])


@BOTH
@given(trits=blocks())
@settings(max_examples=100, deadline=None)
def test_unpack_is_the_inverse_of_pack(name, trits):
    form = weight_format(name)
    words = form.pack(trits)
    assert len(words) == len(trits)
    assert all(0 <= word < 1 << form.width(*trits.shape[1:]) for word in words)
    assert np.array_equal(form.unpack(words, *trits.shape[1:]), trits)


def test_formats_are_those_of_the_hardware_configuration():
    assert tuple(FORMATS) == PACKINGS


@pytest.mark.parametrize(
    "name, rows, cols, width",
    [("2bit", 8, 64, 1024), ("2bit", 3, 5, 30), ("3in5", 8, 64, 855), ("3in5", 1, 1, 5)],
)
def test_width(name, rows, cols, width):
    assert weight_format(name).width(rows, cols) == width


def test_five_bits_code_every_three_trits():
    assert len({three_in_five_code(code) for code in range(32)}) == 27


def test_sign_of_a_nonzero_trit_is_a_bit_of_its_code():
    for code in range(32):
        for k, trit in enumerate(three_in_five_code(code)):
            assert trit == 0 or (trit < 0) == bool((code >> k) & 1)


@BOTH
@pytest.mark.parametrize("rows, cols", [(1, 1), (2, 2), (2, 5), (3, 7), (1, 16)])
def test_decoder_gives_the_same_controls_as_the_definition(name, rows, cols):
    rng = np.random.default_rng(rows * 100 + cols)
    trits = rng.integers(-1, 2, [20, rows, cols])
    form = weight_format(name)
    decoder = form.decoder(rows, cols)
    seen = []

    async def bench(ctx):
        for word in form.pack(trits):
            ctx.set(decoder.word, word)
            if form.decode_latency:
                await ctx.tick().repeat(form.decode_latency)
            else:
                await ctx.delay(1e-9)
            seen.append(
                [
                    [
                        {key: ctx.get(control[key]) for key in FIELDS}
                        for control in decoder.controls[row]
                    ]
                    for row in range(rows)
                ]
            )

    simulator = Simulator(decoder)
    if form.decode_latency:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    for block, controls in zip(trits, seen, strict=True):
        for row in range(rows):
            assert np.array_equal(_row_of(controls[row], cols), block[row])


FIELDS = ("first", "second", "subtract", "relative_sign")

MAGNITUDES = {(1, 0, 0): (1, 0), (0, 1, 1): (0, 1), (1, 1, 0): (1, 1), (1, 1, 1): (1, -1)}
MAGNITUDES[0, 0, 1] = (0, 0)


def _row_of(controls, cols):
    """Weights of a row from its controls; a KeyError is a combination that must not occur."""
    signs, row = [], []
    for pair, control in enumerate(controls):
        sign = control["relative_sign"]
        signs.append(sign ^ signs[tree_parent(pair)] if pair else sign)
        magnitude = MAGNITUDES[control["first"], control["second"], control["subtract"]]
        row += [-x if signs[-1] else x for x in magnitude]
    assert len(controls) == n_pairs(cols)
    return row[:cols]


@BOTH
@pytest.mark.parametrize(
    "trits, error, message",
    [
        ([[[0.5]]], TypeError, "trits must be integers, not float64"),
        ([[0, 1]], ValueError, "trits must have shape [beats, rows, cols], not [1, 2]"),
        ([[[]]], TypeError, "trits must be integers, not float64"),
        (
            np.zeros([2, 0, 3], int),
            ValueError,
            "trits must have shape [beats, rows, cols], not [2, 0, 3]",
        ),
        ([[[0, 1, 2, -5]]], ValueError, "trits must be -1, 0 or 1, not 2"),
    ],
)
def test_pack_refuses(name, trits, error, message):
    with pytest.raises(error) as caught:
        weight_format(name).pack(trits)
    assert str(caught.value) == message


@pytest.mark.parametrize("word", [-1, 1 << 8])
def test_unpack_refuses_a_word_that_is_too_wide(word):
    with pytest.raises(ValueError) as caught:
        weight_format("2bit").unpack([0, word], 2, 2)
    assert str(caught.value) == f"word must have at most 8 bits, not {word:#x}"


def test_unknown_format():
    with pytest.raises(ValueError) as caught:
        weight_format("5in8")
    assert str(caught.value) == "weight format must be one of 2bit, 3in5, not '5in8'"
