"""Issue unit: walks one instruction's loop nest, a beat per cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..compiler.program import Program
from ..compiler.units import row_depth
from ..parts.constant_product import times
from ..plan.encoding import instruction_layout
from ..plan.instruction import AddressBase, Opcode
from ..plan.vector_op import Destination, VectorKind


class BeatSignature(wiring.Signature):
    """One beat, valid for one cycle; the engines pick what they need.

    Members
    -------
    valid, opcode
    address
        Memory word of the engine.
    inner_index
        Column chunk or query word.
    outer_index
        Position, or pair of them (SCORE, WEIGH), word group (READ), row group or token(s).
    segment
        Segment of the word group (READ).
    first_inner, last_inner, first_plane, last_plane, first_outer, last_outer
        Place in the loop nest.
    kind, destination, row, column, group, scale, first, last, shift_select
        The instruction's fields of the same names, advanced to this beat.
    """

    def __init__(self, program: Program):
        layout, cfg = program.layout, program.model.config
        images = program.images
        depth = max(len(images.weight_words), layout.array_depth)
        super().__init__(
            {
                "valid": Out(1),
                "opcode": Out(Opcode),
                "address": Out(range(depth)),
                "inner_index": Out(range(max(layout.activation_chunks, layout.query_words))),
                "outer_index": Out(
                    range(
                        max(
                            layout.ff_groups,
                            layout.kv_groups,
                            layout.d_groups,
                            cfg.ctx_len,
                            cfg.vocab_size,
                        )
                    )
                ),
                "segment": Out(range(layout.segments)),
                "first_inner": Out(1),
                "last_inner": Out(1),
                "first_plane": Out(1),
                "last_plane": Out(1),
                "first_outer": Out(1),
                "last_outer": Out(1),
                "kind": Out(VectorKind),
                "destination": Out(Destination),
                "row": Out(range(row_depth(layout))),
                "column": Out(range(max(layout.chunk_groups, layout.memory_groups))),
                "group": Out(range(layout.residual_groups)),
                "scale": Out(range(len(images.scale_words))),
                "first": Out(1),
                "last": Out(1),
                "shift_select": Out(range(max(program.shift_selects) + 1)),
            }
        )


class IssueUnit(wiring.Component):
    """Issues the beats of one instruction after the other.

    ``load`` takes ``instruction`` in any cycle in which nothing is running or ``ending`` is high;
    its first beat follows in the next cycle. ``ending`` is high in an instruction's last cycle,
    waits included. ``position`` must not change while an instruction runs, and an instruction whose
    addresses follow it must not be loaded in the first cycle of a new one, which the program's
    first instruction sees to; ``token_word`` is read in the cycle of ``load``
    only.

    Parameters
    ----------
    program : Program

    Members
    -------
    load, instruction : In
    token_word : In(range(vocab_size * embed_words))
        First word of the token's embedding.
    position : In
    beat : Out(BeatSignature)
    ending : Out(1)
    """

    def __init__(self, program: Program):
        self._layout = program.layout
        self._has_planes = any(item.planes > 1 for item in program.instructions)
        self._instruction_layout = instruction_layout(program.instructions)
        cfg = program.model.config
        super().__init__(
            {
                "load": In(1),
                "instruction": In(self._instruction_layout),
                "token_word": In(range(cfg.vocab_size * self._layout.embed_words)),
                "position": In(range(cfg.ctx_len + 1)),
                "beat": Out(BeatSignature(program)),
                "ending": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        current = Signal(self._instruction_layout, reset_less=True)
        active = Signal()
        wait_left = Signal.like(current.wait)
        # flags are registers, set a cycle ahead: from here on everything fans out
        wait_is_one, without_wait = Signal(), Signal()  # the latter: active, and no wait follows
        final = Signal()
        step = Signal()
        m.d.comb += [
            final.eq(active & step & self.beat.last_outer),
            self.ending.eq((without_wait & step & self.beat.last_outer) | wait_is_one),
            self.beat.valid.eq(active),
        ]
        m.d.sync += wait_is_one.eq(wait_left == 2)
        with m.If(wait_left != 0):
            m.d.sync += wait_left.eq(wait_left - 1)
        with m.If(final):
            m.d.sync += [
                active.eq(0),
                without_wait.eq(0),
                wait_left.eq(current.wait),
                wait_is_one.eq(current.wait == 1),
            ]
        with m.If(self.load):
            m.d.sync += [
                active.eq(1),
                current.eq(self.instruction),
                without_wait.eq(self.instruction.wait == 0),
            ]
        self._loops(m, current, step)
        self._addresses(m, current, step)
        self._places(m, current, step)
        return m

    def _countdown(self, m, loaded, current, advance):
        """A loop of ``loaded`` + 1 steps, ``current`` + 1 again after the last: (first, last)."""
        left = Signal.like(Value.cast(loaded), reset_less=True)
        first, last = Signal(reset_less=True), Signal(reset_less=True)
        with m.If(advance):
            m.d.sync += [first.eq(last), left.eq(left - 1), last.eq(left == 1)]
            with m.If(last):
                m.d.sync += [left.eq(current), last.eq(current == 0)]
        with m.If(self.load):
            m.d.sync += [first.eq(1), left.eq(loaded), last.eq(loaded == 0)]
        return first, last

    def _loops(self, m: Module, current, step):
        """Loop counters; ``step`` is high in the last beat of an outer step."""
        beat, loaded = self.beat, self.instruction
        first_inner, last_inner = self._countdown(m, loaded.inner, current.inner, beat.valid)
        m.d.comb += [beat.first_inner.eq(first_inner), beat.last_inner.eq(last_inner)]
        if self._has_planes:
            advance = beat.valid & last_inner
            first, last = self._countdown(m, loaded.planes, current.planes, advance)
            m.d.comb += [beat.first_plane.eq(first), beat.last_plane.eq(last)]
        else:
            m.d.comb += [beat.first_plane.eq(1), beat.last_plane.eq(1)]
        m.d.comb += step.eq(beat.last_inner & beat.last_plane)
        steps = Signal(range(2 ** max(len(loaded.outer), len(self.position))))
        m.d.comb += steps.eq(Mux(loaded.per_position.any(), self._position, loaded.outer))
        # no instruction goes round its outermost loop again
        first, last = self._countdown(m, steps, 0, beat.valid & step)
        outer_index = Signal.like(beat.outer_index, reset_less=True)
        inner_index = Signal.like(beat.inner_index, reset_less=True)
        with m.If(beat.valid):
            m.d.sync += inner_index.eq(Mux(last_inner, current.inner_base, inner_index + 1))
            with m.If(step):
                m.d.sync += outer_index.eq(outer_index + 1)
        with m.If(self.load):
            m.d.sync += [inner_index.eq(loaded.inner_base), outer_index.eq(0)]
        m.d.comb += [
            beat.first_outer.eq(first),
            beat.last_outer.eq(last),
            beat.outer_index.eq(outer_index),
            beat.inner_index.eq(inner_index),
        ]

    @property
    def _position(self):
        """The position's row in the memories whose words have one for ``halves`` positions."""
        return self.position >> (self._layout.halves - 1)

    def _position_times(self, m: Module, words: int, name: str):
        """The position's first word, a register."""
        product = times(self._position, words)
        register = Signal(product.shape(), reset_less=True, name=name)
        m.d.sync += register.eq(product)
        return register

    def _addresses(self, m: Module, current, step):
        """The engine's memory address."""
        loaded, words = self.instruction, self._layout.embed_words
        address = Signal.like(self.beat.address, reset_less=True)
        offset = Signal(range(2 ** len(address)))
        position_words = self._position_times(m, words, "position_words")
        with m.Switch(loaded.address_base):
            with m.Case(AddressBase.TOKEN):
                m.d.comb += offset.eq(self.token_word >> (self._layout.halves - 1))
            with m.Case(AddressBase.POSITION):
                m.d.comb += offset.eq(position_words)
        with m.If(self.beat.valid):
            m.d.sync += address.eq(address + Mux(step, current.outer_step, 1))
        with m.If(self.load):
            m.d.sync += address.eq(loaded.address + offset)
        m.d.comb += self.beat.address.eq(address)

    def _first_place(self, m: Module, name: str):
        """Row, column, group or scale of an instruction's first result."""
        loaded = self.instruction
        if name != "row":
            return getattr(loaded, name)
        rows = self._position_times(m, self._layout.kv_words, "position_rows")
        return loaded.row + Mux(loaded.row_per_position, rows, 0)

    def _places(self, m: Module, current, step):
        """Where the results of each outer step go, and what they need."""
        beat, loaded, layout = self.beat, self.instruction, self._layout
        advance = beat.valid & step
        wrap = Signal.like(beat.column, reset_less=True)
        with m.If(self.load):
            m.d.sync += wrap.eq(
                Mux(
                    loaded.destination == Destination.ACTIVATION,
                    layout.chunk_groups - 1,
                    layout.word_groups - 1,
                )
            )
        for name in ("row", "column", "group", "scale"):
            place = Signal.like(getattr(beat, name), name=name, reset_less=True)
            m.d.comb += getattr(beat, name).eq(place)
            first = self._first_place(m, name)
            with m.If(self.load):
                m.d.sync += place.eq(first)
            with m.Elif(advance):
                if name == "column":
                    m.d.sync += place.eq(Mux(place == wrap, 0, place + 1))
                elif name == "row":
                    m.d.sync += place.eq(place + (beat.column == wrap))
                else:
                    m.d.sync += place.eq(place + 1)
        m.d.comb += [
            beat.opcode.eq(current.opcode),
            beat.kind.eq(current.kind),
            beat.destination.eq(current.destination),
            beat.first.eq(current.first),
            beat.last.eq(current.last),
            beat.shift_select.eq(current.shift_select),
            beat.segment.eq(
                sum(
                    beat.outer_index >= k * layout.segment_groups for k in range(1, layout.segments)
                )
            ),
        ]
