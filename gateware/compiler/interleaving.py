"""How several streams share the engines: what each instruction waits for, takes and frees.

Every stream goes through the program at its own pace. Two *lanes* issue the beats of one
instruction each, whatever streams these are of: one for the INT8 array, one for all that goes
through the vector unit. What an instruction needs of those before it in its own stream is as far
away as a constant number of cycles (:mod:`.schedule`): later starts only add to it. What streams
could spoil for each other is kept apart

* by regions of their own in the memories (:mod:`gateware.plan.layout`);
* by three *locks*. Array: the query, the array's accumulators and all of the softmax, from the
  first query that is written (or the embedding) to the last accumulator that is read, or to the
  logits. Norm: the sum of squares, from the first residual that is written to the norm of it, or to
  the end of a prompt's token. Sampler: from the final norm to the token. A stream that waits for
  the array may have the norm, never the other way round, and none waits that has the sampler;
* by cycles in which a lane is *quiet* before certain instructions (:attr:`Interleaving.gaps`).
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from amaranth.lib import enum

from ..engines.vector.unit import VectorUnit
from ..plan.instruction import Instruction, Opcode
from ..plan.layout import Layout
from ..plan.vector_op import Destination, VectorKind
from .schedule import Scheduler, with_waits
from .units import Units

ISSUE_LATENCY = 3
"""Cycles from the one in which an instruction gets its turn to its first beat."""

LEAST_DURATION = 4
"""Cycles from a turn to the next one of the same lane, at least, however few beats follow."""


SEEDING_LATENCY = 2
"""Cycles from the final norm's turn to the pulse that seeds a sampler's generator."""


class Lane(enum.Enum, shape=1):
    """What issues an instruction's beats."""

    ARRAY = 0
    VECTOR = 1


class Base(enum.Enum, shape=2):
    """What is added to an instruction's address: nothing, the token's word, or for K and V the
    words before those of the stream."""

    STATIC = 0
    TOKEN = 1
    STREAM = 2


ARRAY_OPCODES = (Opcode.EMBED, Opcode.SCORE, Opcode.WEIGH, Opcode.LOGITS)


@dataclasses.dataclass(frozen=True)
class Turn:
    """An instruction as streams share it, a word of the program memory.

    ``count``: its beats less one, or ``per_position``: as many as the position asks for. Those
    beginning with ``next_`` are of the instruction in word ``following``, so that a stream knows
    what it waits for. The others as of :class:`gateware.plan.instruction.Instruction`, but that
    EMBED has two beats: its word of the token's row, then ``inner_base`` of the position's.

    ``wait``: cycles from the lane's being free again to the stream's next turn, at least.
    ``frees_array``, ``frees_norm``: locks that are free again as soon as the lane.
    """

    name: str
    opcode: Opcode
    count: int
    per_position: bool
    planes: int
    inner: int
    address: int
    address_base: Base
    outer_step: int
    inner_base: int
    kind: VectorKind
    destination: Destination
    row: int
    row_per_position: bool
    column: int
    group: int
    scale: int
    first: bool
    last: bool
    shift_select: int
    wait: int
    frees_array: bool
    frees_norm: bool
    ends_prompt_token: bool
    ends_token: bool
    following: int
    next_lane: Lane
    next_quiet: bool
    next_takes_array: bool
    next_takes_norm: bool
    next_takes_sampler: bool

    COUNTS: ClassVar[tuple[str, ...]] = ("planes", "inner")


@dataclasses.dataclass(frozen=True)
class Request:
    """What an instruction waits for, besides its stream: its lane, free (and quiet), and locks."""

    lane: Lane
    quiet: bool
    takes_array: bool
    takes_norm: bool
    takes_sampler: bool

    @property
    def locks(self) -> tuple[str, ...]:
        """Names of the locks that it takes."""
        taken = {"array": self.takes_array, "norm": self.takes_norm, "sampler": self.takes_sampler}
        return tuple(name for name, is_taken in taken.items() if is_taken)


