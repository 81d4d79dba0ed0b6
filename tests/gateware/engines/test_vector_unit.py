"""The vector unit against ``model.contract.arith``, bit for bit and cycle for cycle."""

from __future__ import annotations

import numpy as np
import pytest

from gateformer.gateware.engines.vector.unit import VectorUnit
from gateformer.gateware.plan.vector_op import VectorKind
from gateformer.model.contract import arith

from .vector_unit_bench import (
    KINDS,
    RESIDUAL_KINDS,
    SIZES,
    Op,
    Sizes,
    Traffic,
    build,
    check,
    expected,
    simulate,
)


@pytest.mark.parametrize("name", SIZES)
def test_token(name):
    """Load, norm, matrices, attention, residual adds and norm at the tightest legal spacing."""
    sizes = SIZES[name]
    traffic = Traffic(sizes, seed=len(name))
    unit = build(sizes, traffic.words)
    bound = min(2 * 127 * 255, (1 << sizes.attention_acc_width - 1) - 1)
    for scale in (bound, 300, 1):
        traffic.load(traffic.rng.integers(-scale, scale + 1, sizes.d_model))
        for _ in range(1 if sizes.d_groups > 10 else 2):
            traffic.now += unit.normalizer_latency - 1
            traffic.norm()
            traffic.now += VectorUnit.NORM_PASS
            for _ in range(6):
                kinds = (VectorKind.REQUANTIZE, VectorKind.RELU)
                traffic.issue(traffic.matrix(kinds[traffic.rng.integers(2)]))
                traffic.issue(traffic.attention())
            traffic.add(traffic.rng.permutation(sizes.d_groups))
    check(traffic)


@pytest.mark.parametrize(("seed", "vectors"), [*((s, 1) for s in range(8)), (3, 2), (5, 3), (6, 5)])
def test_random_interleaving(seed, vectors):
    """Any operation in any cycle in which the schedule rules allow it."""
    rng = np.random.default_rng(100 + seed)
    rows = seed + 1
    sizes = Sizes(
        rows=rows,
        d_model=int(rng.integers(1, 5 * rows)),
        requantize_shift=int(rng.integers(4, 20)),
        gain_shift=int(rng.integers(4, 14)),
        division_shift=int(rng.integers(16, 25)),
        acc_width=int(rng.integers(6, 20)),
        attention_acc_width=int(rng.integers(17, 26)),
        reciprocal_width=int(rng.integers(9, 18)),
        norm_registers=seed % 4,
        result_registers=seed % 2,
        vectors=vectors,
    )
    traffic = Traffic(sizes, seed)
    unit = build(sizes, traffic.words)
    norms, added, last = set(), {}, {}
    for vector in range(vectors):
        traffic.load(np.zeros(sizes.d_model, np.int64), vector)
        last[vector] = traffic.now - 1
    # what changes a vector's residuals comes before any other's
    pending: list[int] = []
    for _ in range(150 * vectors):
        now, vector = traffic.now, int(rng.integers(vectors))
        changes = pending and sizes.vector_of(pending[0]) == vector
        complete = not changes and now - last[vector] >= unit.normalizer_latency
        settled = now - max(last.values()) >= VectorUnit.residual_latency
        choices = [None]
        if complete and settled:
            choices += [VectorKind.NORM] * 3
        if now - VectorUnit.NORM_PASS not in norms:
            choices += [VectorKind.REQUANTIZE, VectorKind.RELU, VectorKind.ATTENTION]
            group = pending[0] if pending else 0
            if pending and now - added.get(group, -100) >= VectorUnit.residual_add_latency:
                choices += [VectorKind.RESIDUAL_ADD, VectorKind.RESIDUAL_LOAD] * 3
            elif complete and not pending and rng.random() < 0.1:
                first = vector << sizes.group_bits
                pending = (rng.permutation(sizes.d_groups) + first).tolist()
        kind = choices[rng.integers(len(choices))]
        if kind is None:
            traffic.now += 1
        elif kind is VectorKind.NORM:
            norms.add(now)
            group = int(rng.integers(sizes.d_groups))
            place = group | vector << sizes.group_bits
            traffic.issue(Op(kind, group=place, scale=traffic.mults + group))
        elif kind is VectorKind.ATTENTION:
            traffic.issue(traffic.attention())
        elif kind in RESIDUAL_KINDS:
            first, group = len(pending) == sizes.d_groups, pending.pop(0)
            op = traffic.matrix(kind, group, first=first, last=not pending)
            if kind is VectorKind.RESIDUAL_LOAD:
                bound = 2 * arith.ACT_MAX * arith.MULT_MAX
                op.acc = np.where(op.acc == 0, 0, rng.integers(-bound, bound + 1, rows))
                op.acc = np.clip(op.acc, -(2**16), 2**16 - 1)
            traffic.issue(op)
            added[group] = last[sizes.vector_of(group)] = now
        else:
            traffic.issue(traffic.matrix(kind))
    check(traffic)


