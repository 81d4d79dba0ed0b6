# amaranth: UnusedElaboratable=no
"""The array of two products per multiplier against numpy, cycle by cycle."""

import dataclasses

import numpy as np
import pytest

from gateformer.gateware.engines.array.links import chain_length
from gateformer.gateware.engines.array.pair_array import PairArray
from tests.support.component_simulation import simulate

from .array_bench import DEPTH, random_bytes, to_int

CYCLES = 250


@dataclasses.dataclass(frozen=True)
class Case:
    rows: int
    segments: int
    segment_groups: int
    tree_levels_per_register: int = 2
    beat_registers: int = 0
    acc_width: int = 24

    @property
    def lanes(self):
        return self.rows * self.segments * self.segment_groups

    @property
    def groups(self):
        return self.segments * self.segment_groups

    def build(self, words, **overrides):
        arguments = {
            **dataclasses.asdict(self),
            "word_groups": self.groups,
            "initial_words": words,
            "dot_width": 24,
        }
        return PairArray(**(arguments | overrides))


CASES = [
    Case(rows=1, segments=1, segment_groups=2),
    Case(rows=3, segments=2, segment_groups=2, tree_levels_per_register=1),
    Case(rows=2, segments=1, segment_groups=6, acc_width=18),
    Case(rows=1, segments=3, segment_groups=2, beat_registers=1, acc_width=31),
    Case(rows=4, segments=2, segment_groups=4, beat_registers=1),
    Case(rows=2, segments=1, segment_groups=8, tree_levels_per_register=3),
    Case(rows=5, segments=1, segment_groups=4, beat_registers=1, acc_width=15),
]


def random_words(case, rng):
    return random_bytes(rng, (DEPTH, 2, case.groups, case.rows), -127)


