"""Bytes of an image on their way to the loader."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..compiler.reload_image import UNIT
from ..parts.integers import ceil_div
from ..parts.uart import DATA_BITS

TICK = 4096
"""Cycles of which the silence is measured: no counter has more than a few carries then."""


class ImageReceiver(wiring.Component):
    """Makes words of bytes, the first one lowest, and notices when none come any more.

    A byte may come in every cycle if a word is taken in 4.

    Parameters
    ----------
    silence : int
        Cycles, rounded up to a multiple of :data:`TICK`.

    Members
    -------
    clear : In(1)
        Forgets what there is; silence begins now.
    bytes : In(stream of 8 bits)
        Always ready.
    words : Out(stream of 32 bits)
    silent : Out(1)
        The latest byte, or ``clear``, is ``silence`` cycles ago or more.
    """

    clear: In(1)
    bytes: In(stream.Signature(DATA_BITS))
    words: Out(stream.Signature(UNIT))
    silent: Out(1)

    def __init__(self, *, silence: int):
        self._ticks = ceil_div(silence, TICK)
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        arrived, byte = Signal(), Signal(DATA_BITS, reset_less=True)
        before = Signal(UNIT - DATA_BITS, reset_less=True)
        number = Signal(range(UNIT // DATA_BITS))
        word = Signal(UNIT, reset_less=True)
        m.d.comb += [self.bytes.ready.eq(1), self.words.payload.eq(word)]
        m.d.sync += [arrived.eq(self.bytes.valid), byte.eq(self.bytes.payload)]
        with m.If(self.words.ready):
            m.d.sync += self.words.valid.eq(0)
        with m.If(arrived):
            m.d.sync += [number.eq(number + 1), before.eq(Cat(before[DATA_BITS:], byte))]
            with m.If(number == UNIT // DATA_BITS - 1):
                m.d.sync += [word.eq(Cat(before, byte)), self.words.valid.eq(1)]
        with m.If(self.clear):
            m.d.sync += [arrived.eq(0), number.eq(0), self.words.valid.eq(0)]
        self._measure(m, arrived | self.clear)
        return m

    def _measure(self, m: Module, begin):
        cycles, tick = Signal(range(TICK)), Signal()
        left = Signal(range(self._ticks + 1), init=self._ticks)
        m.d.sync += [cycles.eq(cycles + 1), tick.eq(cycles == TICK - 1), self.silent.eq(left == 0)]
        with m.If(tick & left.any()):
            m.d.sync += left.eq(left - 1)
        with m.If(begin):
            m.d.sync += [cycles.eq(0), tick.eq(0), left.eq(self._ticks), self.silent.eq(0)]
