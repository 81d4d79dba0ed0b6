"""The vector unit's operations on their way: which one is in which stage, and do they collide."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data

from ...plan.vector_op import VectorKind

ACTIVE = data.StructLayout({"norm": 1, "residual": 1, "int8": 1})
"""The kind of a valid operation."""


def stages(m: Module, op: data.View, count: int) -> tuple[list, list]:
    """The operation ``op``, of now and of 1 to ``count`` cycles ago, and what is valid about each.

    ``op`` has :func:`gateware.plan.vector_op.vector_op_layout`; what is valid is an :data:`ACTIVE`.
    """
    ops, active = [op], [Signal(ACTIVE, name="active_0")]
    residual = (op.kind == VectorKind.RESIDUAL_ADD) | (op.kind == VectorKind.RESIDUAL_LOAD)
    norm = op.kind == VectorKind.NORM
    m.d.comb += [
        active[0].norm.eq(op.valid & norm),
        active[0].residual.eq(op.valid & residual),
        active[0].int8.eq(op.valid & ~norm & ~residual),
    ]
    for i in range(1, count + 1):
        ops.append(Signal(op.shape(), name=f"op_{i}", reset_less=True))
        active.append(Signal(ACTIVE, name=f"active_{i}"))
        m.d.sync += [ops[i].eq(ops[i - 1]), active[i].eq(active[i - 1])]
    return ops, active


def breaks_rules(active: Sequence, norm_pass: int, residual_latency: int) -> Value:
    """Whether the operation of now comes too early, by rules 1 and 2 of :class:`.VectorUnit`.

    ``active`` as of :func:`stages`; the others are numbers of cycles.
    """
    other = active[0].residual | active[0].int8
    changing = Cat(stage.residual for stage in active[1:residual_latency]).any()
    return (other & active[norm_pass].norm) | (active[0].norm & changing)
