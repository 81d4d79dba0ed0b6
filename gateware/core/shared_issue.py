"""The two lanes that issue the beats of several streams, an instruction after the other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..compiler.interleaving import LEAST_DURATION, Base
from ..compiler.program import Program
from ..parts.constant_product import times
from ..parts.delay import delayed
from ..plan.encoding import instruction_layout
from ..plan.instruction import Opcode
from .issue import BeatSignature, IssueUnit


def coming_layout(program: Program) -> data.StructLayout:
    """In what slot an instruction is loaded a cycle later, and of what stream's token."""
    config = program.model.config
    return data.StructLayout(
        {
            "slot": range(program.streams),
            "stream": range(program.streams),
            "position": range(config.ctx_len + 1),
            "token_word": range(config.vocab_size * program.token_words),
        }
    )


class SharedIssue(IssueUnit):
    """What both lanes have in common.

    ``load`` takes ``instruction``, a word of the program memory; its first beat follows in the next
    cycle. ``freeing`` is high in the cycle before the lane may give the next instruction its turn,
    whose beats then follow without a gap: :data:`.interleaving.ISSUE_LATENCY` cycles before the
    first cycle without a beat of this one, and no sooner than a cycle after ``load``.

    Parameters
    ----------
    program : Program, of several streams

    Members
    -------
    load, instruction : In
    coming : In(:func:`coming_layout`), in the cycle before ``load``
    beat : Out(BeatSignature)
    freeing : Out(1)
    owner : Out(range(streams)), slot of the beats
    """

    def __init__(self, program: Program):
        self._layout, self._program = program.layout, program
        self._turns = program.interleaving.turns
        self._has_planes = any(turn.planes > 1 for turn in self._turns)
        members = {
            "load": In(1),
            "instruction": In(instruction_layout(self._turns)),
            "coming": In(coming_layout(program)),
            "beat": Out(BeatSignature(program)),
            "freeing": Out(1),
            "owner": Out(range(program.streams)),
            **self._further_ports(),
        }
        wiring.Component.__init__(self, members)

    def _further_ports(self) -> dict:
        return {}

    def elaborate(self, platform):
        m = Module()
        current = Signal(self.instruction.shape(), reset_less=True)
        active, last, freeing = Signal(), Signal(reset_less=True), Signal()
        # of what is loaded, and of what was
        self._slot = Signal.like(self.coming.slot, name="slot", reset_less=True)
        self._owner = Signal.like(self.coming.slot, name="owner", reset_less=True)
        m.d.sync += self._slot.eq(self.coming.slot)
        with m.If(self.load):
            m.d.sync += [current.eq(self.instruction), self._owner.eq(self._slot)]
        self._count(m, active, last, freeing)
        m.d.comb += [
            self.beat.valid.eq(active),
            self.freeing.eq(freeing),
            self.owner.eq(self._owner),
        ]
        step = Signal()
        self._loops(m, current, step)
        m.d.comb += self.beat.last_outer.eq(last)
        self._addresses(m, current, step)
        self._results(m, current, step)
        return m

    def _count(self, m: Module, active, last, freeing):
        """Beats that are left: ``last`` in the last one."""
        count = self._beats(m)
        left = Signal.like(count, reset_less=True, name="left")
        m.d.sync += freeing.eq(active & (left == LEAST_DURATION))
        with m.If(active):
            m.d.sync += [active.eq(~last), left.eq(left - 1), last.eq(left == 1)]
        with m.If(self.load):
            m.d.sync += [
                active.eq(1),
                left.eq(count),
                last.eq(count == 0),
                freeing.eq(count < LEAST_DURATION),
            ]

    def _beats(self, m: Module) -> Signal:
        """What is loaded has so many beats and one more."""
        count = Signal.like(self.instruction.count, name="count")
        m.d.comb += count.eq(self.instruction.count)
        return count

    @property
    def _position(self):
        return self.coming.position >> (self._layout.halves - 1)

    def _loops(self, m: Module, current, step):
        beat, loaded = self.beat, self.instruction
        first_inner, last_inner = self._countdown(m, loaded.inner, current.inner, beat.valid)
        m.d.comb += [
            beat.first_inner.eq(first_inner),
            beat.last_inner.eq(last_inner),
            step.eq(last_inner & self._last_plane(m, current, last_inner)),
        ]
        first = Signal(reset_less=True)
        outer_index = Signal.like(beat.outer_index, reset_less=True)
        inner_index = Signal(range(2**self._layout.chunk_bits), reset_less=True)
        with m.If(beat.valid):
            m.d.sync += inner_index.eq(Mux(last_inner, current.inner_base, inner_index + 1))
            with m.If(step):
                m.d.sync += [outer_index.eq(outer_index + 1), first.eq(0)]
        with m.If(self.load):
            m.d.sync += [inner_index.eq(loaded.inner_base), outer_index.eq(0), first.eq(1)]
        m.d.comb += [
            beat.first_outer.eq(first),
            beat.outer_index.eq(outer_index),
            beat.inner_index.eq(self._inner_index(inner_index)),
        ]

    def _last_plane(self, m: Module, current, last_inner):
        """Whether a beat is of the last trit plane."""
        return 1

    def _inner_index(self, inner_index):
        return inner_index

    def _loaded(self, m: Module, coming, name: str) -> Signal:
        """What was ``coming`` before the load, from the first beat on."""
        loaded = Signal(len(coming), name=name, reset_less=True)
        late = delayed(m, coming, 1, name=f"coming_{name}")
        with m.If(self.load):
            m.d.sync += loaded.eq(late)
        return loaded

    def _results(self, m: Module, current, step):
        """What a beat has beside its place in the loops."""
        raise NotImplementedError


