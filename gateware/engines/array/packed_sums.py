"""Sums of a pair array that outgrow the field of a multiplier's accumulator.

Two lanes accumulate ``high * 2**17 + low`` each, over any number of beats, and then add their
accumulators up. The low sums wrap around in 17 bits; what they carried into the high ones is
counted beside the multipliers, and is all that is missing.
"""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value

from ...parts.carry_chain import add_with_carry, extend
from ...parts.delay import delayed
from ...parts.pair_multiplier import FIELD_BITS


def count_width(acc_width: int) -> int:
    """Bits of a count of wraps, for sums of ``acc_width`` bits."""
    return max(acc_width - FIELD_BITS, 1)


def counted_wraps(
    m: Module, first: Value, second: Value, *, clear: Value, merged: Value, width: int, name: str
) -> Signal:
    """``(low sum of both) >> 17``, ``width`` bits, a cycle after the accumulators have the sums.

    Parameters
    ----------
    first, second : Value
        Accumulators of the two lanes. No product of a low number is 2**15 or more, a quarter of
        the field's range: so a low sum that was in the upper half and is in the lowest quarter has
        wrapped, and one that was in the lower half and is in the highest quarter.
    clear : Value
        In the cycle before the accumulators have the first products.
    merged : Value
        In the cycle in which ``second`` has become the sum of both.
    """
    lows = [acc[FIELD_BITS - 2 : FIELD_BITS] for acc in (first, second)]
    before = [Signal(name=f"{name}_before{i}", reset_less=True) for i in range(2)]
    m.d.sync += [upper.eq(Mux(clear, 0, low[1])) for upper, low in zip(before, lows, strict=True)]
    ups = [upper & (low == 0) for upper, low in zip(before, lows, strict=True)]
    downs = [~upper & (low == 3) for upper, low in zip(before, lows, strict=True)]
    # what adding both low fields carries, of the highest bits of the summands and the sum
    a, b, total = lows[0][1], before[1], lows[1][1]
    up = Mux(merged, (a & b) | ((a | b) & ~total), ups[1])
    down = downs[1] & ~merged
    # one wrap more or less is the carry into the adder; what else changes is -2 to 1
    negative = downs[0] | (down & ~ups[0])
    others = Cat((ups[0] | downs[0]) ^ down, negative.replicate(width - 1))
    count = Signal(width, name=f"{name}_wraps", reset_less=True)
    m.d.sync += count.eq(Mux(clear, 0, add_with_carry(count, others, up)))
    return count


def read_sums(m: Module, group: Value, accumulators: list, counts: list, width: int) -> list:
    """A group's sums, ``width`` bits each, 2 cycles after ``group``; its counts a cycle later.

    ``accumulators`` and ``counts`` of each pair of groups, a list of rows: the low fields are the
    sums of the even group, the high ones those of the odd.
    """
    chosen = delayed(m, group, 1, name="read_group")
    late = delayed(m, chosen, 1, name="late_group")
    fields = [(0, min(FIELD_BITS, width)), (FIELD_BITS, width)]
    low, high = (
        [Cat(acc[first : first + bits] for acc in rows) for rows in accumulators]
        for first, bits in fields
    )
    low, high = (
        delayed(m, Array(found)[chosen[1:]], 1, name=f"packed_{name}")
        for name, found in (("low", low), ("high", high))
    )
    wraps = Array(Cat(rows) for rows in counts)[late[1:]]
    odd, found = late[0], []
    for row in range(len(counts[0])):
        count = wraps.word_select(row, count_width(width))
        even = Cat(low.word_select(row, fields[0][1]), count)[:width]
        # less the count if odd: then what is selected is in the look-up tables of the chain
        less = extend(~count, width) & odd.replicate(width)
        selected = Mux(odd, high.word_select(row, width), even)
        found.append(add_with_carry(less, selected, odd).as_signed())
    return found
