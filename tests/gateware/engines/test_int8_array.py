# amaranth: UnusedElaboratable=no
"""The INT8 array against numpy, cycle by cycle, with random beats, writes and reads."""

import dataclasses

import numpy as np
import pytest

from gateformer.gateware.engines.array.int8_array import Int8Array
from tests.support.component_simulation import simulate

from .array_bench import DEPTH, random_bytes, to_int

CYCLES = 160


@dataclasses.dataclass(frozen=True)
class Case:
    rows: int
    segments: int
    segment_groups: int
    query_words: int = 1
    tree_levels_per_register: int = 2
    beat_registers: int = 0

    @property
    def coefficient_delay(self):
        return 3 + self.beat_registers

    @property
    def write_latency(self):
        return 1 - self.beat_registers

    @property
    def query_write_latency(self):
        return -1 - self.beat_registers

    @property
    def lanes(self):
        return self.rows * self.segments * self.segment_groups

    def build(self, words, **overrides):
        arguments = {
            "rows": self.rows,
            "word_groups": self.segments * self.segment_groups,
            "segments": self.segments,
            "segment_groups": self.segment_groups,
            "query_words": self.query_words,
            "initial_words": words,
            "acc_width": 24,
            "dot_width": 24,
            "tree_levels_per_register": self.tree_levels_per_register,
            "beat_registers": self.beat_registers,
        }
        return Int8Array(**(arguments | overrides))


CASES = [
    Case(rows=1, segments=1, segment_groups=1),
    Case(rows=1, segments=1, segment_groups=3, query_words=2),
    Case(rows=3, segments=2, segment_groups=1, tree_levels_per_register=1),
    Case(rows=2, segments=3, segment_groups=3, query_words=3, beat_registers=1),
    Case(rows=5, segments=1, segment_groups=2, query_words=4, tree_levels_per_register=3),
    Case(rows=8, segments=2, segment_groups=1, beat_registers=1),
    Case(rows=4, segments=4, segment_groups=1, query_words=2),
]


def random_beats(case, rng):
    """One beat or None per cycle: dot products of up to query_words beats, weighted sums."""
    beats = []
    while len(beats) < CYCLES:
        weighted = bool(rng.integers(2))
        count = rng.integers(1, 7 if weighted else case.query_words + 1)
        for i in range(count):
            if rng.random() < 0.2:
                beats.extend([None] * rng.integers(1, 9))
            beats.append(
                {
                    "valid": 1,
                    "address": int(rng.integers(DEPTH)),
                    "weighted": int(weighted),
                    "query_word": int(rng.integers(case.query_words)),
                    "first": int(i == 0),
                    "last": int(i == count - 1),
                }
            )
    return beats[:CYCLES]


def random_writes(case, rng, places, low):
    """One (place, group, bytes) or None per cycle."""
    groups = case.segments * case.segment_groups
    return [
        (int(rng.integers(places)), int(rng.integers(groups)), random_bytes(rng, case.rows, low))
        if rng.random() < 0.7
        else None
        for _ in range(CYCLES)
    ]


