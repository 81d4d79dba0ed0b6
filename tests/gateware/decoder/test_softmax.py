# amaranth: UnusedElaboratable=no
"""Softmax of the decoder against ``arith``, cycle by cycle."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gateformer.gateware.decoder.softmax import DecoderSoftmax
from gateformer.model.contract.decoder import arith

from .pipeline_bench import trace


@dataclasses.dataclass(frozen=True)
class Case:
    segments: int
    ctx_len: int
    score_shifts: tuple[int, ...]
    sum_width: int
    dot_latency: int

    def build(self) -> DecoderSoftmax:
        return DecoderSoftmax(**dataclasses.asdict(self))


CASES = [
    Case(1, 1, (4,), 18, 8),
    Case(2, 9, (0,), 14, 0),
    Case(3, 16, (0, 3, 9), 20, 3),
    Case(1, 40, (12, 40), 38, 11),
    Case(2, 130, (20,), 40, 9),
    Case(2, 6, (13, 14, 15), 14, 1),
]


def products(case: Case, shift: int, positions: int, rng) -> np.ndarray:
    """[positions, segments]: scores equal, near, some octaves or as far apart as there are."""
    most = 2 ** (case.sum_width - 1)
    spread = int(rng.choice([0, 1, 60, 900, 2048, 4200, 2**20]))
    centre = int(rng.choice([0, 0, most - 1, -most, rng.integers(-most, most)]))
    scores = rng.integers(-spread, spread + 1, (positions, case.segments))
    low = rng.integers(-(1 << shift) // 2, (1 << shift) // 2 + 1, scores.shape)
    found = centre + np.clip(scores, -most >> shift, most >> shift) * (1 << shift) + low
    return np.clip(found, -most, most - 1)


class Attention:
    """Beats of a head per segment, by cycle, and what must come of them."""

    def __init__(self, case: Case, unit: DecoderSoftmax, rng, start: int):
        self.positions = int(rng.choice([1, case.ctx_len, rng.integers(1, case.ctx_len + 1)]))
        self.shift = int(rng.choice(case.score_shifts))
        self.products = products(case, self.shift, self.positions, rng)
        scores = arith.round_shift(self.products, self.shift)
        self.order = rng.permutation(self.positions)
        self.p = arith.exp2(scores.max(0) - scores)
        self.dots = self._cycles(start, rng)
        self.weighted = self._cycles(int(self.dots[-1]) + unit.maximum_latency, rng)
        self.asked = int(self.weighted[-1]) + unit.RECIPROCAL_GAP + np.arange(case.segments)

    def _cycles(self, start: int, rng) -> np.ndarray:
        gaps = rng.choice(rng.choice([[0, 0], [0, 3]]), self.positions)
        return start + np.arange(self.positions) + np.cumsum(gaps) - gaps[0]


def run(case: Case, unit: DecoderSoftmax, attentions, rng):
    """Garbage where there is no beat."""
    cycles = max(int(a.asked[-1]) for a in attentions) + unit.RECIPROCAL_LATENCY + 1
    most = 2 ** (case.sum_width - 1)
    beats = [
        {
            "valid": 0,
            "weighted": int(rng.integers(2)),
            "position": int(rng.integers(case.ctx_len)),
            "first": int(rng.integers(2)),
        }
        for _ in range(cycles)
    ]
    sums = rng.integers(-most, most, (cycles, case.segments)).tolist()
    shifts = rng.choice(case.score_shifts, cycles)
    segment = rng.integers(0, case.segments, cycles)
    for a in attentions:
        for i, (dot, weighted) in enumerate(zip(a.dots, a.weighted, strict=True)):
            beat = {"valid": 1, "position": int(a.order[i]), "first": int(i == 0)}
            beats[dot] = {**beat, "weighted": 0}
            beats[weighted] = {**beat, "weighted": 1}
            sums[dot + case.dot_latency] = a.products[a.order[i]].tolist()
            shifts[dot] = a.shift
        segment[a.asked] = np.arange(case.segments)
    inputs = {"beat": beats, "score_shift": shifts, "sums": sums, "segment": segment}
    return trace(unit, inputs, "coefficients", "reciprocal", "exponent")


def check(case: Case, unit: DecoderSoftmax, attentions, got) -> None:
    for a in attentions:
        found = got["coefficients"][a.weighted + unit.COEFFICIENT_DELAY]
        assert np.array_equal(found, a.p[a.order])
        total, ready = a.p.sum(0), a.asked + unit.RECIPROCAL_LATENCY
        exponent = got["exponent"][ready]
        assert np.array_equal(exponent, arith.floor_log2(total))
        for acc in (total * 127, -total * 32767, total - 1):
            shift = arith.RECIPROCAL_BITS - arith.MEAN_V_BITS + exponent
            mean = arith.round_shift(acc * got["reciprocal"][ready], shift)
            assert np.array_equal(mean, arith.mean_of_values(acc, total))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_attentions_one_after_the_other(case):
    """The next one's products right after the last weighted beat, before the sums are asked for."""
    rng, unit = np.random.default_rng(case.ctx_len), case.build()
    attentions, start = [], 0
    while start < 700:
        attentions.append(Attention(case, unit, rng, start))
        start = int(attentions[-1].weighted[-1]) + 1
        # the next weighted beat ends the last sums
        room = int(attentions[-1].asked[-1]) - start - unit.maximum_latency
        start += max(room - unit.TOTAL_KEPT, 0)
    check(case, unit, attentions, run(case, unit, attentions, rng))


