"""Words of the memory as one stream, in the order in which segments of it are named."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..parts.fifo import Fifo
from .bus import MemoryShape, Response, read_signature
from .line_reader import LineReader, run_layout

SEGMENTS_AHEAD = 4
"""Segments that are read before the words of the first one of them are all taken."""


def segment_layout(shape: MemoryShape) -> data.StructLayout:
    """``words`` words, at least 1, from the beginning of ``stripe``."""
    bits = shape.stripe_bits + (shape.stripe_words - 1).bit_length()
    return data.StructLayout({"stripe": shape.stripe_bits, "words": bits + 1})


class StreamReader(wiring.Component):
    """Reads segments through all ports at once; what follows a segment in its last stripe is
    dropped.

    Parameters
    ----------
    shape : MemoryShape
    depth : int, words that are kept: a power of two, two stripes at least

    Members
    -------
    segments : In(stream of :func:`segment_layout`), not ready while ``flush``
    words : Out(stream of 8 * word_bytes bits)
        Port 0's beat lowest. A word per cycle, but one cycle without between segments.
    bus0, bus1, … : Out(:func:`.bus.read_signature`), a port each
    flush : In(1)
        Forgets segments and words; to be held until ``idle``.
    idle : Out(1), a register: nothing is under way
    fault : Out(Response), the worst one since ``flush``, of all ports
    faulty : Out(1)
        It will not be OKAY: a cycle before ``fault``, and before words with a bad beat are valid.

    Raises
    ------
    TypeError, ValueError
        As :class:`.line_reader.LineReader`.
    """

    def __init__(self, shape: MemoryShape, *, depth: int = 512):
        self._shape = shape
        self._readers = [LineReader(shape, port, depth=depth) for port in range(shape.ports)]
        super().__init__(
            {
                "segments": In(stream.Signature(segment_layout(shape))),
                "words": Out(stream.Signature(8 * shape.word_bytes)),
                **{f"bus{i}": Out(read_signature(shape.data_bytes)) for i in range(shape.ports)},
                "flush": In(1),
                "idle": Out(1, init=1),
                "fault": Out(Response),
                "faulty": Out(1),
            }
        )

    @property
    def buses(self) -> list:
        """``bus0``, ``bus1``, … in order."""
        return [getattr(self, f"bus{i}") for i in range(self._shape.ports)]

    def elaborate(self, platform):
        m = Module()
        shape, segments = self._shape, self.segments
        for i, (reader, bus) in enumerate(zip(self._readers, self.buses, strict=True)):
            m.submodules[f"port{i}"] = reader
            wiring.connect(m, reader.bus, wiring.flipped(bus))
            m.d.comb += reader.flush.eq(self.flush)
        words = segments.p.words
        lengths = Fifo(len(words), SEGMENTS_AHEAD)
        m.submodules.lengths = ResetInserter(self.flush)(lengths)
        run = Signal(run_layout(shape), reset_less=True)
        pending = Signal(shape.ports)  # ports that have not taken the run yet
        taken = Cat(reader.runs.ready for reader in self._readers)
        for i, reader in enumerate(self._readers):
            m.d.comb += [reader.runs.valid.eq(pending[i]), reader.runs.p.eq(run)]
        m.d.comb += [
            lengths.written.valid.eq(segments.valid & segments.ready),
            lengths.written.payload.eq(words),
            segments.ready.eq(lengths.written.ready & ~pending.any() & ~self.flush),
        ]
        with m.If(self.flush):
            m.d.sync += pending.eq(0)
        with m.Elif(segments.valid & segments.ready):
            last = (words - 1) >> (shape.stripe_words - 1).bit_length()
            m.d.sync += [run.stripe.eq(segments.p.stripe), run.more.eq(last), pending.eq(-1)]
        with m.Else():
            m.d.sync += pending.eq(pending & ~taken)
        self._deliver(m, lengths)
        idle = Cat(reader.idle for reader in self._readers).all() & ~pending.any()
        m.d.sync += self.idle.eq(idle & ~(segments.valid & segments.ready))
        worst = self._readers[0].fault.as_value()
        for reader in self._readers[1:]:
            worst = worst | reader.fault.as_value()
        m.d.sync += self.fault.eq(worst)
        m.d.comb += self.faulty.eq(worst != Response.OKAY.value)
        return m

    def _deliver(self, m: Module, lengths: Fifo):
        """Beats of all ports together, those of a segment counted."""
        shape, readers = self._shape, self._readers
        left = Signal.like(lengths.oldest.payload, reset_less=True)
        place = Signal(range(shape.stripe_words))  # in the stripe; never beyond it
        inside, dropping = Signal(), Signal()
        there = Cat(reader.beats.valid for reader in readers).all()
        take = Signal()
        last_place = place == shape.stripe_words - 1
        m.d.comb += [
            self.words.valid.eq(there & inside),
            self.words.payload.eq(Cat(reader.beats.payload for reader in readers)),
            take.eq(there & ((inside & self.words.ready) | dropping)),
            lengths.oldest.ready.eq(~inside & ~dropping),
            *(reader.beats.ready.eq(take) for reader in readers),
        ]
        with m.If(take):
            m.d.sync += [place.eq(place + 1), left.eq(left - 1)]
            with m.If(inside & (left == 1)):
                m.d.sync += [inside.eq(0), dropping.eq(~last_place)]
            with m.Elif(dropping & last_place):
                m.d.sync += dropping.eq(0)
        with m.If(lengths.oldest.valid & lengths.oldest.ready):
            m.d.sync += [inside.eq(1), left.eq(lengths.oldest.payload)]
        with m.If(self.flush):
            m.d.sync += [inside.eq(0), dropping.eq(0), place.eq(0)]
