"""LayerNorm's mean and sum of squares about it, from the sums of a vector."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder import arith

from ...parts.constant_product import signed_digits
from ...parts.wide_multiplier import WideMultiplier, wide_latency
from .shifts import rounded_shift


class Spread(wiring.Component):
    """``sum((x - mean)²)``, exact for the contract's rounded mean.

    It is ``sum(x²) - mean (2 sum(x) - d mean)``: two multiplications, one after the other.

    Parameters
    ----------
    d_model : int
    sum_width, square_width, mean_width : int
        Bits of signed sum(x), of unsigned sum(x²), of the signed mean.
    dsp : str
        One of :data:`gateware.parts.multiplier.DSP_FAMILIES`.

    Attributes
    ----------
    latency : int
        Cycles from ``valid`` to ``spread``, and ``mean`` before it.

    Members
    -------
    valid : In(1), total : In(signed(sum_width)), squares : In(square_width)
        Not again before ``latency`` cycles.
    mean : Out(signed(mean_width)), spread : Out(square_width)
        Until the next ``valid``.
    """

    def __init__(self, *, d_model: int, sum_width: int, square_width, mean_width: int, dsp: str):
        self._d_model = d_model
        mult, self._shift = arith.mean_reciprocal(d_model)
        self._mult = mult
        self._digits = [(i, digit) for i, digit in enumerate(signed_digits(d_model)) if digit]
        self._cross_width = max(sum_width + 1, mean_width + d_model.bit_length()) + 1
        self._dsp = dsp
        # a power of two needs no multiplier
        self._averages = mult.bit_count() > 1
        averaging = wide_latency(sum_width, mult.bit_length() + 1) if self._averages else 0
        crossing = wide_latency(self._cross_width, mean_width)
        # registers: the sums, the mean, d times it digit by digit, the cross factor, the result
        self.latency = 1 + averaging + 1 + len(self._digits) + 1 + crossing + 1
        super().__init__(
            {
                "valid": In(1),
                "total": In(signed(sum_width)),
                "squares": In(square_width),
                "mean": Out(signed(mean_width)),
                "spread": Out(square_width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        total = Signal.like(self.total, reset_less=True)
        squares = Signal.like(self.squares, reset_less=True)
        with m.If(self.valid):
            m.d.sync += [total.eq(self.total), squares.eq(self.squares)]
        mean = Signal.like(self.mean, reset_less=True)
        m.d.sync += mean.eq(rounded_shift(self._averaged(m, total), self._shift))
        m.d.comb += self.mean.eq(mean)
        multiple = 0
        for number, (place, digit) in enumerate(self._digits):
            part = Signal(signed(self._cross_width), reset_less=True, name=f"multiple{number}")
            m.d.sync += part.eq(multiple + digit * (mean << place))
            multiple = part
        cross = Signal(signed(self._cross_width), reset_less=True)
        m.d.sync += cross.eq((total << 1) - multiple)
        m.submodules.crossing = unit = WideMultiplier(
            a_width=self._cross_width, b_width=len(mean), dsp=self._dsp
        )
        m.d.comb += [unit.a.eq(cross), unit.b.eq(mean)]
        spread = Signal.like(self.spread, reset_less=True)
        m.d.sync += spread.eq(squares - unit.product)
        m.d.comb += self.spread.eq(spread)
        return m

    def _averaged(self, m: Module, total):
        """``total`` times the reciprocal of d_model."""
        if not self._averages:
            return total << self._mult.bit_length() - 1
        m.submodules.averaging = unit = WideMultiplier(
            a_width=len(total), b_width=self._mult.bit_length() + 1, dsp=self._dsp
        )
        m.d.comb += [unit.a.eq(total), unit.b.eq(self._mult)]
        return unit.product
