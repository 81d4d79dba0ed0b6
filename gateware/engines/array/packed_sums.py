"""Sums of a pair array that outgrow the field of a multiplier's accumulator.

Two lanes accumulate ``high * 2**17 + low`` each, over any number of beats, and then add their
accumulators up. The low sums wrap around in 17 bits; what they carried into the high ones is
counted beside the multipliers, and is all that is missing.
"""

from __future__ import annotations

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value

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
        Accumulators of the two lanes. No product of a low number is 2**15 or more: so a low sum
        that wraps goes from the last quarter of its range to the first, or back.
    clear : Value
        In the cycle before the accumulators have the first products.
    merged : Value
        In the cycle in which ``second`` has become the sum of both.
    """
    tops = [acc[FIELD_BITS - 2 : FIELD_BITS] for acc in (first, second)]
    before = [Signal(2, name=f"{name}_before{i}", reset_less=True) for i in range(2)]
    m.d.sync += [last.eq(Mux(clear, 0, top)) for last, top in zip(before, tops, strict=True)]
    ups = [(last == 3) & (top == 0) for last, top in zip(before, tops, strict=True)]
    downs = [(last == 0) & (top == 3) for last, top in zip(before, tops, strict=True)]
    # what adding both low fields carries, of the highest bits of the summands and the sum
    a, b, total = tops[0][1], before[1][1], tops[1][1]
    carry = (a & b) | ((a | b) & ~total)
    ups[1] = Mux(merged, carry, ups[1])
    downs[1] = downs[1] & ~merged
    count = Signal(width, name=f"{name}_wraps", reset_less=True)
    change = (ups[0] + ups[1]) - (downs[0] + downs[1])
    m.d.sync += count.eq(Mux(clear, 0, count + change))
    return count


def read_sums(m: Module, group: Value, accumulators: list, counts: list, width: int) -> list:
    """A group's sums, ``width`` bits each, 2 cycles after ``group``; its counts a cycle later.

    ``accumulators`` and ``counts`` of each pair of groups, a list of rows: the low fields are the
    sums of the even group, the high ones those of the odd.
    """
    chosen = delayed(m, group, 1, name="read_group")
    late = delayed(m, chosen, 1, name="late_group")
    packed = Array(
        Cat(
            acc[FIELD_BITS : FIELD_BITS + width] if odd else _zero_extended(acc[:FIELD_BITS], width)
            for acc in rows
        )
        for rows in accumulators
        for odd in range(2)
    )[chosen]
    packed = delayed(m, packed, 1, name="packed")
    wraps = Array(Cat(rows) for rows in counts)[late[1:]]
    wraps_width = count_width(width)
    odd, found = late[0], []
    for row in range(len(counts[0])):
        field = packed.word_select(row, width)
        count = wraps.word_select(row, wraps_width)
        extended = Cat(count, count[-1].replicate(width))[:width]
        # one adder: less the count, or with the count above the field; the lowest bit carries
        other = Mux(odd, ~extended, Cat(C(0, FIELD_BITS), count)[:width])
        total = Cat(odd, field) + Cat(odd, other)
        found.append(total[1 : width + 1].as_signed())
    return found


def _zero_extended(value: Value, width: int) -> Value:
    return Cat(value, C(0, max(width - len(value), 0)))[:width]
