"""Product of two signed factors in carry chains of Lattice's ECP5, without a multiplier block.

Source: Lattice's "FPGA Libraries Reference Guide", primitive CCU2C. Each of its two bits adds a
function of A and B to one of C and D, so a chain adds two rows of a product, each a factor times a
bit of the other, with no look-up table before it; synthesis, which knows adders of two plain
numbers only, takes more than twice as many.
"""

from __future__ import annotations

from amaranth.hdl import C, Cat, Instance, Module, Signal, Value

from .carry_chain import extend
from .delay import delayed
from .integers import ceil_div


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


def carry_cells(a_width: int, b_width: int) -> int:
    """CCU2C of :func:`registered_carry_product`, with those by which constants enter the chains."""
    widths = [a_width + 2] * (b_width // 2)
    chains, step = list(widths), 2
    while len(widths) > 1:
        chains += widths[1::2]
        sums = [step + width for width in widths[1::2]]
        widths = sums + widths[len(sums) * 2 :]
        step *= 2
    return sum(1 + ceil_div(width, 2) for width in chains)


def _two_rows(m: Module, a: Value, bit: Value, next_bit: Value, negative: bool, name: str):
    """``a * bit + 2 * a * next_bit``, or minus the second, signed."""
    width = len(a) + 2
    second = Cat(C(0, 1), extend(a, width - 1))
    return _chain(m, (second, next_bit), (extend(a, width), bit), negative, name)


def _sum(m: Module, low: Value, high: Value, shift: int, name: str):
    """``low + (high << shift)``, signed; the lowest ``shift`` bits are those of ``low``."""
    upper = _chain(m, (high, C(1)), (extend(low[shift:], len(high)), C(1)), False, name)
    return Cat(low[:shift], upper)


def _chain(m: Module, x: tuple, y: tuple, negative: bool, name: str) -> Signal:
    """``x[0] * x[1] + y[0] * y[1]``, or minus the first product: numbers of equal width, and a bit
    each."""
    width = len(x[0])
    total = Signal(width + width % 2, name=name)
    # where A and B leave no carry to pass on, theirs is the carry; it must not hang on C and D
    table = sum((((i & i >> 1) ^ (i >> 2 & i >> 3)) & 1 ^ negative) << i for i in range(16))
    carry = C(negative, 1)
    for low in range(0, width, 2):
        ports = {}
        for i in range(2):
            at = min(low + i, width - 1)
            ports |= {f"i_A{i}": x[0][at], f"i_B{i}": x[1], f"i_C{i}": y[0][at], f"i_D{i}": y[1]}
            ports[f"o_S{i}"] = total[low + i]
        ports["i_CIN"] = carry
        if low + 2 < width:  # the last one is left out: place and route gives an unused one a cell
            ports["o_COUT"] = carry = Signal(name=f"{name}_carry{low}")
        m.submodules[f"{name}_{low}"] = Instance(
            "CCU2C",
            p_INIT0=C(table, 16),
            p_INIT1=C(table, 16),
            p_INJECT1_0="NO",
            p_INJECT1_1="NO",
            **ports,
        )
    return total[:width]
