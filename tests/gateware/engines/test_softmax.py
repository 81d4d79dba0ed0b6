# amaranth: UnusedElaboratable=no
"""Softmax gateware against ``arith.Softmax``, bit by bit, at exact latencies."""

import dataclasses

import numpy as np
import pytest

from gateformer.gateware.engines.softmax import Softmax
from gateformer.model.contract import arith
from tests.support.component_simulation import simulate


@dataclasses.dataclass(frozen=True)
class Case:
    segments: int
    ctx_len: int
    shifts: tuple
    dot_width: int
    dot_latency: int = 3
    table_registers: int = 0
    positions_per_beat: int = 1

    def build(self):
        return Softmax(**dataclasses.asdict(self))


CASES = [
    Case(segments=1, ctx_len=1, shifts=(4,), dot_width=12),
    Case(segments=2, ctx_len=16, shifts=(6,), dot_width=20, dot_latency=9, table_registers=1),
    Case(segments=3, ctx_len=7, shifts=(0, 3, 5), dot_width=13, dot_latency=1),
    Case(segments=1, ctx_len=130, shifts=(2, 7), dot_width=16, dot_latency=0, table_registers=1),
    Case(segments=2, ctx_len=5, shifts=(12, 14), dot_width=12),
    Case(
        segments=2, ctx_len=16, shifts=(6,), dot_width=20, table_registers=1, positions_per_beat=2
    ),
    Case(segments=1, ctx_len=7, shifts=(0, 4), dot_width=13, dot_latency=0, positions_per_beat=2),
    Case(segments=3, ctx_len=131, shifts=(3,), dot_width=14, dot_latency=1, positions_per_beat=2),
]


def random_dots(case, shift, positions, rng):
    """[positions, segments]: spread so that all kinds of distance occur."""
    low, high = -(2 ** (case.dot_width - 1)), 2 ** (case.dot_width - 1) - 1
    spread = rng.choice([0, 1, 40, 300, 2**case.dot_width])
    center = rng.integers(low, high + 1)
    offset = rng.integers(-spread, spread + 1, (positions, case.segments))
    return np.clip(center + (offset << min(shift, 12)), low, high)


