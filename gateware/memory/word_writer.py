"""Single words into the memory."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .bus import ADDRESS_BITS, Burst, MemoryShape, Response, write_signature

OUTSTANDING = 8
"""Words under way; what a port of a Zynq-7000 takes (UG585, AFI)."""


def word_layout(shape: MemoryShape) -> data.StructLayout:
    """A word and its number, counted from address 0: stripe above, place in the stripe below."""
    number = ADDRESS_BITS - (shape.word_bytes - 1).bit_length()
    return data.StructLayout({"number": number, "data": 8 * shape.word_bytes})


class WordWriter(wiring.Component):
    """Writes words, each as a burst of one beat on every port.

    Few words are written where many are read, so that there is nothing to win by longer bursts.
    Not to be reset while ``idle`` is low: what was accepted is written whatever happens.

    Parameters
    ----------
    shape : MemoryShape

    Members
    -------
    words : In(stream of :func:`word_layout`)
    bus0, bus1, … : Out(:func:`.bus.write_signature`), a port each
    idle : Out(1), a register
        All words that were accepted, but one in the cycle before, are in the memory: each port has
        answered.
    clear : In(1)
    fault : Out(Response), the worst one since ``clear``
    """

    def __init__(self, shape: MemoryShape):
        self._shape = shape
        super().__init__(
            {
                "words": In(stream.Signature(word_layout(shape))),
                **{f"bus{i}": Out(write_signature(shape.data_bytes)) for i in range(shape.ports)},
                "idle": Out(1, init=1),
                "clear": In(1),
                "fault": Out(Response),
            }
        )

    @property
    def buses(self) -> list:
        """``bus0``, ``bus1``, … in order."""
        return [getattr(self, f"bus{i}") for i in range(self._shape.ports)]

    def elaborate(self, platform):
        m = Module()
        shape, words = self._shape, self.words
        kept = Signal.like(words.p, reset_less=True)
        accept = words.valid & words.ready
        address, beat = Signal(shape.ports), Signal(shape.ports)  # ports that still have to take it
        under_way = [
            Signal(range(OUTSTANDING + 1), name=f"under_way{i}") for i in range(shape.ports)
        ]
        may_begin = Signal()  # a cycle late: so one less than OUTSTANDING
        busy = Cat(address, beat)
        m.d.comb += words.ready.eq(~busy.any() & may_begin)
        m.d.sync += may_begin.eq(Cat(count < OUTSTANDING - 1 for count in under_way).all())
        with m.If(accept):
            m.d.sync += [kept.eq(words.p), address.eq(-1), beat.eq(-1)]
        places = (shape.stripe_words - 1).bit_length()
        place, stripe = kept.number[:places], kept.number[places:]
        for i, (bus, count) in enumerate(zip(self.buses, under_way, strict=True)):
            m.d.comb += [
                bus.awvalid.eq(address[i]),
                bus.awaddr.eq(Cat(C(0, shape.byte_bits), place, C(i, shape.port_bits), stripe)),
                bus.awlen.eq(0),
                bus.awsize.eq(shape.byte_bits),
                bus.awburst.eq(Burst.INCR),
                bus.wvalid.eq(beat[i]),
                bus.wdata.eq(kept.data.word_select(i, 8 * shape.data_bytes)),
                bus.wstrb.eq(-1),
                bus.wlast.eq(1),
                bus.bready.eq(1),
            ]
            with m.If(bus.awvalid & bus.awready):
                m.d.sync += address[i].eq(0)
            with m.If(bus.wvalid & bus.wready):
                m.d.sync += beat[i].eq(0)
            with m.If(accept != bus.bvalid):
                m.d.sync += count.eq(Mux(accept, count + 1, count - 1))
        answered = Cat(count == 0 for count in under_way).all()
        m.d.sync += self.idle.eq(answered & ~accept)
        self._keep_faults(m)
        return m

    def _keep_faults(self, m: Module):
        found = C(0, 2)
        for bus in self.buses:
            found = found | Mux(bus.bvalid, bus.bresp.as_value(), 0)
        with m.If(self.clear):
            m.d.sync += self.fault.eq(0)
        with m.Else():
            m.d.sync += self.fault.eq(self.fault.as_value() | found)