class Interleaving:
    """A token's program for several streams.

    Parameters
    ----------
    layout : Layout
    units : Units
    plain : list of Instruction, without waits

    Attributes
    ----------
    instructions : list of Instruction, with the waits of a stream alone
    requests : list of Request
    turns : list of Turn
    gaps : dict of Lane to int
        Cycles without beat before an instruction that wants its lane quiet. Of the array: before
        the embedding, after a sum that a chain of multipliers still adds up. Of the vector unit:
        before operations that reach it at once, after those of a matrix on their way to it, and
        after a norm, whose second pass and late results come first (rule 1 of
        :class:`gateware.engines.vector.unit.VectorUnit`).
    """

    def __init__(self, layout: Layout, units: Units, plain: list[Instruction]):
        self._layout, self._units = layout, units
        scheduler = Scheduler(layout, units, LEAST_DURATION)
        timed = with_waits(plain, [scheduler.add(item) for item in plain])
        self.instructions = self._with_seeding(timed)
        vector, direct = units.vector, units.engine.latency - VectorUnit.DATA_DELAY
        late = max(VectorUnit.NORM_PASS, vector.norm_write_latency - vector.requantize_latency)
        self.gaps = {
            Lane.ARRAY: getattr(units.array, "chain", 1) - 1,
            Lane.VECTOR: max(direct, late),
        }
        self._matrices_quiet = late > direct
        self._check_handover(direct)
        self.requests = [self._request(item) for item in self.instructions]
        self.turns = [self._turn(number) for number in range(len(self.instructions))]

    def _with_seeding(self, timed: list[Instruction]) -> list[Instruction]:
        """The generator of a new sequence is seeded from the turn of the final norm on; the logits
        are complete no sooner than it is."""
        *others, norm, logits = timed
        known = self._units.array.total_latency + self._units.sampler.greedy_latency
        cycles = ISSUE_LATENCY + max(norm.beats(0) + norm.wait, LEAST_DURATION)
        missing = SEEDING_LATENCY + self._units.sampler.reseed_latency
        missing -= cycles + logits.beats(0) - 1 + known
        return [*others, dataclasses.replace(norm, wait=norm.wait + max(missing, 0)), logits]

    def _check_handover(self, direct: int) -> None:
        """What a lock's next owner may do at once comes after what its last one still does."""
        units, array = self._units, self._units.array
        first_write = 1 + min(
            direct + units.vector.requantize_latency, units.vector.norm_write_latency
        )
        used = array.coefficient_delay + getattr(array, "chain", 0)
        changed = 1 + array.weighted_latency
        if first_write <= used or changed <= array.READ_LATENCY:
            raise ValueError("a stream would change what another one's last beats still need")

    def _request(self, item: Instruction) -> Request:
        on_array = item.opcode in ARRAY_OPCODES
        embeds = item.opcode is Opcode.EMBED and item.first and item.address == self._first_word
        final = item.opcode is Opcode.NORM and item.destination is Destination.QUERY
        query = item.opcode is Opcode.MATVEC and item.destination is Destination.QUERY
        quiet = embeds if on_array else item.opcode is not Opcode.MATVEC or self._matrices_quiet
        return Request(
            lane=Lane.ARRAY if on_array else Lane.VECTOR,
            quiet=quiet,
            takes_array=embeds or query or final,
            takes_norm=embeds or item.kind is VectorKind.RESIDUAL_ADD,
            takes_sampler=final,
        )

    @property
    def _first_word(self) -> int:
        return self._layout.lookup_base

    def _turn(self, number: int) -> Turn:
        item = self.instructions[number]
        following = (number + 1) % len(self.instructions)
        request = self.requests[following]
        bases = {Opcode.EMBED: Base.TOKEN, Opcode.SCORE: Base.STREAM, Opcode.WEIGH: Base.STREAM}
        same = {field.name for field in dataclasses.fields(Turn)}
        same &= {field.name for field in dataclasses.fields(Instruction)}
        fields = {name: getattr(item, name) for name in same}
        fields |= {
            "count": 0 if item.per_position else item.beats(0) - 1,
            "per_position": item.per_position > 0,
            "address_base": bases.get(item.opcode, Base.STATIC),
            "wait": self.wait(number),
            "frees_array": self._frees_array(number),
            "frees_norm": item.opcode is Opcode.NORM,
            "following": following,
            **{
                f"next_{field.name}": getattr(request, field.name)
                for field in dataclasses.fields(Request)
            },
        }
        return Turn(**fields)

    def _frees_array(self, number: int) -> bool:
        """The accumulators' last reader, of a token's embedding or of attention, or the logits."""
        item = self.instructions[number]
        if item.ends_token:
            return True
        if item.opcode is not Opcode.READ:
            return False
        following = self.instructions[number + 1].opcode
        return following not in ARRAY_OPCODES

    def wait(self, number: int) -> int:
        """:attr:`Turn.wait`: less what a short instruction keeps its lane beyond its beats."""
        item = self.instructions[number]
        if item.per_position:
            return item.wait
        return max(item.wait - max(LEAST_DURATION - item.beats(0), 0), 0)

    def gap_after(self, number: int) -> int:
        """Cycles without beat after an instruction that make its lane quiet."""
        needs_none = self.instructions[number].opcode is Opcode.READ
        return 0 if needs_none else self.gaps[self.requests[number].lane]

    def duration(self, number: int, position: int) -> int:
        """Cycles from an instruction's turn until its lane is free."""
        return max(self.instructions[number].beats(position), LEAST_DURATION)

    def alone(self, position: int) -> list[int]:
        """When each instruction gets its turn, from the first one's on, with no other stream."""
        turns, now, quiet = [], 0, dict.fromkeys(Lane, 0)
        for number, request in enumerate(self.requests):
            if request.quiet:
                now = max(now, quiet[request.lane])
            turns.append(now)
            end = now + self.duration(number, position)
            quiet[request.lane] = end + self.gap_after(number)
            now = end + self.wait(number)
        return turns
