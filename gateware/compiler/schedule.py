"""When each instruction may start: hazards resolved at compile time.

Every engine's latency is a constant, so the compiler knows in which cycle each result becomes
usable and gives every instruction just the wait that the next one needs. The tightest case is
position 0: at later positions SCORE and WEIGH only take longer, which every dependency that
spans them tolerates.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict

from ..engines.vector.unit import VectorUnit
from ..plan.instruction import Instruction, Opcode
from ..plan.layout import Layout
from ..plan.vector_op import Destination, VectorKind
from .units import Units

MIN_DURATION = 2
"""Cycles from an instruction's first beat to the next one's, at least: the sequencer fetches one
instruction ahead. A :class:`~gateware.engines.array.pair_array.PairArray` wants a cycle without
beat after a complete weighted sum, too: a READ follows it, and takes one at least."""

RESIDUAL_KINDS = (VectorKind.RESIDUAL_ADD, VectorKind.RESIDUAL_LOAD)


class Scheduler:
    """Adds instructions one by one, in program order, and assigns their start cycles.

    ``least``: cycles from an instruction's first beat to the next one's, at least.
    """

    def __init__(self, layout: Layout, units: Units, least: int = MIN_DURATION):
        self.layout = layout
        self.units = units
        self._least = least
        self.starts: list[int] = []
        self._next_issue = 0
        self._ready = defaultdict(int)
        self._last_op = -1
        self._last_write = -1
        self._first_to_vector: tuple[Instruction, int] | None = None

    def add(self, instruction: Instruction) -> int:
        """Start cycle (at position 0) of ``instruction``, after all those added before."""
        offsets = list(self._requirements(instruction))
        start = max([self._next_issue] + [self._ready[what] - at for what, at in offsets])
        start = max(start, self._vector_free(instruction))
        self.starts.append(start)
        self._record(instruction, start)
        self._next_issue = start + max(instruction.beats(0), self._least)
        return start

    def end_prompt_token(self, pause: int) -> None:
        """After what was added last, ``pause`` cycles and the next token's program may follow.

        Until its first operation of the vector unit it needs nothing that is still on its way, and
        what comes then is as far behind that operation as in the first token.
        """
        first, start = self._first_to_vector
        begin = self._vector_free(first) - (start - self.starts[0])
        self._next_issue = max(self._next_issue, begin - pause)

    def _requirements(self, item: Instruction):
        """(resource, beat offset by which it must be ready) of an instruction."""
        match item.opcode:
            case Opcode.MATVEC:
                for j in range(item.inner):
                    yield ("chunk", item.inner_base + j), j
                if item.kind is VectorKind.RESIDUAL_ADD:
                    # residual groups were written at least one matrix ago
                    yield "residual", self._op_offsets(item)[0]
            case Opcode.SCORE:
                for j in range(item.inner):
                    yield ("query", item.inner_base + j), j
                    yield ("kv", item.address + j), j
            case Opcode.WEIGH:
                yield "maximum", 0
                yield ("kv", item.address), 0
            case Opcode.READ:
                yield "accumulators", 0
                if item.kind is VectorKind.ATTENTION:
                    yield "reciprocal", VectorUnit.DATA_DELAY
            case Opcode.NORM:
                yield "normalizer", 0
            case Opcode.LOGITS:
                for j in range(item.inner):
                    yield ("query", item.inner_base + j), j

    def _op_offsets(self, item: Instruction) -> list[int]:
        """Offsets from the start at which the vector unit receives the instruction's ops."""
        step = item.planes * item.inner
        match item.opcode:
            case Opcode.MATVEC:
                delay = self.units.engine.latency - VectorUnit.DATA_DELAY
                return [i * step + step - 1 + delay for i in range(item.outer)]
            case Opcode.READ | Opcode.NORM:
                return list(range(item.outer))
            case _:
                return []

    def _write_latency(self, item: Instruction) -> int:
        """Cycles from a vector op to the cycle of its write."""
        vector = self.units.vector
        if item.opcode is Opcode.NORM:
            return vector.norm_write_latency
        return vector.residual_latency if item.kind in RESIDUAL_KINDS else vector.requantize_latency

    def _vector_free(self, item: Instruction) -> int:
        """Earliest start at which neither the op port nor the write port is shared."""
        ops = self._op_offsets(item)
        if not ops:
            return 0
        return max(
            self._last_op + 1 - ops[0], self._last_write + 1 - ops[0] - self._write_latency(item)
        )

    def _record(self, item: Instruction, start: int):
        units, last_beat = self.units, start + item.beats(0) - 1
        ops = [start + offset for offset in self._op_offsets(item)]
        if ops:
            self._first_to_vector = self._first_to_vector or (item, start)
            self._last_op = ops[-1]
            self._last_write = ops[-1] + self._write_latency(item)
        match item.opcode:
            case Opcode.EMBED | Opcode.WEIGH:
                self._ready["accumulators"] = last_beat + units.array.weighted_latency
                self._ready["reciprocal"] = last_beat + units.softmax.reciprocal_latency
            case Opcode.SCORE:
                self._ready["maximum"] = last_beat + units.softmax.maximum_latency
        if ops and item.kind in RESIDUAL_KINDS and item.opcode is not Opcode.NORM:
            self._ready["residual"] = ops[-1] + units.vector.residual_add_latency
            self._ready["normalizer"] = ops[-1] + units.vector.normalizer_latency
        elif ops:
            for place, op in zip(self._places(item), ops, strict=True):
                ready = op + self._write_latency(item) + self._visible(item.destination)
                self._ready[place] = max(self._ready[place], ready)

    def _visible(self, destination: Destination) -> int:
        """Cycles from a write to the first beat that may read it."""
        return {
            Destination.ACTIVATION: self.units.engine.WRITE_LATENCY,
            Destination.QUERY: self.units.array.query_write_latency,
            Destination.KV: self.units.array.write_latency,
        }[destination]

    def _places(self, item: Instruction):
        """The (memory, row) that each op of the instruction writes."""
        columns = self.columns(item.destination)
        memory = {
            Destination.ACTIVATION: "chunk",
            Destination.QUERY: "query",
            Destination.KV: "kv",
        }[item.destination]
        for i in range(item.outer):
            yield memory, item.row + (item.column % columns + i) // columns

    def columns(self, destination: Destination) -> int:
        """Groups per row of a destination."""
        if destination is Destination.ACTIVATION:
            return self.layout.chunk_groups
        return self.layout.word_groups


def with_waits(instructions: list[Instruction], starts: list[int]) -> list[Instruction]:
    """The instructions with the waits that lead from each start to the next (the last: 0)."""
    ends = [start + item.beats(0) for start, item in zip(starts, instructions, strict=True)]
    gaps = [following - end for following, end in zip(starts[1:], ends, strict=False)]
    return [
        dataclasses.replace(item, wait=gap)
        for item, gap in zip(instructions, [*gaps, 0], strict=True)
    ]
