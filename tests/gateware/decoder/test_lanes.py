# amaranth: UnusedElaboratable=no
"""The lanes against numpy, cycle by cycle: beats, writes and reads at random, and largest sums."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gateformer.gateware.decoder.instruction import Source
from gateformer.gateware.decoder.lanes import DecoderLanes
from gateformer.gateware.decoder.layout import DecoderLayout
from gateformer.gateware.decoder.weights.weight_store import WeightStore
from gateformer.gateware.decoder.weights.word_format import WordFormat
from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.config import Bits
from gateformer.model.contract.decoder import arith

from .layouts import layout
from .pipeline_bench import extremes, trace

CYCLES = 350


USUAL = Bits()
NARROW = Bits(norm=8, query=8, attention=9, gate=8, hidden=10, key=8, value=8)
WIDE = Bits(key=16, value=16)


@dataclasses.dataclass(frozen=True)
class Case:
    most_lanes: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    d_model: int
    d_ff: int
    code_bits: int = 8
    ctx_len: int = 3
    weight_words: int = 20
    bits: Bits = USUAL

    def build(self, weights) -> DecoderLanes:
        return DecoderLanes(
            layout=self.layout,
            stores=[
                WeightStore(
                    WordFormat(self.layout.lanes, self.code_bits),
                    [packed(word, self.code_bits) for word in weights],
                )
            ],
        )

    @property
    def layout(self) -> DecoderLayout:
        shape = dataclasses.asdict(self)
        for name in ("code_bits", "weight_words", "bits"):
            del shape[name]
        return layout(**shape, bits=self.bits)


CASES = [
    Case(1, 1, 1, 1, 1, 1, ctx_len=1, weight_words=1),
    Case(3, 1, 1, 7, 5, 8, code_bits=5),
    Case(8, 4, 2, 2, 9, 3, bits=NARROW),
    Case(7, 6, 2, 2, 11, 30, code_bits=9, bits=WIDE, weight_words=700),
    Case(12, 3, 3, 4, 12, 24, code_bits=4, ctx_len=90),
]


def packed(word, bits: int) -> int:
    return sum((int(code) & (1 << bits) - 1) << i * bits for i, code in enumerate(word))


IDLE = {
    "valid": 0,
    "source": Source.MATRIX,
    "address": 0,
    "activation": 0,
    "lane": 0,
    "first": 0,
}
BLANK = {"valid": 0, "address": 0, "group": 0, "data": 0}
MEMORIES = ("activation", "key", "value")
TAIL = 20


def write(unit: DecoderLanes, name: str, word: int, lane: int, value: int) -> dict:
    width = getattr(unit, f"{name}_write").data.shape().width
    data = int(value) & (1 << width) - 1
    return {"valid": 1, "address": int(word), "group": int(lane), "data": data}


def run(unit: DecoderLanes, beats, writes, coefficients, read_lane=None):
    """Outputs by cycle; nothing happens in the last TAIL ones."""
    cycles = len(beats) + TAIL
    inputs = {"beat": [*beats, *[IDLE] * TAIL], "coefficients": coefficients}
    for name in MEMORIES:
        inputs[f"{name}_write"] = [writes[name].get(cycle, BLANK) for cycle in range(cycles)]
    if read_lane is not None:
        inputs["read_lane"] = read_lane
    return trace(unit, inputs, "sums", "total", "read_data")


class Model:
    """What the memories and accumulators hold."""

    def __init__(self, case: Case, weights):
        self.plan, self.weights = case.layout, weights
        shapes = {"activation": (self.plan.activation_words, self.plan.lanes)}
        shapes |= dict.fromkeys(("key", "value"), (self.plan.cache_words, self.plan.kv_lanes))
        self.memories = {name: np.zeros(shape, np.int64) for name, shape in shapes.items()}
        self.acc = np.zeros(self.plan.lanes, np.int64)

    def accumulate(self, beat: dict, words: dict, coefficients) -> None:
        """``words``: the activations, keys and values that the beat reads."""
        plan, source = self.plan, beat["source"]
        shown = np.arange(plan.lanes) % plan.kv_lanes
        match source:
            case Source.WEIGH:
                spread = np.repeat(coefficients, plan.segment_lanes)
                product = words["value"][shown] * spread
            case Source.SCORE:
                product = words["key"][shown] * words["activation"]
            case Source.MATRIX:
                product = self.weights[beat["address"]] * words["activation"]
            case Source.ELEMENT:
                one = np.arange(plan.lanes) == beat["lane"]
                product = self.weights[beat["address"]] * one
        self.acc = product + (0 if beat["first"] else self.acc)


def random_beats(case: Case, rng) -> list[dict]:
    """Sequences of a source, each with ``first``, some with gaps, garbage in them."""
    plan, beats = case.layout, []
    sources = [Source.MATRIX, Source.ELEMENT, Source.SCORE, Source.WEIGH]
    counts = {
        Source.MATRIX: plan.words(max(case.d_ff, case.d_model)),
        Source.ELEMENT: 1,
        Source.SCORE: plan.head_words,
        Source.WEIGH: case.ctx_len,
    }
    while len(beats) < CYCLES:
        source = rng.choice(sources, p=[0.3, 0.1, 0.2, 0.4])
        own = source in (Source.MATRIX, Source.ELEMENT)
        depth = case.weight_words if own else plan.cache_words
        for i in range(rng.integers(1, counts[source] + 1)):
            for valid in [0] * rng.choice([0, 0, 1, 4]) + [1]:
                beats.append(
                    {
                        "valid": valid,
                        "source": source,
                        "address": int(rng.integers(depth)),
                        "activation": int(rng.integers(plan.activation_words)),
                        "lane": int(rng.integers(plan.lanes)),
                        "first": int(i == 0) if valid else int(rng.integers(2)),
                    }
                )
    return beats[:CYCLES]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_beats_writes_and_reads_at_random(case):
    rng = np.random.default_rng(case.most_lanes)
    plan, low = case.layout, -(1 << case.code_bits - 1)
    weights = rng.choice([low, low + 1, -1, 0, 1, -low - 1], (case.weight_words, plan.lanes))
    unit, model = case.build(weights), Model(case, weights)
    beats = random_beats(case, rng)
    reads = dict(
        zip(MEMORIES, (unit.ACTIVATION_READ, unit.CACHE_READ, unit.CACHE_READ), strict=True)
    )
    most = {"activation": case.bits.query, "key": case.bits.key, "value": case.bits.value}
    writes = {name: {} for name in MEMORIES}
    kept = {name: np.zeros(plan.kv_lanes, np.int64) for name in ("key", "value")}
    words = {name: [] for name in MEMORIES}  # that each beat reads
    for name, memory in model.memories.items():
        for cycle in range(CYCLES + reads[name]):
            beat = beats[max(cycle - reads[name], 0)]
            read = beat["activation" if name == "activation" else "address"] % len(memory)
            if cycle >= reads[name]:
                words[name].append(memory[read].copy())
            word, lane = (int(rng.integers(n)) for n in memory.shape)
            # none of the word that is read in this cycle
            if cycle < CYCLES and word != read and rng.random() < 0.9:
                value = int(extremes(rng, arith.limit(most[name]), ()))
                writes[name][cycle] = write(unit, name, word, lane, value)
                if name != "activation" and plan.head_words == 1:  # as CacheMemory
                    kept[name][lane] = value
                    memory[word] = kept[name]
                memory[word, lane] = value
    top, cycles = arith.PROBABILITY_MAX, CYCLES + TAIL
    coefficients = rng.choice([0, 1, top, top - 1], (cycles, plan.segments)).tolist()
    read_lane = rng.integers(0, plan.lanes, cycles)
    got = run(unit, beats, writes, coefficients, read_lane)
    kinds, latest = set(), None
    for cycle, beat in enumerate(beats):
        if beat["valid"]:
            now = {name: found[cycle] for name, found in words.items()}
            model.accumulate(beat, now, coefficients[cycle + unit.COEFFICIENT_DELAY])
            latest = beat["source"]
            sums = model.acc.reshape(plan.segments, -1).sum(1)
            if latest is Source.SCORE:
                assert np.array_equal(got["sums"][cycle + unit.sums_latency], sums), cycle
                kinds.add(latest)
            elif latest is not Source.WEIGH and abs(sums.sum()) <= arith.limit(unit.total_width):
                # beyond it, these random words are not a row of this model
                assert got["total"][cycle + unit.total_latency] == sums.sum(), cycle
                kinds.add(latest)
        if latest is Source.WEIGH:
            # the accumulator 1 cycle after read_lane, which comes with this beat's sum
            asked = cycle + unit.ACCUMULATED - 1
            read = got["read_data"][asked + unit.READ_LATENCY]
            assert read == model.acc[read_lane[asked]], cycle
            kinds.add(latest)
    assert len(kinds) == 4


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    "case",
    [
        Case(4, 2, 2, 2, 16, 8),
        Case(3, 1, 1, 8, 4, 7, code_bits=4, ctx_len=7, bits=WIDE),
        Case(6, 6, 1, 1, 6, 64, code_bits=10, ctx_len=4, bits=NARROW),
        Case(2, 2, 1, 1, 1, 1, ctx_len=16, bits=WIDE),
        Case(4, 2, 2, 2, 4, 4, code_bits=4, bits=Bits(key=8, value=16)),
    ],
    ids=str,
)
def test_largest_sums(case, sign):
    """Of numbers at their ends: rows, scores and means of all positions fit, and need, a width."""
    plan, bits, low = case.layout, case.bits, 1 << case.code_bits - 1
    longest = max(case.d_model, case.d_ff, case.n_heads * case.head_dim)
    weights = np.full(plan.words(longest) * plan.lanes, -low)
    weights[longest:] = 0
    unit = case.build(weights.reshape(-1, plan.lanes))
    inner = arith.limit(max(bits.norm, bits.attention, bits.hidden))
    query, key, value = (arith.limit(n) for n in (bits.query, bits.key, bits.value))
    beats, writes = [], {name: {} for name in MEMORIES}

    def fill(name, words, lanes, number):
        """``number``: what the lane's place in its head gets."""
        for word in range(words):
            for lane in range(lanes):
                channel = word * plan.segment_lanes + lane % plan.segment_lanes
                writes[name][len(beats)] = write(unit, name, word, lane, number(channel))
                beats.append(IDLE)

    def sequence(source, count) -> int:
        """Its last beat's cycle."""
        for i in range(count):
            at = {"address": i, "activation": i if source is not Source.WEIGH else 0}
            beats.append({**IDLE, **at, "valid": 1, "source": source, "first": int(i == 0)})
        last = len(beats) - 1
        beats.extend([IDLE] * TAIL)
        return last

    fill("activation", plan.words(longest), plan.lanes, lambda c: sign * inner)
    row = sequence(Source.MATRIX, plan.words(longest))
    # the lanes beyond a head's end stay 0
    fill("activation", plan.head_words, plan.lanes, lambda c: sign * query * (c < case.head_dim))
    fill("key", plan.head_words, plan.kv_lanes, lambda c: key * (c < case.head_dim))
    score = sequence(Source.SCORE, plan.head_words)
    fill("value", case.ctx_len, plan.kv_lanes, lambda c: sign * value)
    mean = sequence(Source.WEIGH, case.ctx_len)
    full = [[arith.PROBABILITY_MAX] * plan.segments] * (len(beats) + TAIL)
    got = run(unit, beats, writes, full)
    total = got["total"][row + unit.total_latency]
    assert total == -sign * low * inner * longest
    assert unit.total_width == signed_width(abs(total))
    scores = got["sums"][score + unit.sums_latency]
    assert set(scores) == {sign * query * key * case.head_dim}
    assert unit.sum_width == signed_width(abs(scores[0]))
    weighted = got["read_data"][mean + unit.ACCUMULATED - 1 + unit.READ_LATENCY]
    assert weighted == sign * value * arith.PROBABILITY_MAX * case.ctx_len
    assert unit.mean_width == signed_width(abs(weighted))
