# amaranth: UnusedElaboratable=no
"""The residual stream against ``arith``: sums, means and roots, cycle by cycle."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gateformer.gateware.decoder.serial.residual import Residual
from gateformer.model.contract.decoder import arith

from .pipeline_bench import trace

MAX_EPS = 2**61


@dataclasses.dataclass(frozen=True)
class Case:
    d_model: int
    bits: int
    layer_norm: bool
    eps: tuple[int, ...]

    def build(self) -> Residual:
        return Residual(**dataclasses.asdict(self))

    def normalize(self, x, eps: int) -> np.ndarray:
        return arith.normalize(arith.subtract_mean(x) if self.layer_norm else x, eps)


CASES = [
    Case(1, 16, False, (0,)),
    Case(1, 28, True, (0, 7)),
    Case(2, 16, True, (0, 3)),
    Case(2, 28, False, (0, 1, MAX_EPS)),
    Case(3, 20, True, (0, 2**30, MAX_EPS)),
    Case(7, 28, True, (5, 0)),
    Case(63, 28, True, (0,)),
    Case(63, 28, False, (0,)),
    Case(33, 24, False, (9, 2**40)),
    Case(576, 26, True, (2**20, 0)),
    Case(576, 24, False, (2**20,)),
]


class Script:
    """Inputs by cycle; those that are not given are garbage that must not matter."""

    def __init__(self, case: Case, rng):
        self.case, self.rng, self.at = case, rng, 0
        self.events: dict[int, dict] = {}

    def set(self, cycle: int, **inputs) -> None:
        self.events.setdefault(cycle, {}).update(inputs)

    def vector(self, kind: str, x, gaps: bool) -> int:
        """Numbers of a vector, with gaps in any order; returns the last number's cycle."""
        places = self.rng.permutation(len(x)) if gaps else range(len(x))
        for i, place in enumerate(places):
            if gaps:
                self.at += int(self.rng.choice([0, 0, 1, 5]))
            self.set(self.at, place=int(place), first=int(i == 0), **{kind: 1})
            self.set(self.at + 1, value=int(x[place]))
            self.at += 1
        return self.at

    def run(self, *outputs: str) -> dict[str, np.ndarray]:
        case, rng, cycles = self.case, self.rng, self.at
        most, eps = arith.limit(case.bits), 0
        inputs: dict[str, list] = {
            name: []
            for name in ("load", "add", "place", "first", "value", "index", "prepare", "eps")
        }
        for cycle in range(cycles):
            event = self.events.get(cycle, {})
            eps = event.get("eps", eps)
            idle = {
                "load": 0,
                "add": 0,
                "prepare": 0,
                "eps": eps,
                "first": int(rng.integers(2)),
                "place": int(rng.integers(case.d_model)),
                "index": int(rng.integers(case.d_model)),
                "value": int(rng.integers(-most, most + 1)),
            }
            for name, values in inputs.items():
                values.append(event.get(name, idle[name]))
        return trace(case.build(), inputs, *outputs)


def vectors(case: Case, rng) -> list[np.ndarray]:
    """Of every size, and those that need the widest sums."""
    d, most = case.d_model, arith.limit(case.bits)
    full = np.full(d, most)
    alternating = np.where(np.arange(d) % 2, most, -most)
    spike = np.zeros(d, np.int64)
    spike[-1] = -most
    found = [full, -full, alternating, spike, np.zeros(d, np.int64), full - (np.arange(d) == 0)]
    found += [spike + most, rng.integers(-1, 2, d), 2 * spike + most, -2 * spike - most]
    if d > 100:  # a number takes a cycle
        found = [full, alternating, 2 * spike + most]
    for power in rng.uniform(0, case.bits - 1, 2 if d > 100 else 10):
        size = min(int(2**power), most)
        found.append(np.clip(rng.integers(-size, size + 1, d) + rng.integers(-9, 9), -most, most))
    return found


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.slow_but("*d_model=?,*")
def test_a_norm_of_every_vector(case):
    """Loaded or added, with gaps or without; the norm's numbers as soon as they may be read."""
    rng = np.random.default_rng(case.d_model)
    script, most, unit = Script(case, rng), arith.limit(case.bits), case.build()
    x, written, norms = np.zeros(case.d_model, np.int64), [], []
    for i, wanted in enumerate(vectors(case, rng)):
        kind = "add" if i % 3 == 2 else "load"
        update = np.clip(wanted - x, -most, most) if kind == "add" else wanted
        x = arith.clamp(x + update, case.bits) if kind == "add" else wanted
        start = script.at
        last = script.vector(kind, update, gaps=bool(i % 2))
        written += [
            (cycle + Residual.WRITTEN, x[event["place"]])
            for cycle, event in sorted(script.events.items())
            if cycle >= start and event.get(kind)
        ]
        eps = int(rng.integers(len(case.eps)))
        prepare = last + unit.prepare_gap
        script.set(prepare, prepare=1, eps=eps)
        ready = prepare + unit.prepare_latency
        for place in range(case.d_model):
            script.set(ready - Residual.READ_LATENCY + place, index=place)
        norms.append((ready, x.copy(), case.eps[eps]))
        script.at = ready - Residual.READ_LATENCY + case.d_model
    script.at += Residual.READ_LATENCY
    got = script.run("written", "new", "centred", "root", "exponent")
    assert np.flatnonzero(got["written"]).tolist() == [cycle for cycle, _ in written]
    assert [got["new"][cycle] for cycle, _ in written] == [value for _, value in written]
    for ready, x, eps in norms:
        span = slice(ready, ready + case.d_model)
        centred = arith.subtract_mean(x) if case.layer_norm else x
        assert np.array_equal(got["centred"][span], centred)
        root, exponent = got["root"][span], got["exponent"][span]
        assert len(set(root)) == len(set(exponent)) == 1  # they stay
        u = arith.round_shift(got["centred"][span] * root, exponent)
        assert np.array_equal(u, case.normalize(x, eps))


