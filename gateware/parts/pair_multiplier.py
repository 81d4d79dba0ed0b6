"""Two INT8 products that share a factor in one multiplier: fields of one accumulator.

Source: Xilinx WP486, "Deep Learning with INT8 Optimization on Xilinx Devices", for 25 bits instead
of 27: the fields lie 17 bits apart, and instead of correcting a borrow, the sum of a chain of lanes
begins with a constant that leaves none.
"""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract import arith

from . import dsp48
from .carry_chain import carry_sum, gated
from .carry_product import registered_carry_product
from .delay import delayed
from .integers import check_integer
from .multiplier import MAX_ACC_WIDTH, check_dsp
from .registered_product import registered_product

FIELD_BITS = 17
"""Bits of the low field: as many as let a high factor of at least -127 beside any low one be a
DSP48E1's 25 bits."""

BIAS = 1 << (FIELD_BITS - 1)
"""What a chain's sum begins with: then its low field is never negative, and borrows nothing."""

MAX_CHAIN = (BIAS - 1) // (arith.ACT_MAX * 128)
"""Lanes of a chain, at most: so many products of a factor of -127 to 127 fit the low field."""

FACTOR_BITS = 9
"""Of the shared factor: INT8, or 8 bits unsigned."""

SUM_BITS = 2 * FIELD_BITS
"""Bits of the two fields of a chain's sum."""


CARRY_FAMILIES = ("mult18x18d",)
"""Families whose blocks are too narrow for two products: a block makes that of the low factor, a
carry chain that of the high one."""

PAIR_FAMILIES = (*dsp48.FAMILIES, *CARRY_FAMILIES)
"""Families of which a lane takes one block, as one product does."""


class PairMultiplyAccumulate(wiring.Component):
    """A lane: accumulates ``(high * 2**17 + low) * factor``.

    With ``enable``, ``acc`` becomes that product plus ``addend`` if ``chain``, the old ``acc`` if
    ``accumulate``, 0 with neither; with ``merge``, it becomes the old ``acc`` plus ``addend``.
    Without ``enable`` it is held. The result shows in ``acc`` ``LATENCY`` (3) cycles after the
    inputs, one set of inputs per cycle, with two exceptions: ``low`` and ``high`` are sampled
    ``MEMORY_LEAD`` (1) cycle before the others (see
    :class:`gateware.parts.multiplier.MultiplyAccumulate`), and ``addend`` ``ADDEND_DELAY`` (2)
    cycles after them, so that the ``acc`` of a lane whose inputs come a cycle earlier can be it.

    ``factor`` is held from one ``factor_enable`` to the next.

    A chain of up to :data:`MAX_CHAIN` lanes, the first with the addend :data:`BIAS`, gives both
    sums of its products: see :func:`chain_sums`.

    Parameters
    ----------
    acc_width : int
        Bits of the accumulator, :data:`SUM_BITS` to 48; sums wrap around.
    dsp : str
        Multiplier family, see :class:`gateware.parts.multiplier.MultiplyAccumulate`. A DSP48E1 or
        DSP48E2 is the whole lane; of :data:`CARRY_FAMILIES` there is a block for one product.
    merges : bool
        With the port ``merge``.

    Members
    -------
    low : In(signed(8))
    high : In(signed(8)), -127 to 127
    factor : In(signed(9))
    factor_enable : In(1)
    accumulate, chain, merge, enable : In(1); at most one of the first three
    addend : In(signed(acc_width))
    acc : Out(signed(acc_width))

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.
    """

    LATENCY = 3
    MEMORY_LEAD = 1
    ADDEND_DELAY = 2

    def __init__(self, *, acc_width: int, dsp: str = "generic", merges: bool = True):
        check_integer("acc_width", acc_width, SUM_BITS, MAX_ACC_WIDTH)
        check_dsp(dsp)
        self.acc_width = acc_width
        self.dsp = dsp
        super().__init__(
            {
                "low": In(signed(8)),
                "high": In(signed(8)),
                "factor": In(signed(FACTOR_BITS)),
                "factor_enable": In(1),
                "accumulate": In(1),
                "chain": In(1),
                **({"merge": In(1)} if merges else {}),
                "enable": In(1),
                "addend": In(signed(acc_width)),
                "acc": Out(signed(acc_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if self.dsp in dsp48.FAMILIES:
            dsp48.pair_multiply_accumulate(m, self, FIELD_BITS)
            return m
        held = Signal.like(self.factor, reset_less=True)
        factor = Signal.like(self.factor, name="next_factor")
        m.d.comb += factor.eq(Mux(self.factor_enable, self.factor, held))
        m.d.sync += held.eq(factor)
        product = self._product(m, factor)
        chain, accumulate, merge, enable = (
            delayed(m, getattr(self, name, C(0)), self.ADDEND_DELAY, name=name)
            for name in ("chain", "accumulate", "merge", "enable")
        )
        acc = Signal.like(self.acc, reset_less=True)
        added = Mux(merge, self.addend, product)
        other = Mux(chain, self.addend, Mux(accumulate | merge, acc, 0))
        total = added + other
        if self.dsp in CARRY_FAMILIES:
            total = carry_sum(m, gated(added, self.acc_width), gated(other), name="total")
        with m.If(enable):
            m.d.sync += acc.eq(total)
        m.d.comb += self.acc.eq(acc)
        return m

    def _product(self, m: Module, factor: Value) -> Value:
        low, high = (
            delayed(m, value, self.MEMORY_LEAD, name=name).as_signed()
            for name, value in (("low", self.low), ("high", self.high))
        )
        if self.dsp not in CARRY_FAMILIES:
            pair = Signal(signed(dsp48.A_BITS))
            m.d.comb += pair.eq(low + (high << FIELD_BITS))
            return registered_product(m, pair, factor, self.dsp)
        low_product = registered_product(m, low, factor, self.dsp, "low_product")[:FIELD_BITS]
        high_product = registered_carry_product(m, factor, high, "high_product")
        # less what the low field borrows
        width = len(high_product) + 1
        borrowed = C(-1, width), low_product[-1]
        upper = carry_sum(m, gated(high_product, width), borrowed, name="product_upper")
        return Cat(low_product, upper).as_signed()


def chain_sums(acc: Value) -> tuple[Value, Value]:
    """The sums of low and of high products, signed(17), of the ``acc`` of a chain's last lane."""
    low = acc[:FIELD_BITS] ^ BIAS  # less the bias, as a signed number
    return low.as_signed(), acc[FIELD_BITS:SUM_BITS].as_signed()
