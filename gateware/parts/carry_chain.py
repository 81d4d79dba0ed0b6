"""Sums whose selection happens in the look-up tables of their carry chain, or in its cells.

Source of :func:`carry_sum`: Lattice's "FPGA Libraries Reference Guide", primitive CCU2C of the
ECP5. Each of its two bits adds a function of A and B to one of C and D, so a chain also gates both
numbers, or inverts one, with no look-up table before it. Synthesis, which knows adders of two plain
numbers only, takes one per bit for that. The carry enters at a bit of its own below the lowest,
gated like them, and nothing hangs on the first cell's carry input, which is left open.
"""

from __future__ import annotations

from amaranth.hdl import C, Cat, Instance, Module, Signal, Value

from .integers import ceil_div

Gated = tuple[Value, Value]
"""A number, and a bit for all of it."""

ALWAYS = C(1, 1)
NO_CARRY = C(0, 1), C(0, 1)
CARRY_OF_A_AND_B = 0b1000
"""INIT of a bit that passes nothing on, but A & B: C and D are 1 there."""


def add_with_carry(u: Value, v: Value, carry: Value) -> Value:
    """``u + v + carry`` for signed u and v, modulo ``2**len(v)``, as one carry chain.

    The signals of u are the data input of the chain. Yosys gives it the narrower operand, so the
    top bit of u is moved into that of v (there is no carry out of it). Operands as wide as each
    other would be ordered by when their names were first seen, which depends on the depth of the
    hierarchy, and v in that place costs one more look-up table per bit.
    """
    u = extend(u, len(v))
    return (u[:-1] + Cat(v[:-1], v[-1] ^ u[-1]) + carry)[: len(v)]


def extend(value: Value, width: int) -> Value:
    """The lowest ``width`` bits of a signed value, whatever its own width."""
    bits = Cat(value, value[-1].replicate(max(width - len(value), 0)))
    return bits[:width]


def gated(value: Value, width: int | None = None, bit: Value = ALWAYS) -> Gated:
    """A signed value of so many bits, of its own if None, and a bit for :func:`carry_sum`."""
    return extend(value, len(value) if width is None else width), bit


def carry_sum(
    m: Module,
    x: Gated,
    y: Gated,
    carry: Gated = NO_CARRY,
    *,
    inverted: bool = False,
    flips: bool = False,
    name: str,
) -> Signal:
    """``(x[0] & x[1]) + (y[0] & y[1]) + (carry[0] & carry[1])``, modulo ``2**len(x[0])``.

    Parameters
    ----------
    x, y : two of (Value, Value of 1 bit), the numbers of equal width
    carry : two bits
    inverted : bool
        ``~(x[0] & x[1])`` instead.
    flips : bool
        ``y[0] ^ y[1]`` instead: that of ``y[0]`` in complement where ``y[1]`` is 1.
    name : str
        Of the sum; the cells' names begin with it.
    """
    width = len(x[0])
    total = Signal(width, name=name)
    # where A and B leave no carry to pass on, theirs is the carry; it must not hang on C and D
    table = 0
    for i in range(16):
        a, b, c, d = (i >> bit & 1 for bit in range(4))
        table |= ((a & b ^ inverted) ^ (c ^ d if flips else c & d)) << i
    below = (CARRY_OF_A_AND_B, *carry, ALWAYS, ALWAYS, None)
    bits = [below] + [(table, x[0][i], x[1], y[0][i], y[1], total[i]) for i in range(width)]
    link = None
    for low in range(0, len(bits), 2):
        pair = bits[low : low + 2]
        ports = {} if link is None else {"i_CIN": link}
        for i, (init, a, b, c, d, s) in enumerate(pair):
            ports |= {f"p_INIT{i}": C(init, 16), f"p_INJECT1_{i}": "NO"}
            ports |= {f"i_A{i}": a, f"i_B{i}": b, f"i_C{i}": c, f"i_D{i}": d}
            if s is not None:
                ports[f"o_S{i}"] = s
        if len(pair) == 1:
            ports |= {"p_INIT1": C(0, 16), "p_INJECT1_1": "NO"}
            ports |= {f"i_{port}1": C(0, 1) for port in "ABCD"}
        if low + 2 < len(bits):
            ports["o_COUT"] = link = Signal(name=f"{name}_carry{low}")
        m.submodules[f"{name}_{low}"] = Instance("CCU2C", **ports)
    return total


def carry_cells(width: int) -> int:
    """CCU2C of a :func:`carry_sum` of so many bits; nextpnr adds one at each end."""
    return ceil_div(width + 1, 2)
