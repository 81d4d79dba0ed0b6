"""One generation of an imported model: texts of any length, and tokens that end it."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.config import ModelConfig

from ..generation import Generation
from ..messages import Ending
from .vocabulary import BYTE_LAYOUT, TEMPERATURE_LAYOUT


class PieceGeneration(Generation):
    """As :class:`Generation`; a stop token ends it, but not a ``bench``.

    The core is aborted after such a token, which is counted, and whose cycles are the last ones
    counted.

    Parameters
    ----------
    config, value_bits
        As :class:`Generation`.
    stop : sequence of int
        Tokens that end a generation.

    Members
    -------
    As of :class:`Generation`, but instead of its ``text``
    empty : In(1), begin, advance : Out(1), byte : In(BYTE_LAYOUT)
        The vocabulary's.
    """

    TEMPERATURE = TEMPERATURE_LAYOUT
    TEXT = wiring.Signature(
        {"empty": In(1), "begin": Out(1), "advance": Out(1), "byte": In(BYTE_LAYOUT)}
    )

    def __init__(self, config: ModelConfig, *, value_bits: int, stop: Sequence[int]):
        self._stop = tuple(stop)
        super().__init__(config, value_bits=value_bits)

    def elaborate(self, platform):
        self._halted = Signal()  # from the cycle after a stop token was taken
        m = super().elaborate(platform)
        with m.If(self.core_start):
            m.d.sync += self._halted.eq(0)
        return m

    def _look_at_token(self, m: Module, taken):
        token = self.output.payload.token
        is_stop = Cat(token == each for each in self._stop).any() if self._stop else C(0)
        m.d.sync += self._halted.eq(taken & is_stop & ~self.bench)

    def _core_runs(self) -> Value:
        return self.core_busy & ~self._halted

    def _send_text(self, m: Module, is_last):
        with m.State("READ TEXT"):
            m.next = "FETCH TEXT"
            with m.If(self._halted):
                m.d.comb += self.core_abort.eq(1)
                m.d.sync += self.ending.eq(Ending.STOP)
                m.next = "STOP"
        with m.State("FETCH TEXT"):
            m.next = "LOOK"
        with m.State("LOOK"):
            m.d.comb += self.begin.eq(1)
            m.next = "READ BYTE"
            with m.If(self.empty):
                self._proceed(m, is_last)
        with m.State("READ BYTE"):
            m.next = "FETCH BYTE"
        with m.State("FETCH BYTE"):
            m.next = "SEND"
        m.d.comb += self.sent.payload.eq(self.byte.byte)
        with m.State("SEND"):
            m.d.comb += self.sent.valid.eq(1)
            with m.If(self.sent.ready):
                m.d.comb += self.advance.eq(1)
                m.next = "READ BYTE"
                with m.If(self.byte.last):
                    self._proceed(m, is_last)
