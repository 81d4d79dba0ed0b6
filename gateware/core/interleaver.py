"""Threads of several streams and the lanes that they share: whose turn it is."""

from __future__ import annotations

import functools
import operator

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..compiler.interleaving import Lane
from ..compiler.program import Program
from ..parts.delay import delayed
from ..parts.loadable_memory import BLOCK, late_read
from ..parts.passed_port import pass_port
from ..parts.selected import selected
from ..plan.encoding import encode, instruction_layout
from ..plan.instruction import Opcode
from ..plan.vector_op import VectorKind
from .ports import stream_port
from .shared_issue import ArrayIssue, VectorIssue
from .slots import Slots
from .thread import Thread


def issued_layout(program: Program) -> data.StructLayout:
    """An instruction that got its turn: of what stream's token, in what slot, its place in the
    program, the token's position."""
    place = instruction_layout(program.interleaving.turns)["following"].shape
    position = range(program.model.config.ctx_len + 1)
    return data.StructLayout(
        {
            "stream": range(program.streams),
            "slot": range(program.streams),
            "place": place,
            "position": position,
        }
    )


class Interleaver(wiring.Component):
    """Gives turns to the instructions of several streams, one a cycle at most, exactly as
    :class:`gateware.compiler.turns.Turns` says.

    Parameters
    ----------
    program : Program, of several streams

    Members
    -------
    wants, first, borrows, idle, tokens, granted
        Of all streams, the first one lowest: those of :class:`.slots.Slots`.
    ended : Out, an element for each stream: the program in its slot has ended, a cycle before
    sampler_freed : In(1), a token is known
    takes_sampler, seeds, sampler : Out(1), Out(1), Out(range(streams))
        A pulse, two cycles after the turn of a final norm: the sampler is stream ``sampler``'s from
        then on; ``seeds`` with it: to begin a sequence.
    issued_valid, issued : Out(1), Out(:func:`issued_layout`)
        The turn of two cycles before.

    Attributes
    ----------
    array, vector : ArrayIssue, VectorIssue
        The lanes, parts of this one: their beats, and what else they have.
    """

    SHARED = ("wants", "first", "borrows", "idle", "tokens", "granted")

    def __init__(self, program: Program):
        self._program = program
        self._threads = [Thread(program) for _ in range(program.streams)]
        self.array, self.vector = ArrayIssue(program), VectorIssue(program)
        self._lanes = {Lane.ARRAY: self.array, Lane.VECTOR: self.vector}
        self._slots = Slots(program)
        shared = {name: self._slots.signature.members[name] for name in self.SHARED}
        super().__init__(
            {
                **shared,
                "ended": Out(program.streams),
                "sampler_freed": In(1),
                "takes_sampler": Out(1),
                "seeds": Out(1),
                "sampler": Out(range(program.streams)),
                "issued_valid": Out(1),
                "issued": Out(issued_layout(program)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        threads, streams = self._threads, range(self._program.streams)
        m.submodules.slots = slots = self._slots
        for name in self.SHARED:
            pass_port(m, getattr(self, name), slots, name)
        for stream, thread in enumerate(threads):
            m.submodules[stream_port("thread", stream)] = thread
            m.d.comb += [
                thread.begin.eq(slots.begin[stream]),
                thread.first.eq(self.first[stream]),
                thread.predict.eq(slots.slots[stream].token.predict),
                slots.running[stream].eq(thread.running),
            ]
        # long before a token is known
        m.d.sync += self.ended.eq(Cat(thread.ended for thread in threads))
        owner = Signal(range(len(streams)), init=len(streams) - 1)
        self._owner = owner
        turns = self._arbitrate(m)
        index = functools.reduce(operator.or_, (Mux(turns[s], s, 0) for s in streams))
        with m.If(turns.any()):
            m.d.sync += owner.eq(index)
        self._take_sampler(m, turns, index)
        self._issue(m, turns, index)
        return m

    def _arbitrate(self, m: Module) -> Signal:
        """Whose turn it is, a bit for each stream, a cycle after it may begin."""
        threads = self._threads
        free = {lane: Signal(name=f"{lane.name.lower()}_free", init=1) for lane in Lane}
        quiet = {lane: Signal(name=f"{lane.name.lower()}_quiet", init=1) for lane in Lane}
        busy = {name: Signal(name=f"{name}_busy") for name in self._program.interleaving.locks}
        settled, may = Signal(init=1), Signal(len(threads))
        m.d.sync += settled.eq(self._is_settled(m))
        for stream, thread in enumerate(threads):
            request = thread.request
            waits = [getattr(request, f"takes_{name}") & busy[name] for name in busy]
            for lane in Lane:
                waits += [request.free[lane.value] & ~free[lane]]
                waits += [request.quiet[lane.value] & ~quiet[lane]]
            waits += [request.settled & ~settled]
            waits += [request.queries & ~self._slots.may_pass[stream]]
            m.d.comb += may[stream].eq(thread.ready & ~Cat(waits).any())
        # of the cycle before: nobody's after a turn, for what that takes is not known then. By
        # their reset, so that a look-up table less is in front of them
        candidates, turns = Signal(len(threads)), Signal(len(threads))
        urgent = Cat(thread.request.urgent for thread in threads)
        none_urgent = ~(may & urgent).any()
        with m.If(candidates.any()):
            m.d.sync += candidates.eq(0)
        with m.Else():
            m.d.sync += candidates.eq(may & (urgent | none_urgent.replicate(len(threads))))
        m.d.comb += turns.eq(self._first_behind(candidates))
        for lane, unit in self._lanes.items():
            taken = Cat(
                turn & (thread.request.lane == lane)
                for turn, thread in zip(turns, threads, strict=True)
            )
            still = ~taken.any()
            m.d.sync += [
                free[lane].eq((free[lane] | unit.freeing) & still),
                quiet[lane].eq((free[lane] | unit.freeing) & still & self._is_quiet(m, lane)),
            ]
        for name in busy:
            taken = Cat(
                turn & getattr(thread.request, f"takes_{name}")
                for turn, thread in zip(turns, threads, strict=True)
            )
            m.d.sync += busy[name].eq((busy[name] & ~self._freed(name)) | taken.any())
        for stream, thread in enumerate(threads):
            freeing = Cat(
                unit.freeing & (unit.owner == stream) for unit in self._lanes.values()
            ).any()
            m.d.comb += [
                thread.turn.eq(turns[stream]),
                thread.freeing.eq(freeing),
                self._slots.passed[stream].eq(turns[stream] & thread.request.queries),
            ]
        return turns

    def _is_quiet(self, m: Module, lane: Lane) -> Value:
        """Whether in the next cycle the gap behind a lane's last instruction is over."""
        gap, unit = self._program.interleaving.gaps[lane], self._lanes[lane]
        begins = unit.freeing
        if lane is Lane.VECTOR:
            begins = begins & (unit.beat.opcode != Opcode.READ)
        return ~self._within(m, [(begins, gap)], f"{lane.name.lower()}_gap")

    def _is_settled(self, m: Module) -> Value:
        """Whether in the next cycle a norm may follow what has changed residuals."""
        gaps, beat = self._program.interleaving.residual_gaps, self.vector.beat
        freeing = self.vector.freeing
        load = freeing & (beat.kind == VectorKind.RESIDUAL_LOAD)
        add = freeing & (beat.kind == VectorKind.RESIDUAL_ADD)
        begins = [(load, gaps[Opcode.READ]), (add, gaps[Opcode.MATVEC])]
        return ~self._within(m, begins, "residual_gap")

    def _within(self, m: Module, begins: list, name: str) -> Value:
        """Whether the next cycle is one of as many as told after the last of the pulses."""
        longest = max(cycles for _, cycles in begins)
        if not longest:
            return C(0, 1)
        left, following = Signal(longest, name=name), Signal(longest, name=f"{name}_left")
        m.d.comb += following.eq(left >> 1)
        for pulse, cycles in begins:
            with m.If(pulse):
                m.d.comb += following.eq(2**cycles - 1)
        m.d.sync += left.eq(following)
        return following[0]

    def _first_behind(self, may: Signal) -> Value:
        """The first of those that may, from the one behind the last turn's on."""
        count, choices = len(may), []
        for last in range(count):
            order = [(last + 1 + i) % count for i in range(count)]
            chosen = {
                stream: may[stream] & ~Cat(may[other] for other in order[:place]).any()
                for place, stream in enumerate(order)
            }
            choices.append(Cat(chosen[stream] for stream in range(count)))
        return Array(choices)[self._owner]

    def _freed(self, name: str) -> Value:
        if name == "sampler":
            return self.sampler_freed
        return Cat(
            thread.freeing & getattr(thread, f"frees_{name}") for thread in self._threads
        ).any()

    def _take_sampler(self, m: Module, turns, index):
        threads = self._threads
        takes = Cat(
            turn & thread.request.takes_sampler for turn, thread in zip(turns, threads, strict=True)
        )
        seeds = takes & Cat(thread.seeds for thread in threads)
        m.d.sync += [self.takes_sampler.eq(takes.any()), self.seeds.eq(seeds.any())]
        with m.If(takes.any()):
            m.d.sync += self.sampler.eq(index)

    def _issue(self, m: Module, turns, index):
        """The instruction whose turn it is, to its lane and its stream, two cycles after that is
        known."""
        program, threads = self._program, self._threads
        layout = instruction_layout(program.interleaving.turns)
        place = selected([thread.request.place for thread in threads], index)
        m.submodules.program = memory = Memory(
            shape=layout,
            depth=len(program.interleaving.turns),
            init=[encode(turn, layout) for turn in program.interleaving.turns],
            attrs=BLOCK,
        )
        word = late_read(m, memory, place, writable=False, name="word")
        for stream, thread in enumerate(threads):
            load = delayed(m, turns[stream], 2, reset_less=False, name=f"load{stream}")
            m.d.comb += [thread.load.eq(load), thread.word.eq(word)]
        # a cycle after the turn
        running = self._slots.slots.shape().elem_shape(
            selected([slot.as_value() for slot in self._slots.slots], self._owner)
        )
        for lane, unit in self._lanes.items():
            name = lane.name.lower()
            m.submodules[name] = unit
            turn = Cat(
                turn & (thread.request.lane == lane)
                for turn, thread in zip(turns, threads, strict=True)
            ).any()
            m.d.comb += [
                unit.load.eq(delayed(m, turn, 2, reset_less=False, name=f"load_{name}")),
                unit.instruction.eq(word),
                unit.coming.slot.eq(self._owner),
                unit.coming.stream.eq(running.stream),
                unit.coming.position.eq(running.token.position),
                unit.coming.token_word.eq(running.token.token_word),
            ]
        m.d.comb += [
            self.issued_valid.eq(delayed(m, turns.any(), 1, reset_less=False, name="issued")),
            self.issued.slot.eq(self._owner),
            self.issued.stream.eq(running.stream),
            self.issued.place.eq(delayed(m, place, 1, name="place")),
            self.issued.position.eq(running.token.position),
        ]
