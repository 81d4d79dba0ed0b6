"""UART: bytes to and from a serial line, 8 data bits, no parity, 1 stop bit, lowest bit first."""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import C, Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from gateformer.model.support.errors import UserError

from .integers import check_integer

DATA_BITS = 8
FRAME_BITS = DATA_BITS + 2
"""Start bit, data, stop bit."""
SAMPLES = 4
"""Looks at the line per bit; also the fewest clock cycles per bit."""
MAX_RATE_ERROR = Fraction(1, 100)
STEP_BITS = 8
"""Least significant bits of a bit clock's step: they keep its error below 1/512."""

RECEIVED_LAYOUT = data.StructLayout({"byte": DATA_BITS, "damaged": 1})
"""What a receiver hands on; ``damaged`` stands for a frame that had no stop bit."""


def uart_divisor(clock_hz: int, baud: int) -> Fraction:
    """Clock cycles per bit for ``baud`` bits per second, or the nearest that can be made.

    Raises UserError, naming the nearest rate, if that is more than 1 % off; TypeError or
    ValueError if an argument is not a positive integer.
    """
    check_integer("clock_hz", clock_hz, 1, 2**32)
    check_integer("baud", baud, 1, 2**32)
    divisor = max(Fraction(clock_hz, baud), Fraction(SAMPLES))
    nearest = clock_hz / divisor
    if abs(nearest / baud - 1) > MAX_RATE_ERROR:
        raise UserError(
            f"a clock of {clock_hz} Hz cannot make {baud} baud; "
            f"the nearest rate is {int(nearest)} baud"
        )
    return divisor