class Run:
    """Drives an array and keeps what it must answer, in the cycles in which it must.

    Each of several rounds writes memory and query, takes dot products, then weighted sums, as a
    program does: the query is lost with the first weighted beat.
    """

    def __init__(self, case, dut, words, rng):
        self.case, self.dut, self.words, self.rng = case, dut, words.astype(np.int64), rng
        self.cycle = 0
        self.dots, self.reads, self.totals = {}, {}, {}
        self.coefficients = {}

    async def tick(self, ctx):
        dut, cycle = self.dut, self.cycle
        ctx.set(dut.coefficients, self.coefficients.get(cycle, [9] * 2 * self.case.segments))
        expected = self.dots.pop(cycle, None)
        assert ctx.get(dut.dot.valid) == (expected is not None)
        if expected is not None:
            assert [ctx.get(value) for value in dut.dot.sums] == expected
        expected = self.totals.pop(cycle, None)
        assert ctx.get(dut.dot.total_valid) == (expected is not None)
        if expected is not None:
            assert [ctx.get(value) for value in dut.dot.totals] == expected
        expected = self.reads.pop(cycle, None)
        if expected is not None:
            assert [ctx.get(value) for value in dut.read_data] == expected
        await ctx.tick()
        ctx.set(dut.beat, {"valid": 0, "first": 1, "weighted": int(self.rng.integers(2))})
        ctx.set(dut.write.valid, 0)
        ctx.set(dut.query_write.valid, 0)
        self.cycle += 1

    async def write_all(self, ctx):
        """A new query, and some new groups of the memory."""
        case, dut, rng = self.case, self.dut, self.rng
        rows = case.rows
        self.query = random_bytes(rng, case.lanes, -127).astype(np.int64)
        for group in rng.permutation(case.groups):
            values = self.query[group * rows : (group + 1) * rows]
            ctx.set(dut.query_write, {"valid": 1, "group": int(group), "data": values.tolist()})
            if rng.random() < 0.7:
                half, address = int(rng.integers(2)), int(rng.integers(DEPTH))
                values = random_bytes(rng, rows, -127)
                self.words[address, half, group] = values
                place = {"address": address, "group": int(half * case.groups + group)}
                ctx.set(dut.write, {"valid": 1, **place, "data": values.tolist()})
            await self.tick(ctx)
        for _ in range(max(dut.write_latency, dut.query_write_latency) - 1):
            await self.tick(ctx)

    async def take_dots(self, ctx):
        case, dut, rng = self.case, self.dut, self.rng
        for _ in range(rng.integers(1, 8)):
            address = int(rng.integers(DEPTH))
            products = self.query.reshape(case.groups, -1) * self.words[address]
            products = products.reshape(2, case.segments, -1)
            sums = products.sum(2)
            ctx.set(dut.beat, {"valid": 1, "address": address})
            self.dots[self.cycle + dut.dot_latency] = sums.reshape(-1).tolist()
            self.totals[self.cycle + dut.total_latency] = sums.sum(1).tolist()
            await self.tick(ctx)
            for _ in range(rng.choice([0, 0, 1, 4])):
                await self.tick(ctx)
        for _ in range(dut.chain - 1):
            await self.tick(ctx)

    async def take_weighted(self, ctx):
        case, dut, rng = self.case, self.dut, self.rng
        acc = np.zeros((case.groups, case.rows), np.int64)
        count = int(rng.choice([1, 2, 5, 40]))
        extreme = rng.random() < 0.3
        for i in range(count):
            address = 0 if extreme else int(rng.integers(DEPTH))
            last = int(i == count - 1)
            place = {"address": address, "weighted": 1, "first": int(i == 0), "last": last}
            ctx.set(dut.beat, {"valid": 1, **place})
            options = [255] if extreme else [0, 1, 77, 255]
            if case.acc_width < 24:
                options = [0, 1]
            coefficients = rng.choice(options, (2, case.segments))
            self.coefficients[self.cycle + dut.coefficient_delay] = coefficients.flatten().tolist()
            for group in range(case.groups):
                half, even = group % 2, group - group % 2
                for row in range(2):
                    weight = coefficients[row, group // case.segment_groups]
                    acc[group] += weight * self.words[address, half, even + row]
            await self.tick(ctx)
            for _ in range(rng.choice([0, 0, 1, 4])):
                await self.tick(ctx)
        for _ in range(dut.weighted_latency - 1):
            await self.tick(ctx)
        for group in rng.permutation(case.groups):
            ctx.set(dut.read_group, int(group))
            self.reads[self.cycle + dut.READ_LATENCY] = acc[group].tolist()
            await self.tick(ctx)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_array_equals_numpy_in_every_cycle(case):
    rng = np.random.default_rng(case.lanes)
    words = random_words(case, rng)
    dut = case.build([to_int(word) for word in words])
    run = Run(case, dut, words, rng)

    async def process(ctx):
        while run.cycle < CYCLES:
            await run.write_all(ctx)
            await run.take_dots(ctx)
            await run.take_weighted(ctx)
            for _ in range(dut.total_latency):
                await run.tick(ctx)
        assert not run.dots and not run.totals and not run.reads

    simulate(dut, process)


def test_a_query_may_be_written_after_the_beat():
    """As late as ``query_write_latency`` says, and no later."""
    dut = Case(rows=1, segments=1, segment_groups=2).build([3])

    async def process(ctx):
        seen = []
        for late in (-dut.query_write_latency, 1 - dut.query_write_latency):
            for cycle in range(dut.dot_latency):
                ctx.set(dut.beat, {"valid": cycle == 0})
                ctx.set(dut.query_write, {"valid": cycle == late, "data": [late]})
                await ctx.tick()
            seen.append(ctx.get(dut.dot.sums[0]))
        before = -dut.query_write_latency
        assert seen == [3 * before, 3 * before]

    simulate(dut, process)


def test_latencies_of_the_reference_size():
    dut = Case(rows=8, segments=2, segment_groups=4).build([0] * 448)
    assert (dut.lanes, dut.chain) == (64, 4)
    assert (dut.weighted_latency, dut.dot_latency, dut.total_latency) == (6, 11, 11)


@pytest.mark.parametrize(("groups", "length"), [(2, 2), (4, 4), (6, 2), (8, 4), (10, 2)])
def test_chains_are_as_long_as_the_field_allows(groups, length):
    assert chain_length(groups) == length


def test_largest_sums_do_not_wrap():
    """127 * -127 and -127 * -127 in every lane, at the width that just holds the sum."""
    case = Case(rows=4, segments=2, segment_groups=4)
    bound = 127 * 127 * case.lanes // case.segments
    word = to_int([-127] * case.lanes * 2)
    dut = case.build([word], dot_width=bound.bit_length() + 1)

    async def process(ctx):
        for sign in (-1, 1):
            for group in range(case.groups):
                fields = {"valid": 1, "group": group, "data": [127 * sign] * case.rows}
                ctx.set(dut.query_write, fields)
                await ctx.tick()
            ctx.set(dut.query_write.valid, 0)
            for cycle in range(dut.total_latency):
                ctx.set(dut.beat.valid, cycle == 0)
                await ctx.tick()
            assert [ctx.get(value) for value in dut.dot.totals] == [-2 * sign * bound] * 2

    simulate(dut, process)


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        ({"rows": "8"}, TypeError, "rows must be an integer, not '8'"),
        (
            {"word_groups": 3},
            ValueError,
            r"word_groups must be segments \* segment_groups \(2\), not 3",
        ),
        (
            {"word_groups": 3, "segment_groups": 3},
            ValueError,
            "segment_groups must be even, not 3",
        ),
        (
            {"initial_words": [0, 1 << 64]},
            ValueError,
            r"initial_words\[1\] must have at most 64 bits, not 18446744073709551616",
        ),
    ],
)
def test_refused_arguments(overrides, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        Case(rows=2, segments=1, segment_groups=2).build([0], **overrides)