class Attention:
    """One head group: dot beats and weighted beats with random gaps, and what must come out."""

    def __init__(self, case, dut, rng, start, gap_probability, positions=None):
        self.case, self.rng = case, rng
        self.positions = positions or int(rng.integers(1, case.ctx_len + 1))
        self.select = int(rng.integers(len(case.shifts)))
        contract = arith.Softmax(case.shifts[self.select])
        self.dots = random_dots(case, contract.shift, self.positions, rng)
        self.p = contract.probabilities(contract.scores(self.dots.T)).T
        total = self.p.sum(0)
        exponent, index = contract.exponent_and_index(total)
        max_exponent = int(np.log2(255 * case.ctx_len))
        self.reciprocal = contract.table[index] << (max_exponent - exponent)
        beats = -(-self.positions // case.positions_per_beat)
        self.dot_cycles = self._cycles(start, gap_probability, beats)
        self.weighted_cycles = self._cycles(
            self.dot_cycles[-1] + dut.maximum_latency, gap_probability, beats
        )

    def _cycles(self, start, gap_probability, beats):
        gaps = self.rng.random(beats) < gap_probability
        gaps[0] = False
        return [int(cycle) for cycle in start + np.arange(beats) + np.cumsum(gaps)]

    def sums(self):
        """What the dot-mode beats bring, one after the other; anything for no position."""
        missing = -self.positions % self.case.positions_per_beat
        noise = self.rng.integers(-2000, 2000, (missing, self.case.segments))
        return self._by_beat(self.dots, noise)

    def coefficients(self):
        """What the weighted beats give; 0 for no position."""
        missing = -self.positions % self.case.positions_per_beat
        return self._by_beat(self.p, np.zeros((missing, self.case.segments), int))

    def _by_beat(self, rows, more):
        places = self.case.positions_per_beat * self.case.segments
        return np.concatenate([rows, more]).reshape(-1, places)

    def beats(self):
        """{cycle: beat}"""
        beats = {
            cycle: {
                "valid": 1,
                "weighted": weighted,
                "position": i,
                "first": i == 0,
                "last": cycle == cycles[-1],
            }
            for weighted, cycles in enumerate((self.dot_cycles, self.weighted_cycles))
            for i, cycle in enumerate(cycles)
        }
        if self.case.positions_per_beat == 2:
            for cycles in (self.dot_cycles, self.weighted_cycles):
                beats[cycles[-1]]["single"] = self.positions % 2
        return beats


def random_attentions(case, dut, rng, cycles):
    """Attentions one after the other, the next one's dot beats right after the weighted ones."""
    attentions, start = [], 0
    while start < cycles:
        gap_probability = rng.choice([0, 0.3])
        attentions.append(Attention(case, dut, rng, start, gap_probability))
        start = attentions[-1].weighted_cycles[-1] + 1
    return attentions


@pytest.mark.parametrize("case", CASES, ids=str)
def test_softmax_equals_arith_in_every_cycle(case):
    dut = case.build()
    rng = np.random.default_rng(case.ctx_len)
    attentions = random_attentions(case, dut, rng, cycles=1000)
    beats, sums, coefficients, reciprocals, selects = {}, {}, {}, {}, {}
    for attention in attentions:
        beats |= attention.beats()
        selects |= dict.fromkeys(attention.dot_cycles, attention.select)
        for cycle, dot in zip(attention.dot_cycles, attention.sums(), strict=True):
            sums[cycle + case.dot_latency] = dot
        for cycle, p in zip(attention.weighted_cycles, attention.coefficients(), strict=True):
            coefficients[cycle + dut.coefficient_delay] = p
        end = attention.weighted_cycles[-1]
        reciprocals[end + dut.reciprocal_latency] = attention.reciprocal
    changes = {attention.weighted_cycles[0] + dut.reciprocal_latency for attention in attentions}

    async def process(ctx):
        held = None
        for cycle in range(max(reciprocals) + 1):
            ctx.set(dut.beat, beats.get(cycle, {"valid": 0, "first": 1}))
            ctx.set(dut.shift_select, selects.get(cycle, 0))
            noise = rng.integers(-2000, 2000, case.positions_per_beat * case.segments)
            ctx.set(dut.sums, sums.get(cycle, noise).tolist())
            if cycle in coefficients:
                actual = [ctx.get(value) for value in dut.coefficients]
                assert actual == coefficients[cycle].tolist()
            if cycle in changes:
                held = None
            held = reciprocals.get(cycle, held)
            if held is not None:
                assert [ctx.get(value) for value in dut.reciprocal] == held.tolist()
            await ctx.tick()

    simulate(dut, process)


@pytest.mark.parametrize("per_beat", [1, 2])
@pytest.mark.parametrize("early", [0, 1])
def test_maximum_latency_is_exact(early, per_beat):
    """One cycle sooner the maximum of the last position is not there yet."""
    case = Case(segments=1, ctx_len=4, shifts=(0,), dot_width=12, positions_per_beat=per_beat)
    dut = case.build()
    dots = [[0], [32]] if per_beat == 1 else [[0, -9], [-7, 32]]
    coefficients = []

    async def process(ctx):
        second = 1 + dut.maximum_latency - early
        for cycle in range(second + dut.coefficient_delay + 1):
            beat = {"valid": cycle < 2, "position": cycle % 2, "first": cycle == 0}
            if cycle >= second:
                beat = {"valid": cycle == second, "weighted": 1, "first": 1}
            ctx.set(dut.beat, beat)
            ready = cycle - case.dot_latency
            ctx.set(dut.sums, dots[ready] if ready in (0, 1) else [0] * per_beat)
            coefficients.append(ctx.get(dut.coefficients[0]))
            await ctx.tick()

    simulate(dut, process)
    right = int(arith.EXP2(32))
    assert (coefficients[-1] == right) == (not early)


@pytest.mark.parametrize("ctx_len", [1, 2, 5, 128])
def test_every_sum_divides_as_the_contract_says(ctx_len):
    """The reciprocal's constant shift gives ``arith.Softmax.divide`` for every sum and sign."""
    dut = Softmax(segments=1, ctx_len=ctx_len, shifts=(0,), dot_width=8, dot_latency=0)
    contract = arith.Softmax(0)
    total = np.arange(255, 255 * ctx_len + 1)
    exponent, index = contract.exponent_and_index(total)
    max_exponent = dut.division_shift - arith.Softmax.RECIPROCAL_BITS
    reciprocal = contract.table[index] << (max_exponent - exponent)
    assert reciprocal.max() < 2**dut.reciprocal_width
    for numerator in (-127, -1, 0, 1, 60, 127):
        acc = numerator * total + total // 3
        scaled = arith.round_shift(acc * reciprocal, dut.division_shift)
        assert (np.clip(scaled, -127, 127) == contract.divide(acc, total)).all()


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        ({"segments": 1.0}, TypeError, "segments must be an integer, not 1.0"),
        ({"ctx_len": 0}, ValueError, "ctx_len must be at least 1, not 0"),
        ({"dot_latency": -1}, ValueError, "dot_latency must be at least 0, not -1"),
        ({"shifts": ()}, ValueError, "shifts must have at least 1 shift, not 0"),
        ({"shifts": (40,)}, ValueError, "shift must be 0 to 31, not 40"),
        ({"positions_per_beat": 3}, ValueError, "positions_per_beat must be 1 or 2, not 3"),
    ],
)
def test_refused_arguments(overrides, error, message):
    arguments = {"segments": 1, "ctx_len": 4, "shifts": (0,), "dot_width": 8, "dot_latency": 1}
    with pytest.raises(error, match=f"^{message}$"):
        Softmax(**(arguments | overrides))
