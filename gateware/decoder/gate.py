"""Activation functions of contract version 2, and the product of gate and up."""

from __future__ import annotations

import itertools

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.decoder import arith

from ..parts.delay import delayed
from ..parts.registered_read import registered_read
from .shifts import rounded_shift, variable_rounded_shift


class Gate(wiring.Component):
    """``clamp(round_shift(y, hidden_shift), hidden_bits)`` of ``y = round_shift(g * G(g), 14)``.

    Gated, of ``y * up``: g is the last number with ``odd`` = 0 before up, which has ``odd`` = 1,
    and the result is up's. A number per cycle; a pair's may have others with ``odd`` = 1 between
    them.

    Parameters
    ----------
    activation : str, of :data:`arith.GATE_FUNCTIONS`
    gated : bool
    bits, hidden_bits : int, of g and up, and of the result: signed, 8..16
    most_shift : int, the largest ``hidden_shift``, 0..40

    Attributes
    ----------
    LATENCY = 9 : cycles from ``value`` to ``hidden``

    Members
    -------
    value : In(signed(bits)), within ±limit(bits)
    odd : In(1), with ``value``: it is up; of no meaning if not gated
    frac : In(range(15)), bits below the point of g, a cycle before it
    hidden_shift : In(range(most_shift + 1)), 7 cycles after the number whose result it is for
    hidden : Out(signed(hidden_bits))
    """

    LATENCY = 9

    def __init__(self, *, activation, gated: bool, bits: int, hidden_bits: int, most_shift: int):
        self._activation, self._gated = activation, gated
        self._bits, self._hidden_bits = bits, hidden_bits
        super().__init__(
            {
                "value": In(signed(bits)),
                "odd": In(1),
                "frac": In(range(arith.GATE_FRAC_BITS + 1)),
                "hidden_shift": In(range(most_shift + 1)),
                "hidden": Out(signed(hidden_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        g = self.value
        share = self._share(m, g)  # cycle 4
        factor = delayed(m, g, 4, name="g")
        # share is at most 2**16, |y| at most 4 |g|
        product = Signal(signed(self._bits + len(share) - 1), reset_less=True)
        m.d.sync += product.eq(factor * share)
        y = Signal(signed(self._bits + 2), reset_less=True)
        m.d.sync += y.eq(rounded_shift(product, arith.GATE_OUT_SHIFT))  # cycle 6
        entering = y
        if self._gated:
            activated = Signal.like(y, reset_less=True)
            with m.If(~delayed(m, self.odd, 6, name="odd")):
                m.d.sync += activated.eq(y)
            entering = activated * delayed(m, g, 6, name="up")
        late = delayed(m, entering, 1, name="entering")  # cycle 7
        rounded = delayed(m, variable_rounded_shift(late, self.hidden_shift), 1, name="rounded")
        limit = arith.limit(self._hidden_bits)
        m.d.sync += self.hidden.eq(
            Mux(rounded > limit, limit, Mux(rounded < -limit, -limit, rounded))
        )
        return m

    def _share(self, m: Module, g):
        """G(g), 4 cycles later."""
        one, step = arith.GATE_ONE, arith.GATE_STEP_BITS
        # cycle 1: |g| in 1/2**14
        size = Signal(self._bits - 1 + arith.GATE_FRAC_BITS, reset_less=True)
        amount = Signal.like(self.frac, reset_less=True)
        m.d.sync += amount.eq(arith.GATE_FRAC_BITS - self.frac)
        m.d.sync += size.eq(Mux(g < 0, -g, g)[: self._bits] << amount)
        index = size[step:]
        # cycle 2
        far = Signal(reset_less=True)
        m.d.sync += far.eq(index >= arith.GATE_ENTRIES)
        part = delayed(m, size[:step], 1, name="part")
        base, slope = self._entry(m, index[: ceil_log2(arith.GATE_ENTRIES)])
        # cycle 3
        rise = Signal(signed(len(slope) + step), reset_less=True)
        m.d.sync += rise.eq(slope * part)
        base = delayed(m, base, 1, name="base")
        far = delayed(m, far, 1, name="far")
        # cycle 4
        negative = delayed(m, g < 0, 3, name="negative")
        inside = Signal(len(base))
        m.d.comb += inside.eq(base + rounded_shift(rise, step))
        positive = Mux(far, one, inside)
        share = Signal(len(base), reset_less=True)
        m.d.sync += share.eq(Mux(negative, one - positive, positive))
        return share

    def _entry(self, m: Module, index):
        """(T[index], T[index + 1] - T[index]), a cycle later."""
        table = arith.gate_table(self._activation)
        rows = [(int(a), int(b) - int(a)) for a, b in itertools.pairwise(table)]
        base_width = arith.GATE_ONE.bit_length()
        slope_width = signed_width(max(abs(slope) for _, slope in rows))
        m.submodules.table = memory = Memory(
            shape=unsigned(base_width + slope_width),
            depth=len(rows),
            init=[base | (slope & (1 << slope_width) - 1) << base_width for base, slope in rows],
            attrs={"ram_style": "block"},
        )
        entry = registered_read(m, memory, index, "entry")
        return entry[:base_width], entry[base_width:].as_signed()
