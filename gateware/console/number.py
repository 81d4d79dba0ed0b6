"""Decimal numbers, bit by bit: what the console reads and prints."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from .counter import COUNTER_BITS

RADIX = 10


class Operation(enum.Enum, shape=2):
    """What :class:`NumberUnit` does with its value."""

    LOAD = 0
    """value = source + addend (0 or 1), modulo 2**32"""
    APPEND = 1
    """value = 10 * value + addend (a digit)"""
    DIVIDE = 2
    """digit = value % 10, then value = value // 10"""


REQUEST = wiring.Signature(
    {"start": Out(1), "clear": Out(1), "operation": Out(Operation), "addend": Out(4)}
)
"""What a user of the unit drives; all 0 while it wants nothing, so that several are or-ed.

``start`` lasts one cycle, in which the unit must not be busy; ``operation`` is taken then,
``addend`` must stay until it is done. ``clear`` makes the value 0; not while busy. The unit takes
all of them into registers first.
"""


class NumberUnit(wiring.Component):
    """A 32-bit number; every operation takes one turn of 32 cycles, a bit per cycle.

    ``busy`` is high from the cycle after ``start``, at most two turns and a cycle; results are
    there when it is low again. ``LOAD`` and ``APPEND`` go from the lowest bit to the highest, with
    serial adders; ``DIVIDE`` goes from the highest to the lowest, keeping a remainder below 10.

    Members
    -------
    request : In(REQUEST)
    busy : Out(1)
    phase : Out(5)
        Counts cycles for ever; the bit to supply at ``source`` and ``limit`` in the same cycle.
    loading : Out(1)
        A LOAD is under way: from phase 0 to 31.
    source, limit : In(1)
        Bits of the number that is loaded, and of the largest one allowed.
    value, result : Out(1)
        Bit ``phase`` of the value before, and after a LOAD, while ``loading``.
    too_large : Out(1)
        After LOAD and APPEND: the value is above the limit, or does not fit.
    digit : Out(4), more : Out(1)
        After DIVIDE: the remainder, and whether the quotient is above 0.
    """

    request: In(REQUEST)
    busy: Out(1)
    phase: Out(range(COUNTER_BITS))
    loading: Out(1)
    source: In(1)
    limit: In(1)
    value: Out(1)
    result: Out(1)
    too_large: Out(1)
    digit: Out(4)
    more: Out(1)

    def elaborate(self, platform):
        m = Module()
        request = self.request
        value = Signal(COUNTER_BITS, reset_less=True)
        operation = Signal(Operation, reset_less=True)
        started, clear = Signal(), Signal()
        addend = Signal.like(request.addend, reset_less=True)
        self._addend = Signal(reset_less=True)  # its bit ``phase``
        ahead = Signal.like(self.phase)
        busy = Signal()  # from the cycle after ``started``
        self._running, self._divide = Signal(), operation == Operation.DIVIDE
        self._begin = Signal()
        self._load = operation == Operation.LOAD
        m.d.comb += [
            self.value.eq(value[0]),
            self.loading.eq(self._running & self._load),
        ]
        m.d.comb += [self.busy.eq(started | busy), ahead.eq(self.phase + 1)]
        m.d.sync += [
            started.eq(request.start),
            clear.eq(request.clear),
            addend.eq(request.addend),
            self._addend.eq(addend.bit_select(ahead[:2], 1) & ~ahead[2:].any()),
            self.phase.eq(ahead),
        ]
        self._add(m)
        fits = self._divide_step(m, value[-1])
        with m.If(self._running):
            m.d.sync += value.eq(
                Mux(self._divide, Cat(fits, value[:-1]), Cat(value[1:], self.result))
            )
        turn = self.phase == COUNTER_BITS - 1
        m.d.comb += self._begin.eq(turn & busy & ~self._running)
        with m.If(turn):
            m.d.sync += self._running.eq(self._begin)
        with m.If(turn & self._running):
            m.d.sync += busy.eq(0)
        with m.If(clear):
            m.d.sync += value.eq(0)
        with m.If(started):
            m.d.sync += busy.eq(1)
        with m.If(~self.busy):
            m.d.sync += operation.eq(request.operation)
        return m

    def _add(self, m: Module):
        """The next bit of the sum, from the lowest."""
        before = Signal(3, reset_less=True)  # of the value: 1, 2 and 3 bits below the present one
        carry = Signal(2, reset_less=True)
        above = Signal(reset_less=True)
        # 10 * value is the value shifted by 1 plus the value shifted by 3
        tenfold = before[0] + before[2] + carry[0]
        total = Mux(self._load, self.source, tenfold[0]) + self._addend + carry[1]
        m.d.comb += self.result.eq(total[0])
        with m.If(self._running):
            m.d.sync += [before.eq(Cat(self.value, before)), carry.eq(Cat(tenfold[1], total[1]))]
            with m.If(total[0] != self.limit):
                m.d.sync += above.eq(total[0])
        with m.If(self._begin):
            m.d.sync += [before.eq(0), carry.eq(0), above.eq(0)]
        # what is left in the adders belongs above the highest bit
        m.d.comb += self.too_large.eq(above | (~self._load & (before.any() | carry.any())))

    def _divide_step(self, m: Module, highest):
        """The next bit of the quotient, from the highest."""
        digit, more = Signal(4, reset_less=True), Signal(reset_less=True)
        dividend = Cat(highest, digit)
        fits = Signal()
        m.d.comb += [fits.eq(dividend >= RADIX), self.digit.eq(digit), self.more.eq(more)]
        with m.If(self._running):
            m.d.sync += [
                digit.eq(Mux(fits, dividend - RADIX, dividend)),
                more.eq(more | fits),
            ]
        with m.If(self._begin):
            m.d.sync += [digit.eq(0), more.eq(0)]
        return fits
