"""A vector unit in simulation, a model of it, and legal traffic for both."""

from __future__ import annotations

import dataclasses

import numpy as np
from amaranth.sim import Simulator

from gateformer.gateware.engines.vector.unit import VectorUnit
from gateformer.gateware.plan.vector_op import Destination, VectorKind
from gateformer.model.contract import arith

KINDS = list(VectorKind)


RESIDUAL_KINDS = (VectorKind.RESIDUAL_ADD, VectorKind.RESIDUAL_LOAD)


ARRAY_KINDS = (VectorKind.ATTENTION, VectorKind.RESIDUAL_LOAD)


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Parameters of a unit under test, except its scale words."""

    rows: int = 8
    d_model: int = 64
    requantize_shift: int = 16
    gain_shift: int = 13
    division_shift: int = 23
    acc_width: int = 16
    attention_acc_width: int = 23
    reciprocal_width: int = 16
    norm_registers: int = 0
    result_registers: int = 0
    vectors: int = 1

    @property
    def requantize_latency(self) -> int:
        return 6 + self.result_registers

    @property
    def norm_write_latency(self) -> int:
        return 9 + self.result_registers

    @property
    def d_groups(self) -> int:
        """Of a vector."""
        return -(-self.d_model // self.rows)

    @property
    def group_bits(self) -> int:
        return (self.d_groups - 1).bit_length()

    @property
    def all_groups(self) -> int:
        return self.vectors << self.group_bits if self.vectors > 1 else self.d_groups

    def vector_of(self, group: int) -> int:
        return group >> self.group_bits


SIZES = {
    "reference": Sizes(),
    "one row": Sizes(rows=1, d_model=3),
    "two rows, padded": Sizes(rows=2, d_model=7, gain_shift=0),
    "three rows, padded": Sizes(rows=3, d_model=16, division_shift=19, attention_acc_width=19),
    "four rows, one group": Sizes(rows=4, d_model=4, requantize_shift=7, acc_width=10),
    "five rows, long context": Sizes(rows=5, d_model=96, division_shift=26, attention_acc_width=27),
    "six rows, wide engine": Sizes(rows=6, d_model=24, acc_width=24, requantize_shift=24),
    "seven rows, no shift": Sizes(rows=7, d_model=50, requantize_shift=0, acc_width=9),
    "sixteen rows, wide model": Sizes(rows=16, d_model=600, attention_acc_width=16),
    "registers": Sizes(rows=4, d_model=20, norm_registers=3, result_registers=1),
    "short products": Sizes(
        rows=2, d_model=2, requantize_shift=31, gain_shift=31, acc_width=4, division_shift=30
    ),
}


@dataclasses.dataclass
class Op:
    """An operation, the data that it meets, and the cycle of its issue."""

    kind: VectorKind
    acc: np.ndarray | None = None
    reciprocal: int = 0
    scale: int = 0
    group: int = 0
    first: bool = False
    last: bool = False
    place: tuple[Destination, int, int] = (Destination.ACTIVATION, 0, 0)
    cycle: int = 0


class Model:
    """What the unit must do, from the integer contract."""

    def __init__(self, sizes: Sizes, words: np.ndarray):
        self.sizes = sizes
        self.words = words
        self.residual = np.zeros((sizes.all_groups, sizes.rows), np.int64)
        self.complete = self.residual.copy()

    def __call__(self, op: Op):
        """("write", cycle, place, data) or ("residual", cycle, group, data)."""
        sizes, scale = self.sizes, self.words[op.scale]
        match op.kind:
            case VectorKind.REQUANTIZE:
                value = arith.to_activation(sizes.requantize_shift)(op.acc, scale)
            case VectorKind.RELU:
                value = arith.to_relu(sizes.requantize_shift)(op.acc, scale)
            case VectorKind.ATTENTION:
                value = arith.to_activation(sizes.division_shift)(op.acc, op.reciprocal)
            case VectorKind.NORM:
                norm = arith.RMSNorm(sizes.d_model, sizes.gain_shift)
                squares = self.complete[self._of_vector(op.group)] ** 2
                e, index = norm.exponent_and_index(squares.sum())
                u = arith.round_shift(self.residual[op.group] * norm.table[index], e)
                value = arith.round_shift(u * scale, sizes.gain_shift)
                value = arith.saturate(value, -arith.ACT_MAX, arith.ACT_MAX)
            case VectorKind.RESIDUAL_ADD:
                increment = arith.to_residual(sizes.requantize_shift)(op.acc, scale)
                value = arith.add_residual(self.residual[op.group], increment)
            case VectorKind.RESIDUAL_LOAD:
                value = arith.saturate(op.acc, -arith.RESIDUAL_MAX, arith.RESIDUAL_MAX)
        if op.kind not in RESIDUAL_KINDS:
            latency = (
                sizes.norm_write_latency if op.kind is VectorKind.NORM else sizes.requantize_latency
            )
            return "write", op.cycle + latency, op.place, value.tolist()
        self.residual[op.group] = value
        if op.last:
            of_vector = self._of_vector(op.group)
            self.complete[of_vector] = self.residual[of_vector]
        return "residual", op.cycle + VectorUnit.residual_latency, op.group, value.tolist()

    def _of_vector(self, group: int) -> slice:
        first = self.sizes.vector_of(group) << self.sizes.group_bits
        return slice(first, first + self.sizes.d_groups)


def build(sizes: Sizes, words: np.ndarray, **kwargs) -> VectorUnit:
    return VectorUnit(
        **dataclasses.asdict(sizes),
        d_groups=sizes.all_groups,
        scale_words=words.tolist(),
        row_bits=5,
        column_bits=3,
        **kwargs,
    )


def run(unit: VectorUnit, sizes: Sizes, ops: list[Op], seed: int = 0):
    """(events, collision); inputs that no operation uses are random."""
    rng = np.random.default_rng(seed)
    start = {op.cycle: op for op in ops}
    assert len(start) == len(ops), "two operations in one cycle"
    events, collided = [], []

    def random_lanes(width):
        return rng.integers(-(1 << width - 1), 1 << width - 1, sizes.rows).tolist()

    async def bench(ctx):
        for cycle in range(max(start) + sizes.norm_write_latency + 2):
            op = start.get(cycle)
            ctx.set(unit.op.valid, 0)
            if op is not None:
                destination, row, column = op.place
                ctx.set(
                    unit.op,
                    {
                        "valid": 1,
                        "kind": op.kind,
                        "destination": destination,
                        "row": row,
                        "column": column,
                        "group": op.group,
                        "scale_address": op.scale,
                        "first": op.first,
                        "last": op.last,
                    },
                )
            engine, array = random_lanes(sizes.acc_width), random_lanes(sizes.attention_acc_width)
            reciprocal = int(rng.integers(1 << sizes.reciprocal_width))
            meeting = start.get(cycle - VectorUnit.DATA_DELAY)
            if meeting is not None and meeting.acc is not None:
                if meeting.kind in ARRAY_KINDS:
                    array, reciprocal = meeting.acc.tolist(), meeting.reciprocal
                else:
                    engine = meeting.acc.tolist()
            ctx.set(unit.engine_acc, engine)
            ctx.set(unit.array_acc, array)
            ctx.set(unit.reciprocal, reciprocal)
            if ctx.get(unit.write.valid):
                write = ctx.get(unit.write)
                place = (write.destination, write.row, write.column)
                events.append(("write", cycle, place, list(write.data)))
            if ctx.get(unit.residual_write.valid):
                write = ctx.get(unit.residual_write)
                events.append(("residual", cycle, write.group, list(write.data)))
            await ctx.tick()
        collided.append(ctx.get(unit.collision))

    sim = Simulator(unit)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
    return events, bool(collided[0])


class Traffic:
    """Random operations with random or extreme data, and the scale words that go with them."""

    def __init__(self, sizes: Sizes, seed: int):
        self.sizes = sizes
        self.rng = np.random.default_rng(seed)
        self.mults = 12
        spread = self.rng.integers(0, 8, (self.mults, 1))
        mults = self.rng.integers(0, 256, (self.mults, sizes.rows)) << spread
        gains = self.rng.integers(-127, 128, (sizes.d_groups, sizes.rows)) * 2
        self.words = np.concatenate([mults, self._masked(gains)])
        self.ops: list[Op] = []
        self.now = 0

    def _masked(self, groups):
        """Zero beyond d_model."""
        flat = np.array(groups).reshape(-1)
        flat[self.sizes.d_model :] = 0
        return flat.reshape(-1, self.sizes.rows)

    def issue(self, op: Op, wait: int = 0):
        rng = self.rng
        self.now += wait
        op.cycle = self.now
        op.place = (
            Destination(rng.integers(3)),
            int(rng.integers(32)),
            int(rng.integers(8)),
        )
        self.ops.append(op)
        self.now += 1

    def lanes(self, width: int) -> np.ndarray:
        bound = (1 << width - 1) - 1
        magnitude = 1 << int(self.rng.integers(0, width))
        bound = self.rng.choice([bound, min(bound, magnitude)])
        values = self.rng.integers(-bound, bound + 1, self.sizes.rows)
        extreme = self.rng.random(self.sizes.rows) < 0.2
        return np.where(extreme, self.rng.choice([-bound, bound], self.sizes.rows), values)

    def matrix(self, kind: VectorKind, group: int = 0, **flags) -> Op:
        scale = int(self.rng.integers(self.mults))
        acc = self.lanes(self.sizes.acc_width)
        if kind is VectorKind.RESIDUAL_ADD:
            # zero accumulators keep the padding at 0 whatever the multipliers
            used = self.sizes.d_model - group % 2**self.sizes.group_bits * self.sizes.rows
            acc = np.where(np.arange(self.sizes.rows) < used, acc, 0)
        return Op(kind, acc, scale=scale, group=group, **flags)

    def attention(self) -> Op:
        reciprocal = int(self.rng.integers(1 << self.sizes.reciprocal_width))
        return Op(VectorKind.ATTENTION, self.lanes(self.sizes.attention_acc_width), reciprocal)

    def load(self, values: np.ndarray, vector: int = 0):
        groups = np.zeros(self.sizes.d_groups * self.sizes.rows, np.int64)
        groups[: self.sizes.d_model] = values
        groups = groups.reshape(-1, self.sizes.rows)
        for i, group in enumerate(groups):
            last = i == len(groups) - 1
            place = i | vector << self.sizes.group_bits
            kind = VectorKind.RESIDUAL_LOAD
            self.issue(Op(kind, group, group=place, first=i == 0, last=last))

    def add(self, order=None):
        order = range(self.sizes.d_groups) if order is None else order
        for i, group in enumerate(order):
            flags = {"first": i == 0, "last": i == self.sizes.d_groups - 1}
            self.issue(self.matrix(VectorKind.RESIDUAL_ADD, int(group), **flags))

    def norm(self):
        for group in self.rng.permutation(self.sizes.d_groups):
            self.issue(Op(VectorKind.NORM, group=int(group), scale=self.mults + int(group)))


def expected(traffic: Traffic) -> list:
    model = Model(traffic.sizes, traffic.words)
    return sorted((model(op) for op in traffic.ops), key=lambda event: (event[1], event[0]))


def simulate(traffic: Traffic):
    """(events in the order of :func:`expected`, collision)."""
    events, collision = run(build(traffic.sizes, traffic.words), traffic.sizes, traffic.ops)
    return sorted(events, key=lambda event: (event[1], event[0])), collision


def check(traffic: Traffic):
    events, collision = simulate(traffic)
    assert events == expected(traffic)
    assert not collision
