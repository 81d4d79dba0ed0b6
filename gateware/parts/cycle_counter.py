"""A long counter read in two halves."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class CycleCounter(wiring.Component):
    """Counts cycles with ``enable``; twice ``half_bits`` wide, read ``half_bits`` at a time.

    ``low`` is the lower half now; ``high`` the upper half as it was in the last cycle of
    ``low_read``, so that reading low, then high gives one moment's count.

    Parameters
    ----------
    half_bits : int, at least 1

    Members
    -------
    clear, enable : In(1); ``clear`` wins
    low_read : In(1)
    low, high : Out(half_bits)
    """

    def __init__(self, half_bits: int = 32):
        self.half_bits = half_bits
        super().__init__(
            {
                "clear": In(1),
                "enable": In(1),
                "low_read": In(1),
                "low": Out(half_bits),
                "high": Out(half_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        count = Signal(2 * self.half_bits)
        with m.If(self.clear):
            m.d.sync += count.eq(0)
        with m.Elif(self.enable):
            m.d.sync += count.eq(count + 1)
        with m.If(self.low_read):
            m.d.sync += self.high.eq(count[self.half_bits :])
        m.d.comb += self.low.eq(count)
        return m
