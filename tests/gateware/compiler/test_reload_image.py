"""Images of models: what of the hardware they follow, what they hold, and which are refused."""

import dataclasses
import functools
import random
import re

import pytest
from amaranth.back import rtlil

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.reload_image import CHECKSUM, Contents, model_image, signature
from gateformer.gateware.core.core import Core
from gateformer.model.support.errors import UserError
from tests.support.reload_bench import SHAPES, model, program


def hardware(program: Program) -> str:
    """RTLIL of the core, without what its memories and registers hold at first."""
    text = rtlil.convert(Core(program), name="top", emit_src=False)
    return re.sub(r"connect \\DATA .*|attribute \\init .*", "", text)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.slow_but("small*", "odd*")
def test_models_of_a_shape_have_the_same_hardware(shape):
    """Whatever their numbers, as long as they are within the limits."""
    first, second = program(shape), model(shape, 2)
    assert hardware(Program(second, first.hw, first.limits)) == hardware(first)


def test_widths_without_reload_follow_the_weights():
    """So that the comparison above would see a difference."""
    hw = dataclasses.replace(SHAPES["small"][1], reload=False)
    assert hardware(Program(model("small", 2), hw)) != hardware(Program(model("small", 1), hw))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_bit_of_the_memories_is_in_the_signature(shape):
    contents = program(shape).contents
    expected, rng = signature(contents), random.Random(3)
    for entry in contents:
        for _ in range(20 * entry.section.swept):
            writes = list(entry.writes)
            writes[rng.randrange(len(writes))] ^= 1 << rng.randrange(entry.section.width)
            changed = [Contents(entry.section, writes) if e is entry else e for e in contents]
            assert signature(changed) != expected


def test_the_polynomial_is_primitive():
    """The order of its root is 2**32 - 1, which has these prime factors."""
    polynomial = 1 << 32 | 0xC5

    def times(a: int, b: int) -> int:
        product = 0
        for bit in range(32):
            product ^= (b >> bit & 1) * a
            a = a << 1 ^ (polynomial if a >> 31 else 0)
        return product

    def power(exponent: int) -> int:
        return functools.reduce(
            lambda result, bit: times(times(result, result), 2 if bit == "1" else 1),
            f"{exponent:b}",
            1,
        )

    order = 2**32 - 1
    assert power(order) == 1
    assert all(power(order // prime) != 1 for prime in (3, 5, 17, 257, 65_537))
    assert CHECKSUM.algorithm.polynomial == polynomial & 0xFFFFFFFF


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"requantize_shift": -5},
            r"^layers\.0\.\w+ has shift \d+, but this core takes a matrix with",
        ),
        ({"requantize_shift": 9}, r"^layers\.0\.\w+ has shift \d+, .* build one for this model$"),
        (
            {"gain_shift": -5},
            r"has shift \d+, but this core takes a norm with numbers up to \d+ wi",
        ),
        ({"score_shift": 3}, r"^layer 0 has score shift \d+, but this core has \d+ to \d+; build"),
        ({"score_shift": -4}, r"^layer 0 has score shift \d+, but this core has \d+ to \d+; build"),
    ],
)
def test_models_outside_the_limits(change, message):
    limits = program().limits
    changed = {name: getattr(limits, name) + value for name, value in change.items()}
    with pytest.raises(UserError, match=message):
        model_image(model("small", 1), program().layout, dataclasses.replace(limits, **changed))
