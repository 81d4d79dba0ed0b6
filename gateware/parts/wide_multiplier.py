"""Product of factors that are too wide for one multiplier block: a chain of them."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from . import dsp48
from .delay import delayed
from .multiplier import MAX_ACC_WIDTH, Multiplier, check_dsp

LIMB_BITS = dsp48.B_BITS - 1
"""Bits of a lower part of a factor: unsigned, so one less than the narrower port takes."""


class WideMultiplier(wiring.Component):
    """``product = a * b``, a product per cycle, with as many registers as the blocks have.

    Factors are split into limbs such that every two of them fit 25 x 18 bits; the products follow
    each other, and each adds what the one before it left over: no adder outside of the blocks
    where those have one. How they are split, and with that the latency, does not depend on ``dsp``.

    Parameters
    ----------
    a_width, b_width : int
        Bits of the signed factors.
    dsp : str
        One of :data:`gateware.parts.multiplier.DSP_FAMILIES`.

    Attributes
    ----------
    latency : int
        Cycles from the factors to the product: 3 for each product of limbs.

    Members
    -------
    a : In(signed(a_width)), b : In(signed(b_width))
    product : Out(signed(a_width + b_width))

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.
    """

    def __init__(self, *, a_width: int, b_width: int, dsp: str = "generic"):
        check_dsp(dsp)
        self._dsp = dsp
        self._limbs = _limbs(a_width, b_width)
        self.latency = wide_latency(a_width, b_width)
        super().__init__(
            {
                "a": In(signed(a_width)),
                "b": In(signed(b_width)),
                "product": Out(signed(a_width + b_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        factors = sorted((self.b, self.a), key=len, reverse=True)  # wide, narrow
        parts = [_split(value, limbs) for value, limbs in zip(factors, self._limbs, strict=True)]
        steps = sorted((i + j, i, j) for i in range(len(parts[0])) for j in range(len(parts[1])))
        waiting = parts
        total, place, done = C(0, signed(1)), 0, []
        for number, (diagonal, i, j) in enumerate(steps):
            if diagonal > place:
                done.append(total[:LIMB_BITS])
                total, place = total[LIMB_BITS:].as_signed(), diagonal
            a, b = waiting[0][i], waiting[1][j]
            single = len(steps) == 1
            unit = Multiplier(
                a_width=len(a),
                b_width=len(b),
                dsp=self._dsp,
                width=None if single else MAX_ACC_WIDTH,
            )
            m.submodules[f"step{number}"] = unit
            m.d.comb += [unit.a.eq(a), unit.b.eq(b), unit.addend.eq(total)]
            total = unit.product
            cycles = Multiplier.LATENCY
            done = [delayed(m, low, cycles, name=f"low{number}") for low in done]
            if number + 1 < len(steps):
                waiting = [
                    [delayed(m, part, cycles, name=f"{name}{n}_{number}") for n, part in limbs]
                    for name, limbs in zip(("wide", "narrow"), map(enumerate, waiting), strict=True)
                ]
        m.d.comb += self.product.eq(Cat(*done, total).as_signed())
        return m


def wide_latency(a_width: int, b_width: int) -> int:
    """``latency`` of a :class:`WideMultiplier`, in cycles."""
    wide, narrow = _limbs(a_width, b_width)
    return Multiplier.LATENCY * len(wide) * len(narrow)


def _limbs(a_width: int, b_width: int) -> tuple[list[int], list[int]]:
    """Widths of the wide and the narrow factor's limbs."""
    narrow, wide = sorted((a_width, b_width))
    # with several limbs on both sides, the sums of products must stay within a block's 48 bits
    several = narrow > dsp48.B_BITS and wide > dsp48.A_BITS
    top = dsp48.B_BITS if several else dsp48.A_BITS
    return _cut(wide, top), _cut(narrow, dsp48.B_BITS)


def _cut(width: int, top: int) -> list[int]:
    """Widths of a factor's limbs, the lowest first; the last is signed, of at most ``top`` bits."""
    limbs = []
    while width > top:
        limbs.append(LIMB_BITS)
        width -= LIMB_BITS
    return [*limbs, width]


def _split(value: Value, limbs: list[int]) -> list[Value]:
    """Signed values of the limbs."""
    parts = []
    for width in limbs[:-1]:
        parts.append(Cat(value[:width], C(0, 1)).as_signed())
        value = value[width:]
    return [*parts, value.as_signed()]
