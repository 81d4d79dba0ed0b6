"""A lane for weights of few bits, of look-up tables: multiplier blocks are for the wider ones."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..parts.delay import delayed
from ..parts.multiplier import MultiplyAccumulate

DIGIT_BITS = 2
"""Bits of a digit of the weight: the product of one is a sum of two numbers."""


class NarrowLane(wiring.Component):
    """As :class:`gateware.parts.multiplier.MultiplyAccumulate` without coefficients.

    ``acc`` becomes ``query * memory``, plus the old ``acc`` if ``accumulate``.

    The products of the weight's digits are added up, one register for each of the two steps.

    Parameters
    ----------
    acc_width : int
    memory_shape : Shape
        Of a weight: at most three digits, the highest perhaps signed.
    query_bits : int
    accumulates : bool
        Whether ``accumulate`` counts; without, each product stands alone.

    Members
    -------
    memory : In(memory_shape), sampled MEMORY_LEAD (1) cycle before the others
    query : In(signed(query_bits)); accumulate, enable : In(1)
    acc : Out(signed(acc_width)), LATENCY (3) cycles after the inputs
    """

    LATENCY = MultiplyAccumulate.LATENCY
    MEMORY_LEAD = MultiplyAccumulate.MEMORY_LEAD

    def __init__(
        self, *, acc_width: int, memory_shape: Shape, query_bits: int, accumulates: bool = True
    ):
        self._accumulates = accumulates
        super().__init__(
            {
                "memory": In(memory_shape),
                "query": In(signed(query_bits)),
                "accumulate": In(1),
                "enable": In(1),
                "acc": Out(signed(acc_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        memory = Signal.like(self.memory, reset_less=True)
        product = Signal(signed(len(self.query) + len(memory) + 1), reset_less=True)
        m.d.sync += memory.eq(self.memory)
        parts = []
        for first in range(0, len(memory), DIGIT_BITS):
            part = self._product(memory, first)
            parts.append(delayed(m, part, 1, name=f"part{first}").as_signed() << first)
        m.d.sync += product.eq(sum(parts[1:], start=parts[0]))
        kept = 0
        if self._accumulates:
            kept = Mux(delayed(m, self.accumulate, 2, name="accumulate"), self.acc, 0)
        with m.If(delayed(m, self.enable, 2, name="enable")):
            m.d.sync += self.acc.eq(kept + product)
        return m

    def _product(self, memory, first: int):
        """Of the digit at bit ``first``."""
        end = min(first + DIGIT_BITS, len(memory))
        product = 0
        for bit in range(first, end):
            term = Mux(memory[bit], self.query, 0) << (bit - first)
            negative = memory.shape().signed and bit == len(memory) - 1
            product = product - term if negative else product + term
        return product
