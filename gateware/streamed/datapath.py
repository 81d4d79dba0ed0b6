"""The engines of a streamed core: those of a core on chip, with buffers in place of tables."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from ..decoder.datapath import DecoderDatapath
from ..decoder.instruction import Sink, Source
from ..decoder.tables import TURN_BITS
from ..parts.delay import delayed
from .buffers import ParameterBuffer, PositionBuffer
from .issue import StreamedBeatSignature
from .lanes import StreamedLanes


def stored_layout(program) -> data.StructLayout:
    """A word for the external memory, and its number from the first one of keys on."""
    layout = program.layout
    words = program.streams * layout.words_of_cache
    return data.StructLayout({"number": range(words), "data": layout.word_bits})


class StreamedDatapath(DecoderDatapath):
    """As :class:`gateware.decoder.datapath.DecoderDatapath`.

    Further members
    ---------------
    word : In(word_bits), the stream's, in the cycle in which it is taken
    stored : Out(stream of :func:`stored_layout`), STORE cycles after the beat; always to be taken
    """

    STORE = StreamedLanes.WORD
    beat_signature = StreamedBeatSignature

    def _further_ports(self) -> dict:
        program = self._program
        return {
            "word": In(program.layout.word_bits),
            "stored": Out(stream.Signature(stored_layout(program), always_ready=True)),
        }

    def elaborate(self, platform):
        m = super().elaborate(platform)
        beat, lanes = self.beat, self._lanes
        taken = beat.valid & beat.takes
        for name in ("half", "number"):
            if hasattr(beat, name):
                m.d.comb += getattr(lanes, name).eq(getattr(beat, name))
        if hasattr(beat, "scales"):
            m.d.comb += lanes.taken_scales.eq(beat.takes & beat.scales)
        m.d.comb += [
            lanes.word.eq(self.word),
            lanes.taken.eq(taken),
            lanes.local.eq(beat.local),
            lanes.local_value.eq(beat.local_value),
            self.stored.valid.eq(
                delayed(m, beat.valid & beat.stores, self.STORE, reset_less=False, name="stores")
            ),
            self.stored.p.number.eq(delayed(m, beat.memory, self.STORE, name="memory")),
            self.stored.p.data.eq(lanes.used),
        ]
        moved = taken & (beat.source == Source.MOVE) & (beat.sink == Sink.BUFFER)
        for buffer, valid in (
            (self._parameter_buffer, moved & ~beat.turned),
            (self._position_buffer, moved & beat.turned),
        ):
            m.d.sync += [
                buffer.write.valid.eq(valid),
                buffer.write.address.eq(beat.address),
                buffer.write.data.eq(self.word),
            ]
        return m

    def _parameters(self, m: Module):
        program = self._program
        self._parameter_buffer = ParameterBuffer(
            program.images.parameter_format, program.parameter_words
        )
        return self._parameter_buffer

    def _angles(self, m: Module):
        return self._position_numbers(2 * TURN_BITS)

    def _positions(self, m: Module):
        return self._position_numbers(self._program.position_width)

    def _position_numbers(self, width: int) -> PositionBuffer:
        program = self._program
        self._position_buffer = PositionBuffer(
            words=program.images.position_words,
            word_bits=program.layout.word_bits,
            field_bits=program.images.position_field,
            width=width,
        )
        return self._position_buffer