class ArrayIssue(SharedIssue):
    """Lane of the INT8 array.

    A beat's ``first`` and ``last`` are those of its instruction's outermost loop.

    Further members
    ---------------
    token, position : Out(1), lowest bits of the stream's: which rows of two in a word it looks up
    """

    def _further_ports(self) -> dict:
        return {"token": Out(1), "position": Out(1)}

    def _beats(self, m: Module) -> Signal:
        loaded, words = self.instruction, self._layout.head_words
        steps = self._position_times(m, 1, "steps")
        count = Signal(max(len(loaded.count), (len(steps) + words.bit_length())), name="count")
        several = times(steps, words) + words - 1 if words > 1 else steps
        by_position = Mux(loaded.inner.any(), several, steps) if words > 1 else steps
        m.d.comb += count.eq(Mux(loaded.per_position, by_position, loaded.count))
        return count

    def _addresses(self, m: Module, current, step):
        loaded, layout = self.instruction, self._layout
        address = Signal.like(self.beat.address, reset_less=True)
        offset = Signal(range(2 ** len(address)))
        token = Signal.like(self.coming.token_word, reset_less=True)
        row = Signal.like(address, name="position_words", reset_less=True)
        stream = Signal.like(self.coming.stream, reset_less=True)
        m.d.sync += [
            stream.eq(self.coming.stream),
            token.eq(self.coming.token_word),
            row.eq(times(self._position, layout.embed_words) + layout.position_base),
        ]
        with m.Switch(loaded.address_base):
            with m.Case(Base.TOKEN):
                m.d.comb += offset.eq(token >> (layout.halves - 1))
            with m.Case(Base.STREAM):
                m.d.comb += offset.eq(times(stream, layout.stream_words))
        # an embedding's second word is the position's
        second = Signal.like(address, reset_less=True)
        further = 1
        if any(turn.outer_step != 1 for turn in self._turns):
            further = Mux(step, current.outer_step, 1)
        embeds = current.opcode == Opcode.EMBED
        with m.If(self.beat.valid):
            m.d.sync += address.eq(Mux(embeds, second, address + further))
        with m.If(self.load):
            m.d.sync += [address.eq(loaded.address + offset), second.eq(row + self._word)]
        m.d.comb += self.beat.address.eq(address)

    @property
    def _word(self):
        """Word of an embedding's row."""
        return self.instruction.inner_base if self._layout.embed_words > 1 else 0

    def _results(self, m: Module, current, step):
        beat = self.beat
        m.d.comb += [
            self.token.eq(self._loaded(m, self.coming.token_word[:1], "token_row")),
            self.position.eq(self._loaded(m, self.coming.position[:1], "position_row")),
            beat.opcode.eq(current.opcode),
            beat.first.eq(beat.first_outer),
            beat.last.eq(beat.last_outer),
            beat.shift_select.eq(current.shift_select),
        ]


class VectorIssue(SharedIssue):
    """Lane of all that goes through the vector unit.

    Further members
    ---------------
    second : Out(1), lowest bit of the stream's position
    """

    def _further_ports(self) -> dict:
        return {"second": Out(1)}

    def _last_plane(self, m: Module, current, last_inner):
        beat = self.beat
        if not self._has_planes:
            m.d.comb += [beat.first_plane.eq(1), beat.last_plane.eq(1)]
            return 1
        advance = beat.valid & last_inner
        first, last = self._countdown(m, self.instruction.planes, current.planes, advance)
        m.d.comb += [beat.first_plane.eq(first), beat.last_plane.eq(last)]
        return last

    def _inner_index(self, inner_index):
        return Cat(inner_index, self._owner)

    def _addresses(self, m: Module, current, step):
        address = Signal.like(self.beat.address, reset_less=True)
        with m.If(self.beat.valid):
            m.d.sync += address.eq(address + 1)
        with m.If(self.load):
            m.d.sync += address.eq(self.instruction.address)
        m.d.comb += self.beat.address.eq(address)

    def _first_place(self, m: Module, name: str):
        loaded, layout = self.instruction, self._layout
        if name == "group":
            return loaded.group | self._slot << layout.group_bits
        if name != "row":
            return getattr(loaded, name)
        rows = Signal.like(self.beat.row, name="position_rows", reset_less=True)
        first = times(self.coming.stream, layout.stream_words)
        m.d.sync += rows.eq(times(self._position, layout.kv_words) + first)
        region = self._slot << layout.chunk_bits
        return loaded.row + Mux(loaded.row_per_position, rows, region)

    def _results(self, m: Module, current, step):
        m.d.comb += self.second.eq(self._loaded(m, self.coming.position[:1], "second"))
        self._places(m, current, step)