@pytest.mark.parametrize("ctx_len", [1, 2, 129, 1024])
def test_the_largest_sum(ctx_len):
    """All positions alike, with the products at either end: every probability is 32767."""
    case, rng = Case(2, ctx_len, (0, 5), 30, 2), np.random.default_rng(0)
    unit = case.build()
    attention = Attention(case, unit, rng, 0)
    attention.positions, attention.order = ctx_len, np.arange(ctx_len)
    attention.products = np.tile([2**29 - 1, -(2**29)], (ctx_len, 1))
    attention.p = np.full((ctx_len, 2), arith.PROBABILITY_MAX)
    attention.dots = np.arange(ctx_len)
    attention.weighted = attention.dots + ctx_len - 1 + unit.maximum_latency
    attention.asked = attention.weighted[-1] + unit.RECIPROCAL_GAP + np.arange(2)
    check(case, unit, [attention], run(case, unit, [attention], rng))


@pytest.mark.parametrize("shift", [0, 1, 12])
def test_products_as_far_apart_as_their_width(shift):
    """A distance of the whole range, which is more than 16 octaves, is probability 0; 16 less a
    step is not."""
    case, rng = Case(1, 4, (shift,), 16 + shift, 1), np.random.default_rng(0)
    unit, most = case.build(), 2 ** (15 + shift)
    edge = most - 1 - (4096 << shift)
    attention = Attention(case, unit, rng, 0)
    attention.positions, attention.order, attention.shift = 4, np.arange(4), shift
    attention.products = np.array([[-most], [most - 1], [edge], [edge + (1 << shift)]])
    scores = arith.round_shift(attention.products, shift)
    attention.p = arith.exp2(scores.max(0) - scores)
    assert attention.p.ravel().tolist() == [0, 32767, 0, 1]
    attention.dots = np.arange(4)
    attention.weighted = attention.dots + 3 + unit.maximum_latency
    attention.asked = attention.weighted[-1:] + unit.RECIPROCAL_GAP
    check(case, unit, [attention], run(case, unit, [attention], rng))


