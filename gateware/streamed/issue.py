"""Issue unit of a streamed core: beats wait for their words, nothing behind it ever does."""

from __future__ import annotations

from types import MappingProxyType

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from ..decoder.instruction import Sink, Source
from ..decoder.issue import BeatSignature, DecoderIssueUnit
from ..parts.constant_product import times


class StreamedBeatSignature(BeatSignature):
    """One beat, as :class:`gateware.decoder.issue.BeatSignature`.

    Further members
    ---------------
    takes : Out(1)
        It takes the stream's next word.
    local, local_value : Out(1)
        Its word is the buffers' one, of keys or of values.
    stores : Out(1), memory : Out
        That word goes to this one of the external memory, counted from the first one of keys.
    """

    def __init__(self, program):
        layout = program.layout
        words = layout.stripes_of_cache * layout.memory.stripe_words
        further = {name: Out(1) for name in ("takes", "local", "local_value", "stores")}
        super().__init__(program, {**further, "memory": Out(range(words))})


class StreamedIssueUnit(DecoderIssueUnit):
    """As :class:`gateware.decoder.issue.DecoderIssueUnit`.

    Further members
    ---------------
    available : In(1), there is a word; room : In(1), a word can be stored
    stalled : Out(1), a beat waits for a word
    """

    beat_signature = StreamedBeatSignature
    further_ports = MappingProxyType({"available": In(1), "room": In(1), "stalled": Out(1)})

    def _allowed(self, m: Module, current, active):
        beat, source = self.beat, current.source
        moves, to_buffer = source == Source.MOVE, current.sink == Sink.BUFFER
        cached = (source == Source.SCORE) | (source == Source.WEIGH)
        m.d.comb += [
            beat.takes.eq(
                (source == Source.MATRIX)
                | ((source == Source.ELEMENT) & (beat.lane == 0))
                | (cached & ~beat.last_outer)
                | (moves & to_buffer)
                | (source == Source.PROGRAM)
            ),
            beat.stores.eq(moves & ~to_buffer),
            beat.local.eq(beat.stores | (cached & beat.last_outer)),
            beat.local_value.eq((source == Source.WEIGH) | (moves & (current.sink == Sink.VALUE))),
        ]
        m.d.comb += self.stalled.eq(active & beat.takes & ~self.available)
        self._store(m)
        return Mux(beat.takes, self.available, Mux(beat.stores, self.room, 1))

    def _store(self, m: Module):
        """The word of the memory that is stored: the instruction's, and the position's of it."""
        beat, loaded = self.beat, self.instruction
        keys = Signal.like(beat.memory, reset_less=True)
        memory = Signal.like(beat.memory, reset_less=True, name="stored")
        m.d.sync += keys.eq(times(self.position, self._program.layout.key_words))
        with m.If(self.load):
            place = Mux(loaded.sink == Sink.KEY, keys, self.position)
            m.d.sync += memory.eq(loaded.memory + place)
        with m.Elif(beat.valid):
            m.d.sync += memory.eq(memory + 1)
        m.d.comb += beat.memory.eq(memory)

    def _row_offsets(self, begins):
        return 0, 0

    def _following(self, current, address):
        return Mux(self.beat.last_inner, current.address, address + 1)
