"""How several streams share the engines: what each instruction waits for, takes and frees.

Every stream goes through the program at its own pace, and several tokens of a prompt do, in the
slots of several streams (:mod:`gateware.core.slots`). Two *lanes* issue the beats of one
instruction each, whatever slots these are of: one for the INT8 array, one for all that goes through
the vector unit. What an instruction needs of those before it in its own slot is as far away as a
constant number of cycles (:mod:`.schedule`): later starts only add to it. What tokens in different
slots could spoil for each other is kept apart

* by regions of their own in the memories (:mod:`gateware.plan.layout`), and a norm's factor each;
* by *locks*. Array: the query, the array's accumulators and all of the softmax, from the
  first query that is written (or the embedding) to the last accumulator that is read, to the
  logits, or to the end of a prompt's token. Squares, where an embedding has several reads: the sum
  of squares of a new residual vector, from the first read to the last, or as long as a matrix gives
  them. Sampler: from the final norm to the token. None waits for a lock that has one: the embedding
  takes its two at once, the final norm, too;
* by cycles in which a lane is *quiet* before certain instructions (:attr:`Interleaving.gaps`), and
  in which no residual changes before a norm (:attr:`Interleaving.residual_gaps`).
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from amaranth.lib import enum

from ..engines.vector.unit import VectorUnit
from ..plan.instruction import Instruction, Opcode
from ..plan.layout import Layout
from ..plan.vector_op import Destination, VectorKind
from .schedule import RESIDUAL_KINDS, Scheduler, with_waits
from .units import Units

ISSUE_LATENCY = 4
"""Cycles from the one in which an instruction may begin, and is the one that does, to its first
beat."""

TURN_CYCLES = 2
"""Cycles from a turn to the next one, at least: who may begin is known a cycle later."""

LEAST_DURATION = 5
"""Cycles from a turn to the next one of the same lane, at least, however few beats follow."""


SEEDING_LATENCY = 3
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


LOCKS = ("array", "squares", "sampler")
"""What one stream has at a time."""

ARRAY_OPCODES = (Opcode.EMBED, Opcode.SCORE, Opcode.WEIGH, Opcode.LOGITS)


@dataclasses.dataclass(frozen=True)
class Turn:
    """An instruction as streams share it, a word of the program memory.

    ``count``: its beats less one, or ``per_position``: as many as the position asks for. Those
    beginning with ``next_`` are of the instruction in word ``following``, so that a stream knows
    what it waits for. The others as of :class:`gateware.plan.instruction.Instruction`, but that
    EMBED has two beats: its word of the token's row, then ``inner_base`` of the position's.

    ``wait``: cycles from the lane's being free again to the stream's next turn, at least.
    ``frees_array``, ``frees_squares``: locks that are free again as soon as the lane; the array is
    also where a token ends.
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
    frees_squares: bool
    ends_prompt_token: bool
    ends_token: bool
    following: int
    next_lane: Lane
    next_urgent: bool
    next_quiet: bool
    next_settled: bool
    next_takes_array: bool
    next_takes_squares: bool
    next_takes_sampler: bool

    COUNTS: ClassVar[tuple[str, ...]] = ("planes", "inner")
    OPTIONAL: ClassVar[tuple[str, ...]] = ("frees_squares", "next_takes_squares")


@dataclasses.dataclass(frozen=True)
class Request:
    """What an instruction waits for, besides its stream: its lane, free (and quiet), that no
    residual changes (``settled``), and locks. It is ``urgent`` from where it takes the array to
    where it frees it: the others' turn comes after."""

    lane: Lane
    urgent: bool
    quiet: bool
    settled: bool
    takes_array: bool
    takes_squares: bool
    takes_sampler: bool

    @property
    def queries(self) -> bool:
        """It writes a query: of a layer, or for the logits."""
        return self.lane is Lane.VECTOR and self.takes_array

    @property
    def locks(self) -> tuple[str, ...]:
        """Names of the locks that it takes."""
        return tuple(name for name in LOCKS if getattr(self, f"takes_{name}"))


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
    residual_gaps : dict of Opcode to int
        Cycles between a READ, or MATVEC, that changes residuals, and a norm (rule 2).
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
        changing = VectorUnit.residual_latency - 1
        self.residual_gaps = {Opcode.READ: changing, Opcode.MATVEC: direct + changing}
        self._matrices_quiet = late > direct
        self._several_reads = sum(item.kind is VectorKind.RESIDUAL_LOAD for item in plain) > 1
        self._check_handover(direct)
        self.requests = []
        for number, item in enumerate(self.instructions):
            urgent = bool(number) and self.requests[-1].urgent and not self._frees_array(number - 1)
            self.requests.append(self._request(item, urgent))
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

    def _request(self, item: Instruction, has_array: bool) -> Request:
        on_array = item.opcode in ARRAY_OPCODES
        embeds = item.opcode is Opcode.EMBED and item.first and item.address == self._first_word
        final = item.opcode is Opcode.NORM and item.destination is Destination.QUERY
        query = item.opcode is Opcode.MATVEC and item.destination is Destination.QUERY
        quiet = embeds if on_array else item.opcode is not Opcode.MATVEC or self._matrices_quiet
        return Request(
            lane=Lane.ARRAY if on_array else Lane.VECTOR,
            urgent=has_array or embeds or query or final,
            quiet=quiet,
            settled=item.opcode is Opcode.NORM,
            takes_array=embeds or query or final,
            takes_squares=self._several_reads and (embeds or item.kind is VectorKind.RESIDUAL_ADD),
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
            "frees_squares": self._several_reads and item.kind in RESIDUAL_KINDS and item.last,
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

    @property
    def locks(self) -> tuple[str, ...]:
        """Those of :data:`LOCKS` that are taken."""
        return tuple(
            name for name in LOCKS if any(name in request.locks for request in self.requests)
        )

    def gap_after(self, number: int) -> int:
        """Cycles without beat after an instruction that make its lane quiet."""
        needs_none = self.instructions[number].opcode is Opcode.READ
        return 0 if needs_none else self.gaps[self.requests[number].lane]

    def residual_gap_after(self, number: int) -> int | None:
        """Cycles between an instruction and the next norm, if it changes residuals."""
        item = self.instructions[number]
        return self.residual_gaps[item.opcode] if item.kind in RESIDUAL_KINDS else None

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