EXTREMES = {
    "highest": np.full(64, 64770),
    "lowest": np.full(64, -64770),
    "just saturated": np.tile([32767, -32768, 32768, -32767], 16),
    "zero": np.zeros(64, np.int64),
    "one high": np.eye(64, dtype=np.int64)[5] * 32767,
    "one low": np.eye(64, dtype=np.int64)[63] * -32767,
    "one unit": np.eye(64, dtype=np.int64)[0],
    "units": np.tile([1, -1], 32),
    "largest short sum": np.eye(64, dtype=np.int64)[8] * 255,
    "smallest long sum": np.eye(64, dtype=np.int64)[8] * -256,
}


def test_extreme_residuals():
    """Norms of extreme vectors; then they saturate both ways by the largest increments."""
    sizes = Sizes(requantize_shift=3)
    traffic = Traffic(sizes, 0)
    unit = build(sizes, traffic.words)
    traffic.words[0] = 255 << 7
    for values in EXTREMES.values():
        traffic.load(values)
        traffic.now += unit.normalizer_latency - 1
        traffic.norm()
        traffic.now += VectorUnit.NORM_PASS
        for sign in (1, -1, -1):
            acc = np.full(8, sign * 32767)
            for group in range(sizes.d_groups):
                flags = {"first": group == 0, "last": group == sizes.d_groups - 1}
                traffic.issue(Op(VectorKind.RESIDUAL_ADD, acc, scale=0, group=group, **flags))
    traffic.now += unit.normalizer_latency - 1
    traffic.norm()
    check(traffic)


def test_increment_of_minus_32768_is_limited_before_it_is_added():
    sizes = Sizes(rows=1, d_model=1, requantize_shift=0)
    traffic = Traffic(sizes, 0)
    traffic.words[0] = 1
    traffic.load(np.array([1]))
    acc = np.array([-32768])
    traffic.issue(Op(VectorKind.RESIDUAL_ADD, acc, first=True, last=True), wait=3)
    check(traffic)
    assert expected(traffic)[-1][-1] == [-32766]


@pytest.mark.parametrize("early", [0, 1])
def test_residual_add_latency_is_minimal(early):
    """Two adds to one group: exact at the stated distance, wrong a cycle earlier."""
    sizes = Sizes(rows=2, d_model=4, requantize_shift=0)
    traffic = Traffic(sizes, 1)
    traffic.words[0] = 1
    acc = np.array([100, -50])
    traffic.issue(Op(VectorKind.RESIDUAL_LOAD, acc, first=True))
    for last in (False, True):
        wait = VectorUnit.residual_add_latency - 1 - early
        traffic.issue(Op(VectorKind.RESIDUAL_ADD, acc, last=last), wait=wait)
    events, _ = simulate(traffic)
    assert (events == expected(traffic)) == (not early)


@pytest.mark.parametrize("early", [0, 1])
@pytest.mark.parametrize(
    ("rows", "registers", "vectors"),
    [(1, 0, 1), (2, 1, 1), (3, 2, 1), (8, 0, 1), (8, 3, 1), (9, 1, 1), (4, 0, 2), (8, 3, 3)],
)
def test_normalizer_latency_is_minimal(rows, registers, vectors, early):
    """A cycle earlier, a norm meets the factor of the vector before."""
    sizes = Sizes(rows=rows, d_model=2 * rows, norm_registers=registers, vectors=vectors)
    traffic = Traffic(sizes, 1)
    unit = build(sizes, traffic.words)
    traffic.words[-1] = 1000
    wait = unit.normalizer_latency - 1
    for value, less in ((1000, 0), (1250, early)):
        traffic.load(np.full(2 * rows, value))
        op = Op(VectorKind.NORM, group=1, scale=len(traffic.words) - 1)
        traffic.issue(op, wait=wait - less)
    events, collision = simulate(traffic)
    assert not collision
    assert (events == expected(traffic)) == (not early)


