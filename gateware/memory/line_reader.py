"""One port's share of the stripes that are read."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..parts.fifo import Fifo
from ..parts.integers import check_integer
from .bus import Burst, MemoryShape, Response, read_signature

OUTSTANDING = 8
"""Bursts under way; what a port of a Zynq-7000 takes (UG585, AFI)."""


def run_layout(shape: MemoryShape) -> data.StructLayout:
    """Stripes that follow each other: the first one, and how many more."""
    return data.StructLayout({"stripe": shape.stripe_bits, "more": shape.stripe_bits})


def check_depth(shape: MemoryShape, depth: int) -> None:
    """TypeError or ValueError unless a reader can keep ``depth`` beats of a port."""
    check_integer("depth", depth, 2 * shape.burst_beats, 2**16)
    if depth & (depth - 1):
        raise ValueError(f"depth must be a power of two, not {depth}")


class LineReader(wiring.Component):
    """Reads line ``port`` of each stripe of a run, run after run, far ahead of who takes the beats.

    A burst is requested only if its beats have room, so that ``rready`` is always high. Not to be
    reset while bursts are under way: ``flush`` ends everything in the way that the bus wants.

    Parameters
    ----------
    shape : MemoryShape
    port : int, 0 to ``shape.ports - 1``
    depth : int, beats that are kept: a power of two, two bursts at least

    Members
    -------
    runs : In(stream of :func:`run_layout`), not ready while ``flush``
    bus : Out(:func:`.bus.read_signature`)
    beats : Out(stream of 8 * data_bytes bits)
        2 cycles after it came from the bus; one per cycle.
    flush : In(1)
        Forgets runs and beats, and lets nothing begin; to be held until ``idle``.
    idle : Out(1), a register: nothing is under way on the bus, and no run in work
    fault : Out(Response)
        The worst response since ``flush``.

    Raises
    ------
    TypeError, ValueError
        If ``port`` or ``depth`` is none of these.
    """

    def __init__(self, shape: MemoryShape, port: int, *, depth: int = 512):
        check_integer("port", port, 0, shape.ports - 1)
        check_depth(shape, depth)
        self._shape, self._port, self._depth = shape, port, depth
        super().__init__(
            {
                "runs": In(stream.Signature(run_layout(shape))),
                "bus": Out(read_signature(shape.data_bytes)),
                "beats": Out(stream.Signature(8 * shape.data_bytes)),
                "flush": In(1),
                "idle": Out(1, init=1),
                "fault": Out(Response),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape, bus, beats = self._shape, self.bus, self.beats
        fifo = Fifo(8 * shape.data_bytes, self._depth)
        m.submodules.fifo = ResetInserter(self.flush)(fifo)
        taken, came = beats.valid & beats.ready, bus.rvalid & bus.rready
        m.d.comb += [
            bus.rready.eq(1),
            fifo.written.valid.eq(bus.rvalid & ~self.flush),
            fifo.written.payload.eq(bus.rdata),
            beats.valid.eq(fifo.oldest.valid & ~self.flush),
            beats.payload.eq(fifo.oldest.payload),
            fifo.oldest.ready.eq(beats.ready),
        ]
        self._request(m, taken, came)
        with m.If(self.flush):
            m.d.sync += self.fault.eq(Response.OKAY)
        with m.Elif(came & (bus.rresp.as_value() > self.fault.as_value())):
            m.d.sync += self.fault.eq(bus.rresp)
        return m

    def _request(self, m: Module, taken, came):
        """Bursts of the present run, each with its room."""
        shape, bus, runs = self._shape, self.bus, self.runs
        working = Signal()
        stripe = Signal(shape.stripe_bits, reset_less=True)
        more = Signal(shape.stripe_bits, reset_less=True)
        # of beats: neither kept nor asked for; a burst fits if the upper bits are not 0
        room = Signal(range(self._depth + 1), init=self._depth)
        under_way = Signal(range(OUTSTANDING + 1))
        has_room, may_ask = Signal(), Signal()
        ask, ended = Signal(), Signal()
        m.d.comb += [
            has_room.eq(room[(shape.burst_beats - 1).bit_length() :].any()),
            may_ask.eq(under_way != OUTSTANDING),
            ask.eq(working & has_room & may_ask & ~self.flush & (~bus.arvalid | bus.arready)),
            ended.eq(came & bus.rlast),
            runs.ready.eq(~working & ~self.flush),
            bus.arlen.eq(shape.burst_beats - 1),
            bus.arsize.eq(shape.byte_bits),
            bus.arburst.eq(Burst.INCR),
        ]
        port = C(self._port, shape.port_bits)
        offset = C(0, (shape.line_bytes - 1).bit_length())
        with m.If(~bus.arvalid | bus.arready):
            m.d.sync += bus.arvalid.eq(ask)
        with m.If(ask):
            m.d.sync += [
                bus.araddr.eq(Cat(offset, port, stripe)),
                stripe.eq(stripe + 1),
                more.eq(more - 1),
                working.eq(more.any()),
            ]
        with m.If(runs.valid & runs.ready):
            m.d.sync += [stripe.eq(runs.p.stripe), more.eq(runs.p.more), working.eq(1)]
        with m.If(ask != ended):
            m.d.sync += under_way.eq(under_way + ask - ended)
        m.d.sync += room.eq(room + taken - (ask << (shape.burst_beats - 1).bit_length()))
        with m.If(self.flush):
            m.d.sync += working.eq(0)
            with m.If(self.idle):
                m.d.sync += room.eq(self._depth)
        # arvalid is counted in under_way from before it rises
        m.d.sync += self.idle.eq(~working & ~(runs.valid & runs.ready) & (under_way == 0))
