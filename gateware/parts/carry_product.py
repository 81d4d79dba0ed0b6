"""Product of two signed factors in carry chains of Lattice's ECP5, without a multiplier block.

A chain adds two rows of a product, each a factor times a bit of the other, with no look-up table
before it (:mod:`gateware.parts.carry_chain`); synthesis takes more than twice as many.
"""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Signal, Value

from .carry_chain import carry_cells, carry_sum, gated
from .delay import delayed


def registered_carry_product(m: Module, a: Value, b: Value, name: str = "product") -> Value:
    """``a * b``, signed, with the latency of
    :func:`~gateware.parts.registered_product.registered_product`, as many bits as both have.

    Parameters
    ----------
    a, b : Value, signed
        ``b`` of an even number of bits, at least 2.
    name : str
        Of the submodules and signals.
    """
    if len(b) % 2:
        raise ValueError(f"b must have an even number of bits, not {len(b)}")
    a = delayed(m, a, 1, name=f"{name}_a")
    b = delayed(m, b, 1, name=f"{name}_b")
    product = Signal(len(a) + len(b), name=name, reset_less=True)
    # pairs of rows, then sums of pairs of those
    sums = [
        _two_rows(m, a, b[low], b[low + 1], low + 2 == len(b), f"{name}_rows{low}")
        for low in range(0, len(b), 2)
    ]
    step = 2
    while len(sums) > 1:
        sums = [
            _sum(m, *sums[i : i + 2], step, f"{name}_sum{step}_{i}")
            if i + 1 < len(sums)
            else sums[i]
            for i in range(0, len(sums), 2)
        ]
        step *= 2
    m.d.sync += product.eq(sums[0])
    return product.as_signed()


def product_cells(a_width: int, b_width: int) -> int:
    """CCU2C of :func:`registered_carry_product`."""
    widths = [a_width + 2] * (b_width // 2)
    chains, step = list(widths), 2
    while len(widths) > 1:
        chains += widths[1::2]
        sums = [step + width for width in widths[1::2]]
        widths = sums + widths[len(sums) * 2 :]
        step *= 2
    return sum(map(carry_cells, chains))


def _two_rows(m: Module, a: Value, bit: Value, next_bit: Value, negative: bool, name: str):
    """``a * bit + 2 * a * next_bit``, or minus the second, signed."""
    width = len(a) + 2
    doubled = gated(Cat(C(0, 1), a), width, next_bit)
    carry = C(negative, 1), C(negative, 1)
    return carry_sum(m, doubled, gated(a, width, bit), carry, inverted=negative, name=name)


def _sum(m: Module, low: Value, high: Value, shift: int, name: str):
    """``low + (high << shift)``, signed; the lowest ``shift`` bits are those of ``low``."""
    upper = carry_sum(m, gated(high), gated(low[shift:], len(high)), name=name)
    return Cat(low[:shift], upper)
