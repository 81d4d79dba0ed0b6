"""Queue between a receiver that cannot wait and the console; what it loses leaves a mark."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .registered_read import COLLISION_FREE, registered_read
from .uart import DATA_BITS, RECEIVED_LAYOUT

CTRL_C = 0x03
QUEUE_DEPTH = 256

QUEUED_LAYOUT = data.StructLayout({"byte": DATA_BITS, "mark": 1})
"""A byte, or (``mark``) the place of one or more that are missing."""


class ReceiveQueue(wiring.Component):
    """Keeps :data:`QUEUE_DEPTH` items in block memory.

    A damaged item, or one that arrives while the queue is full, is replaced by a mark, as soon as
    there is room for it; what arrives before the mark is queued is replaced by the same mark. So
    neighbours that are lost may share one, but nothing is lost without one.

    Ctrl-C acts when it arrives and is not queued: the queue becomes empty, a mark still to be
    queued is forgotten, and ``interrupt`` is high for one cycle, two cycles later.

    An item appears at ``queued`` two cycles or more after it was received; at most one item is
    taken in two cycles.

    Members
    -------
    received : In(stream of RECEIVED_LAYOUT)
        Always ready.
    queued : Out(stream of QUEUED_LAYOUT)
        An item that has not been taken when Ctrl-C arrives is withdrawn.
    interrupt : Out(1)
    """

    received: In(stream.Signature(RECEIVED_LAYOUT))
    queued: Out(stream.Signature(QUEUED_LAYOUT))
    interrupt: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=QUEUED_LAYOUT,
            depth=QUEUE_DEPTH,
            init=[],
            attrs={"ram_style": "block", **COLLISION_FREE},
        )
        write = memory.write_port()
        # one bit more than an address, so that full differs from empty
        head, tail = Signal(range(2 * QUEUE_DEPTH)), Signal(range(2 * QUEUE_DEPTH))
        arrived, item = Signal(), Signal(RECEIVED_LAYOUT)
        lost = Signal()  # a mark is still to be queued
        full, flush = Signal(), Signal()
        m.d.comb += [
            self.received.ready.eq(1),
            flush.eq(arrived & ~item.damaged & (item.byte == CTRL_C)),
            full.eq((head ^ tail) == QUEUE_DEPTH),
            write.addr.eq(head),
            write.data.byte.eq(item.byte),
            write.data.mark.eq(lost | item.damaged),
            write.en.eq((arrived | lost) & ~full),
            # never an item that is written at the same time: it is not valid until later
            self.queued.payload.eq(registered_read(m, memory, tail[: len(write.addr)])),
        ]
        m.d.sync += [
            arrived.eq(self.received.valid),
            item.eq(self.received.payload),
            self.interrupt.eq(flush),
            # the memory has read what is at the tail, unless that is being taken
            self.queued.valid.eq((head != tail) & ~(self.queued.valid & self.queued.ready)),
        ]
        with m.If(write.en):
            m.d.sync += [head.eq(head + 1), lost.eq(0)]
        with m.Elif(arrived):
            m.d.sync += lost.eq(1)
        with m.If(self.queued.valid & self.queued.ready):
            m.d.sync += tail.eq(tail + 1)
        with m.If(flush):
            m.d.sync += [head.eq(0), tail.eq(0), lost.eq(0), self.queued.valid.eq(0)]
        return m
