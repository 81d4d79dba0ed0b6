"""Two multiplications with rounding behind each other: every scale of contract version 2."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder import arith

from ..parts.delay import delayed
from .shifts import variable_rounded_shift


class Requantizer(wiring.Component):
    """``clamp(round_shift(round_shift(a * b, first_shift) * factor + bias, shift), bits)``.

    A number per cycle. ``factor``, ``bias``, ``shift`` and ``width`` are sampled later than the
    rest, so that memories have time.

    Parameters
    ----------
    a_width, b_width, factor_width, bias_width : int
        Of signed a, unsigned b, signed factor, signed bias.
    first_shifts, shifts : int
        The largest shift of each.
    middle_width : int
        Bits of ``round_shift(a * b, first_shift)``, signed: what it does not hold is lost.
    widths : sequence of int
        What results may be limited to, in bits.

    Attributes
    ----------
    FACTOR_DELAY = 4 : cycles from ``a`` to its ``factor``, ``bias``, ``shift`` and ``width``
    LATENCY = 10 : cycles from ``a`` to ``value``

    Members
    -------
    a : In(signed(a_width)), b : In(b_width)
    first_shift : In(range(first_shifts + 1))
    factor : In(signed(factor_width)), bias : In(signed(bias_width))
    shift : In(range(shifts + 1))
    width : In(range(len(widths))), the index of the result's
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
        a = delayed(m, self.a, 1, name="a")
        b = delayed(m, self.b, 1, name="b")
        product = delayed(m, a * b, 2, name="product")
        first_shift = delayed(m, self.first_shift, 3, name="first_shift")
        middle = Signal(signed(self._middle_width), reset_less=True)
        m.d.sync += middle.eq(variable_rounded_shift(product, first_shift))  # cycle 4
        multiplicand = delayed(m, middle, 1, name="multiplicand")
        factor = delayed(m, self.factor, 1, name="factor")
        scaled = delayed(m, multiplicand * factor, 2, name="scaled")  # cycle 7
        bias = delayed(m, self.bias, 3, name="bias")
        total = delayed(m, scaled + bias, 1, name="total")
        shift = delayed(m, self.shift, 4, name="shift")
        shifted = variable_rounded_shift(total, shift)
        rounded = delayed(m, shifted, 1, name="rounded")  # cycle 9
        width = delayed(m, self.width, 5, name="width")
        limit = Signal(range(1 << max(self._widths) - 1))
        m.d.comb += limit.eq(Array(arith.limit(bits) for bits in self._widths)[width])
        clamped = Mux(rounded > limit, limit, Mux(rounded < -limit, -limit, rounded))
        m.d.sync += self.value.eq(clamped)
        return m
