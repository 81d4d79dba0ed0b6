"""Activation functions of contract version 2, and the product of gate and up."""

from __future__ import annotations

import itertools

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

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
        one, step = arith.GATE_ONE, arith.GATE_STEP_BITS
        g = self.value
        # cycle 1: |g| in 1/2**14
        size = Signal(self._bits - 1 + arith.GATE_FRAC_BITS, reset_less=True)
        amount = Signal(range(arith.GATE_FRAC_BITS + 1), reset_less=True)
        m.d.sync += amount.eq(arith.GATE_FRAC_BITS - self.frac)
        m.d.sync += size.eq(Mux(g < 0, -g, g)[: self._bits] << amount)
        index = size[step:]
        far = Signal(reset_less=True)
        part = Signal(step, reset_less=True)
        m.d.sync += [far.eq(index >= arith.GATE_ENTRIES), part.eq(size[:step])]
        table = arith.gate_table(self._activation)
        rows = [(int(a), int(b) - int(a)) for a, b in itertools.pairwise(table)]
        slope_width = max(max(b.bit_length() for _, b in rows), 1) + 1
        base_width = one.bit_length()
        m.submodules.table = memory = Memory(
            shape=unsigned(base_width + slope_width),
            depth=arith.GATE_ENTRIES,
            init=[a | (b & (1 << slope_width) - 1) << base_width for a, b in rows],
            attrs={"ram_style": "block"},
        )
        entry = registered_read(m, memory, index[:9], "entry")  # cycle 2
        base, slope = entry[:base_width], entry[base_width:].as_signed()
        # cycle 3
        rise = Signal(signed(slope_width + step + 1), reset_less=True)
        m.d.sync += rise.eq(slope * part)
        base_late = delayed(m, base, 1, name="base")
        far_late = delayed(m, far, 1, name="far")
        # cycle 4
        share = Signal(base_width + 1, reset_less=True)
        negative = delayed(m, g < 0, 3, name="negative")
        inside = Signal(signed(base_width + 2))
        m.d.comb += inside.eq(base_late + rounded_shift(rise, step))
        positive = Mux(far_late, one, inside)
        m.d.sync += share.eq(Mux(negative, one - positive, positive))
        # cycle 5, 6
        factor = delayed(m, g, 4, name="g").as_signed()
        product = Signal(signed(self._bits + base_width + 2), reset_less=True)
        m.d.sync += product.eq(factor * share)
        y = Signal(signed(self._bits + 3), reset_less=True)
        m.d.sync += y.eq(rounded_shift(product, arith.GATE_OUT_SHIFT))
        # cycle 7
        if self._gated:
            activated = Signal.like(y, reset_less=True)
            odd = delayed(m, self.odd, 6, name="odd")
            with m.If(~odd):
                m.d.sync += activated.eq(y)
            up = delayed(m, g, 6, name="up").as_signed()
            entering = Signal(signed(len(y) + self._bits), reset_less=True)
            m.d.sync += entering.eq(activated * up)
        else:
            entering = Signal.like(y, reset_less=True)
            m.d.sync += entering.eq(y)
        # cycle 8, 9
        rounded = Signal(signed(len(entering) + 1), reset_less=True)
        m.d.sync += rounded.eq(variable_rounded_shift(entering, self.hidden_shift))
        limit = arith.limit(self._hidden_bits)
        m.d.sync += self.hidden.eq(
            Mux(rounded > limit, limit, Mux(rounded < -limit, -limit, rounded))
        )
        return m