@pytest.mark.parametrize("early", [0, 1])
@pytest.mark.parametrize("dot_latency", [0, 4])
def test_maximum_latency_is_exact(dot_latency, early):
    """One cycle sooner the score of the last position is not there yet."""
    case = Case(1, 2, (0,), 16, dot_latency)
    unit = case.build()
    # position 1 of an earlier attention has a score that would be seen
    second = 2 + unit.maximum_latency - early
    idle = {"valid": 0, "weighted": 0, "position": 0, "first": 0}
    beats = [dict(idle) for _ in range(second + unit.COEFFICIENT_DELAY + 1)]
    beats[0] = {**idle, "valid": 1, "position": 1, "first": 1}
    beats[2] = {**idle, "valid": 1, "position": 1, "first": 1}
    beats[second] = {"valid": 1, "weighted": 1, "position": 1, "first": 1}
    sums = [[0]] * len(beats)
    sums[dot_latency], sums[2 + dot_latency] = [900], [1000]
    got = trace(unit, {"beat": beats, "sums": sums}, "coefficients")["coefficients"]
    assert (got[-1, 0] == arith.PROBABILITY_MAX) == (not early)


@pytest.mark.parametrize(("gap", "right"), [(0, True), (-1, False)])
def test_reciprocal_gap_is_exact(gap, right):
    """One cycle sooner the last probability is missing."""
    unit = Case(1, 4, (0,), 16, 0).build()
    idle = {"valid": 0, "weighted": 0, "position": 0, "first": 0}
    beats = [{**idle, "valid": 1, "position": i, "first": int(i == 0)} for i in range(2)]
    beats += [dict(idle) for _ in range(unit.maximum_latency - 1)]
    beats += [{**idle, "valid": 1, "position": i, "first": int(i == 0)} for i in range(2)]
    for beat in beats[-2:]:
        beat["weighted"] = 1
    asked = len(beats) - 1 + unit.RECIPROCAL_GAP + gap
    ready = asked + unit.RECIPROCAL_LATENCY
    beats += [dict(idle) for _ in range(ready + 1 - len(beats))]
    inputs = {"beat": beats, "sums": [[5]] * len(beats)}
    got = trace(unit, inputs, "exponent")["exponent"]
    assert (got[ready] == arith.floor_log2(2 * arith.PROBABILITY_MAX)) == right


@pytest.mark.parametrize("late", [0, 1])
def test_sums_are_kept_until_the_next_ones(late):
    """``segment`` TOTAL_KEPT cycles after the next weighted beat is the last to get them."""
    unit = Case(1, 4, (0,), 16, 0).build()
    idle = {"valid": 0, "weighted": 0, "position": 0, "first": 0}
    beats = [{**idle, "valid": 1, "first": 1}]
    beats += [dict(idle) for _ in range(unit.maximum_latency - 1)]
    beats += [{**idle, "valid": 1, "weighted": 1, "first": int(i == 0)} for i in range(4)]
    again = len(beats)
    beats.append({**beats[-1], "first": 1})
    ready = again + unit.TOTAL_KEPT + late + unit.RECIPROCAL_LATENCY
    beats += [dict(idle) for _ in range(ready + 1 - len(beats))]
    inputs = {"beat": beats, "sums": [[5]] * len(beats)}
    got = trace(unit, inputs, "exponent")["exponent"]
    assert (got[ready] == arith.floor_log2(4 * arith.PROBABILITY_MAX)) == (not late)


@pytest.mark.parametrize("value_bits", [8, 12, 16])
def test_the_mean_fits_its_width(value_bits):
    """All values alike at their end, for sums in every bin of the reciprocal's table."""
    bins = arith.PROBABILITY_MAX << np.arange(0, 17, dtype=np.int64)
    total = np.concatenate([low + np.arange(1024) * low // 1024 for low in bins])
    acc = total * arith.limit(value_bits)
    width = DecoderSoftmax.mean_width(value_bits)
    means = np.array([arith.mean_of_values(sign * acc, total) for sign in (-1, 1)])
    assert arith.limit(width - 2) < np.abs(means).max() <= arith.limit(width)
