"""The core's instructions: loop nests that drive one engine each.

An instruction issues one *beat* per cycle over three nested loops (outer, planes, inner), then
waits ``wait`` cycles, in which the pipelines drain as far as the next instruction needs. The
compiler (:mod:`gateware.compiler.program`) computes the waits, so no engine ever signals back.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from amaranth.lib import enum

from .vector_op import Destination, VectorKind


class Opcode(enum.Enum, shape=3):
    """Which engine the beats of an instruction drive.

    MATVEC
        Ternary engine; outer: row groups, planes: trit planes, inner: column chunks.
    EMBED
        INT8 array adds one embedding word times a constant to its accumulators.
    SCORE
        INT8 array, query times K; outer: positions, inner: words of a head.
    WEIGH
        INT8 array adds probability times V to its accumulators; outer: positions.
    READ
        Array accumulators to the vector unit; outer: groups.
    NORM
        RMSNorm pass of the vector unit; outer: groups.
    LOGITS
        INT8 array, embedding rows times the final hidden vector; outer: vocabulary.
    """

    MATVEC = 0
    EMBED = 1
    SCORE = 2
    WEIGH = 3
    READ = 4
    NORM = 5
    LOGITS = 6


class AddressBase(enum.Enum, shape=2):
    """What is added to an instruction's address when it starts."""

    STATIC = 0
    TOKEN = 1
    POSITION = 2


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction; all counts are at least 1.

    Attributes
    ----------
    name, engine : str
        For people: the timeline and the taps.
    opcode : Opcode
    outer, planes, inner : int
        Loop counts; ``outer`` counts ``position + 1`` instead, that many per step, with a
        ``per_position`` of 1 or 2.
    address, address_base, outer_step
        First memory word; it advances by 1 per beat, by ``outer_step`` between outer steps.
    inner_base : int
        First column chunk (MATVEC) or first query word (SCORE, LOGITS); counts with inner.
    kind, destination : VectorKind, Destination
        What the vector unit does with the results.
    row, column : int
        First place of the results in the destination, the row relative to the position's K/V
        words if ``row_per_position``; both count with outer, ``columns`` columns a row.
    group, scale : int
        First residual group and scale memory entry; both count with outer.
    first, last : bool
        The instruction begins (ends) a new residual vector, or an accumulation (EMBED).
    shift_select : int
        Index of the layer's score shift among the distinct ones (SCORE).
    wait : int
        Cycles between the last beat and the next instruction's first.
    ends_prompt_token, ends_token : bool
        Last instruction of a token whose logits are not needed, of any other token.
    """

    name: str
    engine: str
    opcode: Opcode
    outer: int = 1
    per_position: int = 0
    planes: int = 1
    inner: int = 1
    address: int = 0
    address_base: AddressBase = AddressBase.STATIC
    outer_step: int = 1
    inner_base: int = 0
    kind: VectorKind = VectorKind.REQUANTIZE
    destination: Destination = Destination.ACTIVATION
    row: int = 0
    row_per_position: bool = False
    column: int = 0
    group: int = 0
    scale: int = 0
    first: bool = False
    last: bool = False
    shift_select: int = 0
    wait: int = 0
    ends_prompt_token: bool = False
    ends_token: bool = False

    COUNTS: ClassVar[tuple[str, ...]] = ("outer", "planes", "inner")

    def outer_count(self, position: int) -> int:
        return position // self.per_position + 1 if self.per_position else self.outer

    def beats(self, position: int) -> int:
        """Beats issued at ``position``, one per cycle."""
        return self.outer_count(position) * self.planes * self.inner