class Stimuli:
    """Random inputs of every cycle, and the outputs that the contract asks for."""

    def __init__(self, case, seed):
        rng = np.random.default_rng(seed)
        self.case = case
        self.words = random_bytes(rng, (DEPTH, case.lanes))
        self.beats = random_beats(case, rng)
        self.writes = random_writes(case, rng, DEPTH, -128)
        self.query_writes = random_writes(case, rng, case.query_words, -127)
        self.coefficients = rng.choice([0, 1, 77, 128, 255], (CYCLES, case.segments))
        self.read_groups = rng.integers(case.segments * case.segment_groups, size=CYCLES)

    @staticmethod
    def _apply(array, writes, rows, cycle):
        if 0 <= cycle < CYCLES and writes[cycle]:
            place, group, values = writes[cycle]
            array[place, group * rows : (group + 1) * rows] = values

    def accumulators(self):
        """Per beat's cycle (acc after that beat, whether a dot product is complete)."""
        case, words = self.case, self.words.copy()
        query = np.zeros((case.query_words, case.lanes), np.int64)
        for cycle in range(-case.query_write_latency):
            self._apply(query, self.query_writes, case.rows, cycle)
        acc = np.zeros(case.lanes, np.int64)
        history = []
        for cycle, beat in enumerate(self.beats):
            self._apply(words, self.writes, case.rows, cycle - case.write_latency)
            self._apply(query, self.query_writes, case.rows, cycle - case.query_write_latency)
            if beat:
                operand = query[beat["query_word"]]
                if beat["weighted"]:
                    sampled = cycle + case.coefficient_delay
                    coefficients = self.coefficients[min(sampled, CYCLES - 1)]
                    operand = np.repeat(coefficients, case.lanes // case.segments)
                acc = operand * words[beat["address"]] + (0 if beat["first"] else acc)
            history.append((acc, bool(beat and beat["last"] and not beat["weighted"])))
        return history


async def drive(ctx, dut, stimuli, cycle):
    ctx.set(dut.beat, stimuli.beats[cycle] or {"valid": 0, "address": 1 % DEPTH, "first": 1})
    for port, place, writes in (
        (dut.write, "address", stimuli.writes),
        (dut.query_write, "word", stimuli.query_writes),
    ):
        if writes[cycle]:
            where, group, values = writes[cycle]
            fields = {"valid": 1, place: where, "group": group, "data": values.tolist()}
            ctx.set(port, fields)
        else:
            ctx.set(port.valid, 0)
    ctx.set(dut.coefficients, stimuli.coefficients[cycle].tolist())
    ctx.set(dut.read_group, int(stimuli.read_groups[cycle]))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_array_equals_numpy_in_every_cycle(case):
    stimuli = Stimuli(case, seed=case.lanes)
    dut = case.build([to_int(word) for word in stimuli.words])
    history = stimuli.accumulators()
    dots = {
        cycle: acc.reshape(case.segments, -1).sum(1)
        for cycle, (acc, complete) in enumerate(history)
        if complete
    }
    assert dots

    async def process(ctx):
        for cycle in range(CYCLES):
            await drive(ctx, dut, stimuli, cycle)
            expected = dots.get(cycle - dut.dot_latency)
            assert ctx.get(dut.dot.valid) == (expected is not None)
            if expected is not None:
                assert [ctx.get(value) for value in dut.dot.sums] == expected.tolist()
            expected = dots.get(cycle - dut.total_latency)
            assert ctx.get(dut.dot.total_valid) == (expected is not None)
            if expected is not None:
                assert ctx.get(dut.dot.total) == expected.sum()
            read = cycle - dut.READ_LATENCY
            if read >= dut.weighted_latency:
                acc, _ = history[read - dut.weighted_latency]
                group = acc.reshape(-1, case.rows)[stimuli.read_groups[read]]
                assert [ctx.get(value) for value in dut.read_data] == group.tolist()
            await ctx.tick()

    simulate(dut, process)


def test_latencies_of_the_reference_size():
    dut = Case(rows=8, segments=2, segment_groups=4).build([0] * 768)
    assert dut.lanes == 64
    assert (dut.weighted_latency, dut.dot_latency, dut.total_latency) == (5, 9, 9)


def test_largest_sums_do_not_wrap():
    """-127 * -128 in every lane and word, at the width that just holds the sum."""
    case = Case(rows=4, segments=2, segment_groups=2, query_words=3)
    bound = 127 * 128 * case.lanes // case.segments * case.query_words
    dut = case.build([to_int([-128] * case.lanes)], dot_width=bound.bit_length() + 1)

    async def process(ctx):
        for word in range(case.query_words):
            for group in range(4):
                data = [-127] * case.rows
                fields = {"valid": 1, "word": word, "group": group, "data": data}
                ctx.set(dut.query_write, fields)
                await ctx.tick()
        ctx.set(dut.query_write.valid, 0)
        for word in range(case.query_words):
            last = word == case.query_words - 1
            fields = {"valid": 1, "query_word": word, "first": word == 0, "last": last}
            ctx.set(dut.beat, fields)
            await ctx.tick()
        ctx.set(dut.beat.valid, 0)
        await ctx.tick().repeat(dut.dot_latency - 1)
        assert ctx.get(dut.dot.valid)
        assert [ctx.get(value) for value in dut.dot.sums] == [bound, bound]
        for _ in range(dut.total_latency - dut.dot_latency):
            await ctx.tick()
        assert ctx.get(dut.dot.total) == 2 * bound

    simulate(dut, process)


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        ({"rows": "8"}, TypeError, "rows must be an integer, not '8'"),
        ({"rows": 0}, ValueError, "rows must be at least 1, not 0"),
        (
            {"word_groups": 3},
            ValueError,
            r"word_groups must be segments \* segment_groups \(2\), not 3",
        ),
        ({"initial_words": []}, ValueError, "initial_words must have at least 1 word, not 0"),
        (
            {"initial_words": [0, 1 << 32]},
            ValueError,
            r"initial_words\[1\] must have at most 32 bits, not 4294967296",
        ),
        (
            {"dsp": "dsp58"},
            ValueError,
            "dsp must be one of generic, dsp48e1, dsp48e1-driven, dsp48e2, mult18x18d, gowin, "
            "not 'dsp58'",
        ),
    ],
)
def test_refused_arguments(overrides, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        Case(rows=2, segments=2, segment_groups=1).build([0], **overrides)
