"""Multipliers with a generic and vendors' versions behind one class.

The generic versions are plain arithmetic, for simulation and for devices without a version of
their own. Blocks that are a multiplier with registers take the product (see
:mod:`gateware.parts.registered_product`), DSP48E1 and DSP48E2 blocks everything (see
:mod:`gateware.parts.dsp48`).
``tests/gateware/parts/test_multiplier.py`` proves the versions equal.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from . import dsp48
from .delay import delayed
from .integers import check_least
from .registered_product import PRODUCT_FAMILIES, product_blocks, registered_product

DSP_FAMILIES = ("generic", *dsp48.FAMILIES, *PRODUCT_FAMILIES)
"""Values of the ``dsp`` argument: no vendor block, or one family of DSP blocks."""

MAX_ACC_WIDTH = dsp48.P_BITS


def check_dsp(dsp):
    if not isinstance(dsp, str):
        raise TypeError(f"dsp must be a string, not {dsp!r}")
    if dsp not in DSP_FAMILIES:
        raise ValueError(f"dsp must be one of {', '.join(DSP_FAMILIES)}, not {dsp!r}")


def _check_width(name: str, width, most: int | None = None):
    check_least(name, width, 1)
    if most is not None and width > most:
        raise ValueError(f"{name} must be at most {most}, not {width!r}")


class MultiplyAccumulate(wiring.Component):
    """A lane: accumulates the products of one number of a memory word per cycle.

    With ``enable``, ``acc`` becomes ``operand * memory``, plus the old ``acc`` if ``accumulate``;
    ``operand`` is ``coefficient`` if ``use_coefficient``, else ``query``. Without ``enable`` it is
    held. The result shows in ``acc`` ``LATENCY`` (3) cycles after the inputs, one set of inputs
    per cycle; only ``memory`` is sampled ``MEMORY_LEAD`` (1) cycle before the others: a block
    memory delivers it that much earlier than a softmax can deliver the coefficient, and the
    waiting register is free inside a DSP block.

    Parameters
    ----------
    acc_width : int
        Bits of the accumulator, 1 to 48; sums wrap around.
    dsp : str
        One of :data:`DSP_FAMILIES`. ``"dsp48e1"`` and ``"dsp48e2"`` are one block and no logic but
        the control registers, which lanes with the same controls share; others accumulate in LUTs.
    memory_bits, query_bits, coefficient_bits : int
        Of the factors: at most 18, 25 and 24; default: 8, as the INT8 array has them.

    Members
    -------
    memory : In(signed(memory_bits))
        Sampled one cycle before the other inputs.
    query : In(signed(query_bits))
    coefficient : In(unsigned(coefficient_bits))
    use_coefficient, accumulate, enable : In(1)
    acc : Out(signed(acc_width))

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.
    """

    LATENCY = 3
    MEMORY_LEAD = 1

    def __init__(
        self,
        *,
        acc_width: int,
        dsp: str = "generic",
        memory_bits: int = 8,
        query_bits: int = 8,
        coefficient_bits: int = 8,
    ):
        _check_width("acc_width", acc_width, MAX_ACC_WIDTH)
        _check_width("memory_bits", memory_bits, dsp48.B_BITS)
        _check_width("query_bits", query_bits, dsp48.A_BITS)
        _check_width("coefficient_bits", coefficient_bits, dsp48.A_BITS - 1)
        check_dsp(dsp)
        self.acc_width = acc_width
        self.dsp = dsp
        super().__init__(
            {
                "memory": In(signed(memory_bits)),
                "query": In(signed(query_bits)),
                "coefficient": In(unsigned(coefficient_bits)),
                "use_coefficient": In(1),
                "accumulate": In(1),
                "enable": In(1),
                "acc": Out(signed(acc_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if self.dsp in dsp48.FAMILIES:
            dsp48.multiply_accumulate(m, self)
        else:
            self._accumulate_products(m)
        return m

    def _accumulate_products(self, m: Module):
        accumulate = delayed(m, self.accumulate, 2, name="accumulate")
        enable = delayed(m, self.enable, 2, name="enable")
        operand = Mux(self.use_coefficient, self.coefficient, self.query)
        memory = delayed(m, self.memory, self.MEMORY_LEAD, name="memory").as_signed()
        product = registered_product(m, operand, memory, self.dsp)
        acc = Signal(signed(self.acc_width), reset_less=True)
        with m.If(enable):
            m.d.sync += acc.eq(Mux(accumulate, acc, 0) + product)
        m.d.comb += self.acc.eq(acc)


class Multiplier(wiring.Component):
    """``product = a * b + addend``, ``LATENCY`` (3) cycles later, one operation per cycle.

    Registers: inputs, product, sum. The sum wraps around at ``a_width + b_width`` bits, which no
    ``addend`` of -2**(a_width+b_width-2) to 2**(a_width+b_width-2) - 1 can reach, or at ``width``.

    Parameters
    ----------
    a_width, b_width : int
        Bits of the signed factors.
    dsp : str
        One of :data:`DSP_FAMILIES`. ``"dsp48e1"`` is one block if the factors fit 25 x 18 bits
        (in either order), ``"dsp48e2"`` one if they fit 27 x 18, ``"mult18x18d"`` and ``"gowin"``
        one or two if they fit 35 x 18; wider ones are left to synthesis.
    width : int, optional
        Bits of the addend and the sum, at least ``a_width + b_width`` (the default) and at most 48
        if that is more.

    Members
    -------
    a : In(signed(a_width))
    b : In(signed(b_width))
    addend : In(signed(width))
        Sampled with ``a`` and ``b``; half a unit of the later shift rounds half up.
    product : Out(signed(width))

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.
    """

    LATENCY = 3

    def __init__(
        self, *, a_width: int, b_width: int, dsp: str = "generic", width: int | None = None
    ):
        _check_width("a_width", a_width)
        _check_width("b_width", b_width)
        check_dsp(dsp)
        least = a_width + b_width
        width = least if width is None else width
        if width < least or width > max(least, MAX_ACC_WIDTH):
            raise ValueError(f"width must be {least} to {MAX_ACC_WIDTH}, not {width!r}")
        self.a_width = a_width
        self.b_width = b_width
        self.dsp = dsp
        super().__init__(
            {
                "a": In(signed(a_width)),
                "b": In(signed(b_width)),
                "addend": In(signed(width)),
                "product": Out(signed(width)),
            }
        )

    @property
    def blocks(self) -> float:
        """Vendor's blocks that are instantiated; 0: the multiplier is left to synthesis."""
        if self.dsp in dsp48.FAMILIES:
            return int(dsp48.fits(self.dsp, self.a_width, self.b_width))
        return product_blocks(self.dsp, self.a_width, self.b_width)

    def elaborate(self, platform):
        m = Module()
        if self.dsp in dsp48.FAMILIES and self.blocks:
            dsp48.multiply(m, self)
            return m
        addend = delayed(m, self.addend, 2, name="addend")
        total = Signal.like(self.product, reset_less=True)
        m.d.sync += total.eq(registered_product(m, self.a, self.b, self.dsp) + addend)
        m.d.comb += self.product.eq(total)
        return m