@pytest.mark.parametrize("early", [0, 1])
def test_residual_latency_is_minimal_for_a_norm(early):
    """The group just written is what the norm reads, with the factor of the last whole vector."""
    sizes = Sizes(rows=2, d_model=4)
    traffic = Traffic(sizes, 1)
    unit = build(sizes, traffic.words)
    traffic.words[-1] = 1000
    traffic.load(np.array([100, 200, 150, 50]))
    load = Op(VectorKind.RESIDUAL_LOAD, np.array([-70, 30]), first=True)
    traffic.issue(load, wait=unit.normalizer_latency)
    wait = VectorUnit.residual_latency - 1 - early
    traffic.issue(Op(VectorKind.NORM, scale=len(traffic.words) - 1), wait=wait)
    events, collision = simulate(traffic)
    assert collision == bool(early)
    assert (events == expected(traffic)) == (not early)


def pair(traffic: Traffic, first: VectorKind, second: VectorKind, distance: int):
    for kind, wait in ((first, 20), (second, distance - 1)):
        traffic.issue(Op(kind, np.array([1])), wait=wait)


COLLIDING = [
    *((VectorKind.NORM, kind, VectorUnit.NORM_PASS) for kind in KINDS[:-1]),
    *(
        (kind, VectorKind.NORM, distance)
        for kind in RESIDUAL_KINDS
        for distance in range(1, VectorUnit.residual_latency)
    ),
]


@pytest.mark.parametrize(("first", "second", "distance"), COLLIDING)
def test_collision(first, second, distance):
    traffic = Traffic(Sizes(rows=1, d_model=1), 0)
    pair(traffic, first, second, distance)
    _, collision = simulate(traffic)
    assert collision


def test_no_collision_of_other_pairs():
    traffic = Traffic(Sizes(rows=1, d_model=1), 0)
    for distance in range(1, 11):
        for kind in KINDS:
            for first, second in ((VectorKind.NORM, kind), (kind, VectorKind.NORM)):
                if (first, second, distance) not in COLLIDING:
                    pair(traffic, first, second, distance)
    _, collision = simulate(traffic)
    assert not collision


GOOD = {
    "rows": 2,
    "d_model": 4,
    "d_groups": 2,
    "scale_words": [[1, 2]],
    "requantize_shift": 8,
    "gain_shift": 8,
    "division_shift": 20,
    "acc_width": 10,
    "attention_acc_width": 20,
    "reciprocal_width": 12,
    "row_bits": 3,
    "column_bits": 2,
}


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"rows": 0}, ValueError, "rows must be at least 1, not 0"),
        ({"rows": 2.0}, TypeError, "rows must be an integer, not 2.0"),
        ({"d_model": True}, TypeError, "d_model must be an integer, not True"),
        ({"d_groups": 1}, ValueError, "d_groups must be at least 2, not 1"),
        ({"row_bits": -1}, ValueError, "row_bits must be at least 0, not -1"),
        ({"vectors": 0}, ValueError, "vectors must be at least 1, not 0"),
        ({"column_bits": "2"}, TypeError, "column_bits must be an integer, not '2'"),
        ({"gain_shift": -1}, ValueError, "gain_shift must be at least 0, not -1"),
        ({"acc_width": 0}, ValueError, "acc_width must be at least 1, not 0"),
        ({"scale_words": []}, ValueError, "scale_words must have at least one word, not none"),
        (
            {"scale_words": [[1, 2], [3]]},
            ValueError,
            "scale_words[1] must have 2 entries, not 1",
        ),
        (
            {"scale_words": [[1, 2.5]]},
            TypeError,
            "scale_words[0] must hold integers, not 2.5",
        ),
        (
            {"dsp": "dsp58"},
            ValueError,
            "dsp must be one of generic, dsp48e1, dsp48e1-driven, dsp48e2, mult18x18d, gowin, "
            "not 'dsp58'",
        ),
    ],
)
def test_parameters_are_checked(changed, error, message):
    with pytest.raises(error) as raised:
        VectorUnit(**{**GOOD, **changed})
    assert str(raised.value) == message
