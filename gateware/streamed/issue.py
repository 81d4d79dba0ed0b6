"""Issue unit of a streamed core: beats wait for their words, nothing behind it ever does."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..decoder.instruction import Sink, Source
from ..decoder.issue import BeatSignature, DecoderIssueUnit
from ..parts.constant_product import times
from .slots import of_slot, slots_layout


class StreamedBeatSignature(BeatSignature):
    """One beat, as :class:`gateware.decoder.issue.BeatSignature`.

    Further members
    ---------------
    takes : Out(1)
        The stream's next word is taken in this cycle: for the beat, or with ``scales`` before it.
    scales : Out(1)
        That word is one of scales, for the words of weights from the next one on; if there are any.
    number : Out
        Of a word of weights, which of those that its scales are for.
    half : Out(1)
        Of the word of activations, or of ``lane``: what a word of wide weights meets; if the layout
        has halves.
    local, local_value : Out(1)
        Its word is the buffers' one, of keys or of values.
    stores : Out(1), memory : Out
        That word goes to this one of the external memory, counted from the first one of keys.
    ends_stores : Out(1)
        It is the last one of a layer's, of all slots; if there are several.
    """

    def __init__(self, program):
        layout = program.layout
        words = program.streams * layout.words_of_cache
        further = {name: Out(1) for name in ("takes", "local", "local_value", "stores")}
        if program.streams > 1:
            further["ends_stores"] = Out(1)
        if layout.halves > 1:
            further["half"] = Out(1)
        cadences = [item.cadence for item in program.images.row_formats if item.form.group]
        if cadences:
            further |= {"scales": Out(1), "number": Out(range(max(cadences)))}
        super().__init__(program, {**further, "memory": Out(range(words))})


class StreamedIssueUnit(DecoderIssueUnit):
    """As :class:`gateware.decoder.issue.DecoderIssueUnit`.

    Further members
    ---------------
    slots : In(slots_layout), constant while a program runs
    available : In(1), there is a word; room : In(1), a word can be stored
    stalled : Out(1), a beat waits for a word

    An instruction for a slot that has no token is a single beat that needs and does nothing; its
    ``slot`` is that slot, so that no other one takes it.
    """

    beat_signature = StreamedBeatSignature

    def _further_ports(self) -> dict:
        return {
            "slots": In(slots_layout(self._program)),
            "available": In(1),
            "room": In(1),
            "stalled": Out(1),
        }

    @property
    def _slot(self):
        """That of the instruction that is loaded, if it is one's."""
        if "slot" not in self._layout.members:
            return C(0, 1)
        return (self.instruction.slot - 1)[: ceil_log2(self._program.streams)]

    @property
    def _skips(self):
        """Whether the instruction that is loaded is for a slot without a token."""
        if "slot" not in self._layout.members:
            return C(0, 1)
        enabled = of_slot(self.slots, self._slot, self._program.streams).enabled
        return (self.instruction.slot != 0) & ~enabled

    def _steps(self) -> tuple:
        loaded = self.instruction
        position = of_slot(self.slots, self._slot, self._program.streams).position
        steps = (loaded.inner, Mux(loaded.per_position, position, loaded.outer))
        return tuple(Mux(self._skips, 0, each) for each in steps)

    def _allowed(self, m: Module, current, active):
        beat, source = self.beat, current.source
        skipped = Signal(reset_less=True)
        with m.If(self.load):
            m.d.sync += skipped.eq(self._skips)
        moves, to_buffer = source == Source.MOVE, current.sink == Sink.BUFFER
        cached = (source == Source.SCORE) | (source == Source.WEIGH)
        weights = (source == Source.MATRIX) | ((source == Source.ELEMENT) & self._begins_word())
        needs = Signal()
        m.d.comb += [
            needs.eq(
                ~skipped
                & (
                    weights
                    | (cached & ~beat.last_outer)
                    | (moves & to_buffer)
                    | (source == Source.PROGRAM)
                )
            ),
            beat.stores.eq(moves & ~to_buffer & ~skipped),
            beat.local.eq(beat.stores | (cached & beat.last_outer)),
            beat.local_value.eq((source == Source.WEIGH) | (moves & (current.sink == Sink.VALUE))),
        ]
        if hasattr(beat, "ends_stores"):
            m.d.comb += beat.ends_stores.eq(current.ends_stores)
        m.d.comb += self.stalled.eq(active & needs & ~self.available)
        self._store(m)
        self._halve(m, current)
        before = self._scales(m, current, active & weights & ~skipped)
        m.d.comb += beat.takes.eq(active & needs & self.available)
        there = self.available & ~before
        return Mux(needs, there, Mux(beat.stores, self.room, 1))

    def _begins_word(self):
        """Whether an ELEMENT is the first of its word."""
        lanes = self._program.images.row_formats[0].form.lanes
        return self.beat.lane[: ceil_log2(lanes)] == 0

    def _has(self, instruction, wanted: Sequence[bool]) -> Value:
        """Whether the instruction's format is one of the ``wanted`` ones, a flag for each."""
        if len(wanted) == 1:
            return C(wanted[0], 1)
        return Cat(instruction.store == i for i, flag in enumerate(wanted) if flag).any()

    def _halve(self, m: Module, current):
        """Wide weights: a word of activations for two words."""
        layout, beat = self._program.layout, self.beat
        self._halved = C(0, 1)
        if layout.halves == 1:
            return
        half = Signal(reset_less=True)
        formats = self._program.images.row_formats
        halved = self._has(current, [f.form.lanes == layout.wide_lanes for f in formats])
        self._halved = halved & (current.source == Source.MATRIX)
        with m.If(self.load):
            m.d.sync += half.eq(0)
        with m.Elif(beat.valid):
            m.d.sync += half.eq(self._halved & ~beat.last_inner & ~half)
        of_lane = halved & (current.source == Source.ELEMENT) & beat.lane[-1]
        m.d.comb += beat.half.eq(half | of_lane)

    def _activation_step(self, current):
        return self.beat.half | ~self._halved if self._program.layout.halves > 1 else 1

    def _scales(self, m: Module, current, weights) -> Value:
        """Whether a word of scales comes before the word of ``weights``."""
        beat = self.beat
        if not hasattr(beat, "scales"):
            return C(0, 1)
        formats = self._program.images.row_formats
        wanted, last = Signal(reset_less=True), Signal()
        number = Signal.like(beat.number, reset_less=True)
        cadences = [f.cadence if f.form.group else 0 for f in formats]
        for cadence in sorted({*cadences} - {0}):
            with m.If(self._has(current, [each == cadence for each in cadences])):
                m.d.comb += last.eq((number & cadence - 1) == cadence - 1)
        m.d.comb += [
            beat.scales.eq(weights & wanted),
            beat.number.eq(number),
        ]
        with m.If(self.load):
            m.d.sync += [
                wanted.eq(self._has(self.instruction, [each > 0 for each in cadences])),
                number.eq(0),
            ]
        with m.Elif(beat.takes):
            m.d.sync += wanted.eq(~beat.scales & last)
            with m.If(~beat.scales):
                m.d.sync += number.eq(number + 1)
        return beat.scales

    def _store(self, m: Module):
        """The word of the memory that is stored: the instruction's, and the position's of it."""
        beat, loaded, program = self.beat, self.instruction, self._program
        memory = Signal.like(beat.memory, reset_less=True, name="stored")
        keys, values = [], []
        for number, slot in enumerate(self.slots):
            base = times(slot.stream, program.layout.words_of_cache)
            for found, name, words in (
                (keys, "keys", program.layout.key_words),
                (values, "values", 1),
            ):
                place = Signal.like(beat.memory, reset_less=True, name=f"{name}{number}")
                m.d.sync += place.eq(base + times(slot.position, words))
                found.append(place)
        with m.If(self.load):
            key, value = (
                of_slot(Array(places), self._slot, program.streams) for places in (keys, values)
            )
            m.d.sync += memory.eq(loaded.memory + Mux(loaded.sink == Sink.KEY, key, value))
        with m.Elif(beat.valid):
            m.d.sync += memory.eq(memory + 1)
        m.d.comb += beat.memory.eq(memory)

    def _row_offsets(self, begins):
        return 0, 0

    def _following(self, current, address):
        return Mux(self.beat.last_inner, current.address, address + 1)
