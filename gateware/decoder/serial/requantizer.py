"""Two multiplications with rounding behind each other: every scale of contract version 2."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...parts.delay import delayed
from ...parts.wide_multiplier import WideMultiplier, wide_latency
from .limit import Limit
from .shifts import VariableShift


class Requantizer(wiring.Component):
    """``clamp(round_shift(round_shift(a * b, first_shift) * factor + bias, shift), bits)``.

    A number per cycle. ``factor``, ``bias``, ``shift`` and ``width`` are sampled later than the
    rest, so that memories have time.

    Parameters
    ----------
    a_width, b_width, factor_width, bias_width : int
        Of signed a, unsigned b, signed factor, signed bias.
    first_shifts, shifts : int
        The largest shift of each, at most 63.
    middle_width : int
        Bits of ``round_shift(a * b, first_shift)``, signed: what it does not hold is lost.
    widths : sequence of int
        What results may be limited to, in bits.
    dsp : str
        One of :data:`gateware.parts.multiplier.DSP_FAMILIES`.

    Attributes
    ----------
    factor_delay : int
        Cycles from ``a`` to its ``factor``, ``bias``, ``shift`` and ``width``.
    latency : int
        Cycles from ``a`` to ``value``.

    Members
    -------
    a : In(signed(a_width)), b : In(b_width)
    first_shift : In(range(first_shifts + 1))
    factor : In(signed(factor_width)), bias : In(signed(bias_width))
    shift : In(range(shifts + 1))
    width : In(range(len(widths))), the index of the result's
    value : Out(signed(max(widths)))
    limited : Out(1), with ``value``: its limit changed it
    """

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
        dsp: str = "generic",
    ):
        self._middle_width, self._widths = middle_width, tuple(widths)
        self._dsp = dsp
        self.factor_delay = wide_latency(a_width, b_width + 1) + VariableShift.LATENCY
        self._total_delay = wide_latency(middle_width, factor_width) + 1
        after_total = VariableShift.LATENCY + Limit.LATENCY
        self.latency = self.factor_delay + self._total_delay + after_total
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
                "limited": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.product = product = WideMultiplier(
            a_width=len(self.a), b_width=len(self.b) + 1, dsp=self._dsp
        )
        m.submodules.scaled = scaled = WideMultiplier(
            a_width=self._middle_width, b_width=len(self.factor), dsp=self._dsp
        )
        m.d.comb += [product.a.eq(self.a), product.b.eq(Cat(self.b, C(0, 1)).as_signed())]
        first_shift = delayed(m, self.first_shift, product.latency, name="first_shift")
        width = self._middle_width + 1
        middle = VariableShift.of(m, product.product, first_shift, width, "middle").value
        m.d.comb += [scaled.a.eq(middle[:-1].as_signed()), scaled.b.eq(self.factor)]
        bias = delayed(m, self.bias, scaled.latency, name="bias")
        total = delayed(m, scaled.product + bias, 1, name="total")
        shift = delayed(m, self.shift, self._total_delay, name="shift")
        rounded = VariableShift.of(m, total, shift, max(self._widths) + 2, "result")
        wait = self._total_delay + VariableShift.LATENCY
        width = delayed(m, self.width, wait, name="width")
        value, limited = Limit.flagged(m, rounded, self._widths, width, "limited")
        m.d.comb += [self.value.eq(value), self.limited.eq(limited)]
        return m
