"""A component that counts, compiled."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out


class Counter(wiring.Component):
    """Of a width, so that each test can have a design that no other has."""

    def __init__(self, width):
        super().__init__({"value": Out(width)})

    def elaborate(self, platform):
        m = Module()
        doubled = Signal(8)
        m.d.comb += doubled.eq(self.value << 1)
        m.d.sync += self.value.eq(self.value + 1 + doubled[7])
        return m


def drive_counter(cycles):
    value = 0
    for _ in range(cycles):
        value = (value + 1 + ((value << 1 & 0x80) >> 7)) % 256
    return value