@pytest.mark.parametrize("bits", [16, 21, 28])
def test_updates_are_limited(bits):
    """Sums beyond the width, of numbers at its ends, and just within."""
    case, most = Case(4, bits, False, (0,)), arith.limit(bits)
    rng = np.random.default_rng(bits)
    script, x = Script(case, rng), np.array([most, -most, most - 1, -5])
    script.vector("load", x, gaps=False)
    expected = list(x)
    for update in ([most, -most, 1, -most], [1, -1, 1, 5], [-most, most, -most, most]):
        x = arith.clamp(x + update, bits)
        expected += list(x)
        script.at += Residual.TURNAROUND - len(x)
        script.vector("add", update, gaps=False)
    script.at += Residual.WRITTEN + 1
    got = script.run("written", "new")
    assert got["new"][got["written"] == 1].tolist() == expected


@pytest.mark.parametrize("early", [0, 1])
def test_the_same_number_again_after_the_turnaround(early):
    """One cycle sooner it is not written yet."""
    case = Case(2, 16, False, (0,))
    script = Script(case, np.random.default_rng(0))
    script.set(0, load=1, place=1)
    script.set(1, value=100)
    again = Residual.TURNAROUND - early
    script.set(again, add=1, place=1)
    script.set(again + 1, value=23)
    script.at = again + Residual.WRITTEN + 1
    got = script.run("new")["new"]
    assert got[Residual.WRITTEN] == 100
    assert (got[again + Residual.WRITTEN] == 123) == (not early)


@pytest.mark.parametrize("early", [0, 1])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_preparation_has_no_cycle_to_spare(layer_norm, early):
    """prepare_gap one cycle shorter misses the last number; prepare_latency is exact."""
    case = Case(2, 16, layer_norm, (0,))
    script, x = Script(case, np.random.default_rng(0)), np.array([3, 20_000])
    unit, last = case.build(), script.vector("load", x, gaps=False)
    prepare = last + unit.prepare_gap - early
    script.set(prepare, prepare=1)
    script.at = prepare + unit.prepare_latency + 2
    got = script.run("root", "exponent")
    u = arith.round_shift(
        (arith.subtract_mean(x) if layer_norm else x) * got["root"][-1], got["exponent"][-1]
    )
    assert np.array_equal(u, case.normalize(x, 0)) == (not early)
    if not early:
        changes = np.flatnonzero(np.diff(got["root"])) + 1
        assert changes[-1] <= prepare + unit.prepare_latency
        if layer_norm:
            assert changes[-1] == prepare + unit.prepare_latency


@pytest.mark.parametrize("case", CASES, ids=str)
def test_widths_hold_every_number(case):
    """u of the longest x, and x less its mean, at their extremes."""
    unit, most = case.build(), arith.limit(case.bits)
    d = case.d_model
    xs = np.array([*vectors(case, np.random.default_rng(1)), np.full(d, most)])
    for s in np.unique(np.geomspace(1, most, 200).astype(np.int64)):
        spike = np.zeros((2, d), np.int64)
        spike[0, 0], spike[1, -1] = s, -s
        xs = np.concatenate([xs, spike])
    centred = arith.subtract_mean(xs) if case.layer_norm else xs
    assert np.abs(centred).max() <= arith.limit(unit.centred_width)
    u = case.normalize(xs, 0)
    assert np.abs(u).max() <= arith.limit(unit.normalized_width)
    if d > 2 or not case.layer_norm:  # else the mean takes all of it
        assert np.abs(u).max() > arith.limit(unit.normalized_width - 2)


@pytest.mark.parametrize(("d_model", "bits"), [(63, 28), (576, 26), (575, 26)])
def test_the_sum_of_squares_grows_by_no_mean(d_model, bits):
    """The rounded mean leaves no more than sum(x²), by which the sums' width is chosen.

    Also where the reciprocal of d_model is least exact, and for means about one half.
    """
    rng, most = np.random.default_rng(d_model), arith.limit(bits)
    xs = [np.full(d_model, v) for v in (most, -most, 1, -1)]
    for ones in range(d_model // 2 - 1, d_model // 2 + 3):
        for value in (1, -1, most, -most):
            x = np.zeros(d_model, np.int64)
            x[:ones] = value
            xs.append(x)
    xs += [rng.integers(-most, most + 1, d_model) for _ in range(50)]
    xs = np.array(xs)
    centred = arith.subtract_mean(xs)
    assert ((centred**2).sum(1) <= (xs**2).sum(1)).all()
