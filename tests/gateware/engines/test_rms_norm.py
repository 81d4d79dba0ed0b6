"""The RMSNorm factor against ``arith`` over the whole range of the sum of squares."""

from __future__ import annotations

import json

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Value
from amaranth.sim import Simulator

from gateformer.gateware.engines.vector.rms_norm import RmsFactor, RmsSizes
from gateformer.model.contract import arith
from gateformer.platforms.families.xc7 import XC7
from gateformer.platforms.synthesis.paths.analysis import analyze
from gateformer.platforms.synthesis.synthesis import synthesize_rtlil

SQUARE_MAX = arith.RESIDUAL_MAX**2


def interesting_sums(d_model: int, rng) -> list[int]:
    """Around every power of two and every table boundary's first exponents, ends, random ones."""
    most = d_model * SQUARE_MAX
    sums = set(range(300))
    for bit in range(most.bit_length()):
        sums |= {(1 << bit) + offset for offset in (-2, -1, 0, 1)}
    for exponent in range(arith.RMSNorm(d_model, 0).max_exponent + 1):
        for index in rng.integers(64, 256, 12):
            edge = int(index) << 2 * exponent >> 6
            sums |= {edge - 1, edge, edge + 1}
    sums |= {most - 1, most}
    sums |= {int(2**power) for power in rng.uniform(0, np.log2(most), 200)}
    return sorted(s for s in sums if 0 <= s <= most)


def expected_factor(sizes: RmsSizes, total: int) -> tuple[int, int]:
    e, index = sizes.norm.exponent_and_index(total)
    short = int(e) < 8
    effective = int(e) + sizes.SHORT_SHIFT * short
    return int(sizes.norm.table[index]) << sizes.shift - effective, int(short)


