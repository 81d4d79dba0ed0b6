"""Two multiplications with rounding behind each other: every scale of contract version 2."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .shifts import variable_rounded_shift


class Requantizer(wiring.Component):
    """``clamp(round_shift(round_shift(a * b, first_shift) * factor + bias, shift), bits)``.

    One number per cycle. ``a``, ``b`` and ``first_shift`` belong to cycle 0, what follows is
    sampled later so that memories have time: ``factor`` and ``bias`` ``FACTOR_DELAY`` cycles
    later, ``shift`` and ``width`` with them.

    Parameters
    ----------
    a_width, b_width, factor_width, bias_width : int
        Of signed a, unsigned b, signed factor, signed bias.
    first_shifts, shifts : int
        The largest shift of each.
    middle_width : int
        Bits of the first result.
    widths : sequence of int
        What results are clamped to; ``width`` is an index.

    Attributes
    ----------
    FACTOR_DELAY = 4, LATENCY = 10 : cycles

    Members
    -------
    a, b, first_shift, factor, bias, shift, width : In
    value : Out(signed(max(widths)))
    """

    FACTOR_DELAY = 4
    LATENCY = 10

    def __init__(
        self,
        *,
        a_width: int,
        b_width: int,
        factor_width: int,
        bias_width: int,
        first_shifts: int,
        shifts: int,
        middle_width: int,
        widths: Sequence[int],
    ):
        self._middle_width, self._widths = middle_width, tuple(widths)
        super().__init__(
            {
                "a": In(signed(a_width)),
                "b": In(b_width),
                "first_shift": In(range(first_shifts + 1)),
                "factor": In(signed(factor_width)),
                "bias": In(signed(bias_width)),
                "shift": In(range(shifts + 1)),
                "width": In(range(len(self._widths))),
                "value": Out(signed(max(self._widths))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        a = self._kept(m, self.a, 1, "a")
        b = self._kept(m, self.b, 1, "b")
        product = self._kept(m, a * b, 2, "product")
        first_shift = self._kept(m, self.first_shift, 3, "first_shift")
        middle = Signal(signed(self._middle_width), reset_less=True)
        m.d.sync += middle.eq(variable_rounded_shift(product, first_shift))  # cycle 4
        multiplicand = self._kept(m, middle, 1, "multiplicand")
        factor = self._kept(m, self.factor, 1, "factor")
        scaled = self._kept(m, multiplicand * factor, 2, "scaled")  # cycle 7
        bias = self._kept(m, self.bias, 3, "bias")
        total = self._kept(m, scaled + bias, 1, "total")
        shift = self._kept(m, self.shift, 4, "shift")
        rounded = self._kept(m, variable_rounded_shift(total, shift), 1, "rounded")  # cycle 9
        width = self._kept(m, self.width, 5, "width")
        limits = Array((1 << bits - 1) - 1 for bits in self._widths)
        limit = Signal(range(1 << max(self._widths) - 1), reset_less=True)
        m.d.comb += limit.eq(limits[width])
        clamped = Mux(rounded > limit, limit, Mux(rounded < -limit, -limit, rounded))
        m.d.sync += self.value.eq(clamped)
        return m

    @staticmethod
    def _kept(m: Module, value, cycles: int, name: str):
        for i in range(cycles):
            register = Signal(value.shape(), reset_less=True, name=f"{name}{i}")
            m.d.sync += register.eq(value)
            value = register
        return value