class BitClock(wiring.Component):
    """Divides the clock by any number: a phase accumulator, whose carry is the tick.

    While ``run`` is low the phase is 0 and there is no tick. The k-th tick comes in the cycle
    ceil(k * interval) - 1 of those with ``run``, with ``interval`` the divisor over
    ``ticks_per_bit`` but for :attr:`rate_error`.

    Parameters
    ----------
    divisor : Fraction or int
        Clock cycles per bit, at least 4.
    ticks_per_bit : int
        1 or 4.

    Members
    -------
    run : In(1)
    tick : Out(1)
    """

    def __init__(self, divisor: Fraction | int, *, ticks_per_bit: int):
        self.divisor = _checked(divisor)
        self._width = STEP_BITS + (self.divisor // ticks_per_bit).numerator.bit_length()
        self._step = round(2**self._width * ticks_per_bit / self.divisor)
        self._ticks_per_bit = ticks_per_bit
        super().__init__({"run": In(1), "tick": Out(1)})

    @property
    def rate_error(self) -> Fraction:
        """(rate of the ticks) / (rate that the divisor asks for) - 1; below 1/512."""
        return self._step * self.divisor / (2**self._width * self._ticks_per_bit) - 1

    def elaborate(self, platform):
        m = Module()
        # the phase of the next cycle, with the carry, so that the tick comes from a register
        total = Signal(self._width + 1, init=self._step)
        m.d.comb += self.tick.eq(total[-1] & self.run)
        with m.If(self.run):
            m.d.sync += total.eq(total[:-1] + self._step)
        with m.Else():
            m.d.sync += total.eq(self._step)
        return m


class UartReceiver(wiring.Component):
    """Serial line to bytes.

    Each bit is the majority of three samples, at 1/4, 1/2 and 3/4 of it, so a disturbance shorter
    than a quarter of a bit does no harm, one per bit, unless it moves the edge with which a frame
    begins: within a quarter of a bit of it. A start bit must be low up to its first sample and by
    that majority; else the line was disturbed, and nothing is received. A stop bit counts as
    missing if it is low at 1/4 and 1/2; at 1/2 the receiver is ready for the next start bit.
    The sender's rate may be off by 2 % with 6.125 cycles per bit or more, by 1 % from 4.5 on.

    A frame without a stop bit (noise, another baud rate, a break) gives one ``damaged`` item, whose
    byte means nothing; then nothing is received until the line is high again.

    Parameters
    ----------
    divisor : Fraction or int
        Clock cycles per bit, at least 4 (:func:`uart_divisor`).

    Members
    -------
    rx : In(1)
        The line, asynchronous; high when idle.
    received : Out(stream of RECEIVED_LAYOUT)
        Valid for one cycle: the sender does not wait, so what is not ready then has lost the item.

    Raises
    ------
    TypeError, ValueError
        If the divisor is no Fraction or int, or below 4.
    """

    def __init__(self, divisor: Fraction | int):
        self._divisor = _checked(divisor)
        super().__init__({"rx": In(1, init=1), "received": Out(stream.Signature(RECEIVED_LAYOUT))})

    def elaborate(self, platform):
        m = Module()
        level = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, level, init=1)
        m.submodules.clock = clock = BitClock(self._divisor, ticks_per_bit=SAMPLES)
        quarter = Signal(range(SAMPLES))
        bits = Signal(range(FRAME_BITS))  # that are complete
        # registers, settled long before the next sample that matters to the bit
        is_first, is_last = Signal(), Signal()
        before = Signal(2)  # the latest two samples
        majority = Signal()
        content = Signal(DATA_BITS, reset_less=True)
        received = self.received.payload
        m.d.comb += [
            majority.eq((level & before.any()) | before.all()),
            received.byte.eq(content),
            received.damaged.eq(~(level | before[0])),
        ]
        m.d.sync += [is_first.eq(bits == 0), is_last.eq(bits == FRAME_BITS - 1)]
        with m.If(clock.tick):
            m.d.sync += [quarter.eq(quarter + 1), before.eq(Cat(level, before))]
        with m.FSM():
            with m.State("IDLE"), m.If(~level):
                m.d.sync += [quarter.eq(0), bits.eq(0), is_first.eq(1)]
                m.next = "FRAME"
            with m.State("FRAME"):
                m.d.comb += clock.run.eq(1)
                with m.If(is_first & (quarter == 0) & level):
                    m.next = "IDLE"
                with m.If(clock.tick & (quarter == 2)):
                    # the sample at 3/4 of the bit
                    m.d.sync += [bits.eq(bits + 1), content.eq(Cat(content[1:], majority))]
                    with m.If(is_first & majority):
                        m.next = "IDLE"
                with m.If(clock.tick & (quarter == 1) & is_last):
                    m.d.comb += self.received.valid.eq(1)
                    # with few cycles per bit the next start bit may have begun already
                    with m.If(received.damaged):
                        m.next = "RELEASE"
                    with m.Else():
                        m.next = "IDLE"
            with m.State("RELEASE"), m.If(level):
                m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Bytes to a serial line; ``FRAME_BITS`` bit times and a clock cycle per byte.

    Parameters
    ----------
    divisor : Fraction or int
        Clock cycles per bit, at least 4.

    Members
    -------
    bytes : In(stream of 8 bits)
    tx : Out(1)
        The line, from a register; high when idle.

    Raises
    ------
    TypeError, ValueError
        As :class:`UartReceiver`.
    """

    def __init__(self, divisor: Fraction | int):
        self._divisor = _checked(divisor)
        super().__init__({"bytes": In(stream.Signature(DATA_BITS)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.clock = clock = BitClock(self._divisor, ticks_per_bit=1)
        # The lowest bit is on the line. Zeros follow the stop bit, which so shows when it is last.
        frame = Signal(FRAME_BITS, init=1)
        busy = Signal()
        m.d.comb += [clock.run.eq(busy), self.bytes.ready.eq(~busy), self.tx.eq(frame[0])]
        with m.If(self.bytes.valid & ~busy):
            m.d.sync += [frame.eq(Cat(C(0, 1), self.bytes.payload, C(1, 1))), busy.eq(1)]
        with m.If(clock.tick):
            with m.If(frame[1:].any()):
                m.d.sync += frame.eq(frame >> 1)
            with m.Else():
                m.d.sync += busy.eq(0)
        return m


def _checked(divisor: Fraction | int) -> Fraction:
    if not isinstance(divisor, Fraction | int) or isinstance(divisor, bool):
        raise TypeError(f"divisor must be a Fraction or an int, not {divisor!r}")
    if divisor < SAMPLES:
        raise ValueError(f"divisor must be at least {SAMPLES}, not {divisor}")
    return Fraction(divisor)