def spread(total: int, rows: int, rng) -> list[list[int]]:
    """Beats of ``rows`` squares with the sum ``total``, as few as possible, at least one."""
    beats = max(-(-total // (SQUARE_MAX * rows)), 1)
    squares, left = [], total
    for remaining in range(beats * rows - 1, -1, -1):
        low, high = max(left - remaining * SQUARE_MAX, 0), min(left, SQUARE_MAX)
        squares.append(int(rng.integers(low, high + 1)))
        left -= squares[-1]
    return [squares[i * rows : (i + 1) * rows] for i in range(beats)]


@pytest.mark.parametrize(
    ("rows", "d_model", "registers"),
    [
        (1, 1, 0),
        (1, 2, 1),
        (2, 5, 2),
        (3, 16, 0),
        (4, 20, 3),
        (5, 96, 0),
        (8, 64, 3),
        (8, 64, 0),
        (16, 1000, 2),
    ],
)
def test_factor_and_latency(rows, d_model, registers):
    """Vectors back to back, with gaps in some; factors exact to the cycle, and held."""
    rng = np.random.default_rng(rows)
    sizes = RmsSizes(rows, d_model, registers)
    dut = RmsFactor(sizes)
    totals = rng.permutation(interesting_sums(d_model, rng)).tolist()
    beats, changes = [], {}
    for total in totals:
        parts = spread(total, rows, rng)
        for i, part in enumerate(parts):
            if rng.random() < 0.1:
                # not valid: must not count
                beats.append((0, 1, 1, rng.integers(0, SQUARE_MAX, rows).tolist()))
            beats.append((1, i == 0, i == len(parts) - 1, part))
        # of a zero vector any factor does
        expected = expected_factor(sizes, total) if total else (None, None)
        changes[len(beats) - 1 + sizes.latency] = expected

    async def bench(ctx):
        factor, short = None, None
        for cycle in range(len(beats) + sizes.latency + 2):
            valid, first, last, squares = beats[min(cycle, len(beats) - 1)]
            ctx.set(dut.valid, valid if cycle < len(beats) else 0)
            ctx.set(dut.first, first)
            ctx.set(dut.last, last)
            ctx.set(dut.squares, squares)
            factor = changes.get(cycle, (factor,))[0]
            short = changes.get(cycle + 1, (None, short))[1]
            if factor is not None:
                assert ctx.get(dut.factor) == factor, cycle
            if short is not None:
                assert ctx.get(dut.short) == short, cycle
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.parametrize("d_model", [1, 2, 3, 16, 64, 96, 256, 1024])
def test_constant_shift_equals_the_contract(d_model):
    """``(x' * factor + half) >> shift`` is ``round_shift(x * r, e)`` for every e and table entry.

    Every x that an exponent allows where there are few, else the ends and random ones.
    """
    rng = np.random.default_rng(d_model)
    sizes = RmsSizes(1, d_model)
    indices = np.arange(64, 256)
    roots = sizes.norm.table[indices]
    for e in range(sizes.norm.max_exponent + 1):
        bound = min(2 ** (e + 1) - 1, arith.RESIDUAL_MAX)
        if bound < 512:
            x = np.arange(-bound, bound + 1)
        else:
            x = np.concatenate([[-bound, bound, 0, 1, -1], rng.integers(-bound, bound + 1, 500)])
        short = e < 8
        operand = x << (sizes.SHORT_SHIFT * short)
        assert arith.signed_width(int(np.abs(operand).max())) <= sizes.OPERAND_WIDTH
        factor = roots << (sizes.shift - e - sizes.SHORT_SHIFT * short)
        assert int(factor.max()).bit_length() <= sizes.factor_width
        got = (operand[:, None] * factor + (1 << sizes.shift - 1)) >> sizes.shift
        assert np.array_equal(got, arith.round_shift(x[:, None] * roots, e))


@pytest.mark.parametrize("d_model", [1, 2, 64, 1024])
def test_normalized_width_is_sufficient(d_model):
    """u of the longest possible x: the only nonzero element, in every table bin."""
    sizes = RmsSizes(1, d_model)
    x = np.unique(np.concatenate([np.arange(1, 4096), np.geomspace(1, 32767, 5000).astype(int)]))
    e, index = sizes.norm.exponent_and_index(x * x)
    u = arith.round_shift(x * sizes.norm.table[index], e)
    assert arith.signed_width(int(u.max())) <= sizes.normalized_width


@pytest.mark.parametrize("d_model", [1, 64, 512, 1024])
def test_factor_fits_a_dsp_block(d_model):
    assert RmsSizes(8, d_model).factor_width < 25


@pytest.mark.parametrize(
    ("rows", "d_model", "error", "message"),
    [
        (0, 4, ValueError, "rows must be at least 1, not 0"),
        ("1", 4, TypeError, "rows must be an integer, not '1'"),
        (1, -4, ValueError, "d_model must be at least 1, not -4"),
        (1, 4.0, TypeError, "d_model must be an integer, not 4.0"),
    ],
)
def test_parameters_are_checked(rows, d_model, error, message):
    with pytest.raises(error) as raised:
        RmsSizes(rows, d_model)
    assert str(raised.value) == message


@pytest.mark.parametrize("rows", range(1, 130))
def test_the_tree_begins_with_one_level_and_leaves_four_addends(rows):
    """One register stage for each two levels, as when the tree went down to two addends."""
    levels = RmsSizes(rows, 64).tree_levels
    stages, addends = 0, rows
    while addends > 2:
        stages, addends = stages + 1, -(-addends // 4)
    assert len(levels) == RmsSizes(rows, 64).tree_stages == stages
    left = rows
    for level in levels:
        left = -(-left // 2**level)
    assert left <= 4 and levels[:1] in ([], [1]) and max(levels, default=1) <= 2


@pytest.mark.slow
def test_one_addition_behind_the_multipliers_that_square():
    """Mapped to 7 series: multiplier blocks lie far from the adders, so no look-up table between.

    It was three of them and a carry chain: with the routing the slowest path of the Zybo's design.
    """
    unit = RmsFactor(RmsSizes(8, 64, 3))
    ports = [Value.cast(value) for _, _, value in unit.signature.flatten(unit)]
    text = rtlil.convert(unit, name="top", ports=ports, emit_src=False)
    netlist = json.loads(synthesize_rtlil(text, XC7).netlist.read_text())
    report = analyze(netlist)
    behind = [p for p in (*report.paths, *report.slowest) if p.start.startswith("input squares")]
    assert behind
    for path in behind:
        # of bit 0 the sum is the look-up table itself
        assert path.stages <= 2 and path.carry_bits <= 32, path
        assert path.estimated_ns <= 4.5, path
    assert max(path.stages for path in report.paths) <= 5
