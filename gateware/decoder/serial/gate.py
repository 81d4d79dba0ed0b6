"""Activation functions of contract version 2, and the product of gate and up."""

from __future__ import annotations

import itertools

from amaranth.hdl import C, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.decoder import arith

from ...parts.delay import delayed
from ...parts.loadable_memory import BLOCK
from ...parts.multiplier import Multiplier
from ...parts.registered_read import COLLISION_FREE, registered_read
from .limit import Limit
from .shifts import VariableShift

SHARE_LATENCY = 8
"""Cycles to what the activation function lets pass of a number."""


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
    dsp : str
        One of :data:`gateware.parts.multiplier.DSP_FAMILIES`.

    Attributes
    ----------
    SHIFT_DELAY = 14 : cycles from ``value`` to its ``hidden_shift``
    LATENCY = 18 : cycles from ``value`` to ``hidden``

    Members
    -------
    value : In(signed(bits)), within ±limit(bits)
    odd : In(1), with ``value``: it is up; of no meaning if not gated
    frac : In(range(15)), bits below the point of g, a cycle before it
    hidden_shift : In(range(most_shift + 1)), SHIFT_DELAY after the number whose result it is for
    hidden : Out(signed(hidden_bits))
    limited : Out(1), with ``hidden``: the clamp changed it
    """

    SHIFT_DELAY = SHARE_LATENCY + 2 * Multiplier.LATENCY
    LATENCY = SHIFT_DELAY + VariableShift.LATENCY + Limit.LATENCY

    def __init__(
        self,
        *,
        activation: str,
        gated: bool,
        bits: int,
        hidden_bits: int,
        most_shift: int,
        dsp: str = "generic",
    ):
        self._activation, self._gated, self._dsp = activation, gated, dsp
        self._bits, self._hidden_bits = bits, hidden_bits
        super().__init__(
            {
                "value": In(signed(bits)),
                "odd": In(1),
                "frac": In(range(arith.GATE_FRAC_BITS + 1)),
                "hidden_shift": In(range(most_shift + 1)),
                "hidden": Out(signed(hidden_bits)),
                "limited": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        g = self.value
        share = self._share(m, g)
        # share is at most 2**16, |y| at most 4 |g|
        m.submodules.scaling = scaling = self._multiplier(self._bits, len(share) + 1)
        m.d.comb += [
            scaling.a.eq(delayed(m, g, SHARE_LATENCY, name="g")),
            scaling.b.eq(share),
            scaling.addend.eq(1 << arith.GATE_OUT_SHIFT - 1),
        ]
        done = SHARE_LATENCY + Multiplier.LATENCY
        y = scaling.product[arith.GATE_OUT_SHIFT :][: self._bits + 2].as_signed()
        if self._gated:
            activated = Signal.like(y, reset_less=True)
            with m.If(~delayed(m, self.odd, done, name="odd")):
                m.d.sync += activated.eq(y)
            m.submodules.gating = gating = self._multiplier(len(y), self._bits)
            m.d.comb += [
                gating.a.eq(activated),
                gating.b.eq(delayed(m, g, done, name="up")),
            ]
            entering = gating.product
        else:
            entering = delayed(m, y, Multiplier.LATENCY, name="entering").as_signed()
        bits = self._hidden_bits
        shifted = VariableShift.of(m, entering, self.hidden_shift, bits + 2, "shifted")
        hidden, limited = Limit.flagged(m, shifted, [bits], C(0, 1), "limited")
        m.d.comb += [self.hidden.eq(hidden), self.limited.eq(limited)]
        return m

    def _multiplier(self, a_width: int, b_width: int, width: int | None = None) -> Multiplier:
        return Multiplier(a_width=a_width, b_width=b_width, dsp=self._dsp, width=width)

    def _share(self, m: Module, g):
        """G(g), SHARE_LATENCY cycles later."""
        one, step = arith.GATE_ONE, arith.GATE_STEP_BITS
        # cycle 1: |g|, and cycle 2: in 1/2**14
        absolute = delayed(m, Mux(g < 0, -g, g)[: self._bits - 1], 1, name="absolute")
        amount = delayed(m, arith.GATE_FRAC_BITS - self.frac, 2, name="amount")
        size = Signal(self._bits - 1 + arith.GATE_FRAC_BITS, reset_less=True)
        m.d.sync += size.eq(absolute << amount[: len(self.frac)])
        index = size[step:]
        # cycle 4
        far = delayed(m, index >= arith.GATE_ENTRIES, 2, name="far")
        part = delayed(m, size[:step], 2, name="part")
        base, slope = self._entry(m, index[: ceil_log2(arith.GATE_ENTRIES)])
        # cycle 7: the entry and its slope's part of a step, rounded
        m.submodules.sloping = unit = self._multiplier(
            len(slope), step + 1, max(len(slope) + step + 1, len(base) + step + 2)
        )
        m.d.comb += [
            unit.a.eq(slope),
            unit.b.eq(part),
            unit.addend.eq((base << step) + (1 << step - 1)),
        ]
        inside = unit.product[step : step + len(base)]
        far = delayed(m, far, Multiplier.LATENCY, name="late_far")
        # cycle 8
        negative = delayed(m, g < 0, SHARE_LATENCY - 1, name="negative")
        positive = Mux(far, one, inside)
        return delayed(m, Mux(negative, one - positive, positive)[: len(base)], 1, name="share")

    def _entry(self, m: Module, index):
        """(T[index], T[index + 1] - T[index]), 2 cycles later."""
        table = arith.gate_table(self._activation)
        rows = [(int(a), int(b) - int(a)) for a, b in itertools.pairwise(table)]
        base_width = arith.GATE_ONE.bit_length()
        slope_width = signed_width(max(abs(slope) for _, slope in rows))
        m.submodules.table = memory = Memory(
            shape=unsigned(base_width + slope_width),
            depth=len(rows),
            init=[base | (slope & (1 << slope_width) - 1) << base_width for base, slope in rows],
            attrs={**BLOCK, **COLLISION_FREE},
        )
        entry = delayed(m, registered_read(m, memory, index, "entry"), 1, name="late_entry")
        return entry[:base_width], entry[base_width:].as_signed()
