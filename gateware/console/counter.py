"""A wide counter that costs a few LUTs: the count goes round in a shift register."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

COUNTER_BITS = 32


class RingCounter(wiring.Component):
    """Counts cycles with ``event``, modulo 2**32.

    In the cycle before that in which ``phase`` is i, ``coming`` is bit i of the count. Events are
    collected for a turn of 32 cycles and then added, bit by bit, in the turn after it; so an event
    is in the count after at most two turns.

    Parameters
    ----------
    events : int
        The most there can be in a turn, 1 to 32.

    Members
    -------
    phase : In(5)
        Counts up by 1 in every cycle, without end.
    clear : In(1)
        Makes the count 0, but for events of the two turns before.
    event : In(1)
    coming : Out(1)
    """

    def __init__(self, *, events: int = COUNTER_BITS):
        self._events = events
        super().__init__(
            {"phase": In(range(COUNTER_BITS)), "clear": In(1), "event": In(1), "coming": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        ring = Signal(COUNTER_BITS)
        collected = Signal(range(self._events + 1), reset_less=True)
        addend = Signal.like(collected)
        carry = Signal(reset_less=True)
        turn = Signal()
        total = ring[0] + addend[0] + carry
        m.d.comb += [self.coming.eq(ring[1]), turn.eq(self.phase == COUNTER_BITS - 1)]
        m.d.sync += [
            ring.eq(Cat(ring[1:], total[0])),
            collected.eq(collected + self.event),
            addend.eq(addend >> 1),
            carry.eq(total[1]),
        ]
        with m.If(turn):
            m.d.sync += [collected.eq(self.event), addend.eq(collected), carry.eq(0)]
        with m.If(self.clear):
            m.d.sync += ring.eq(0)
        return m
