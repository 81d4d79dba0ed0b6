"""Symmetric limits by a width that may change from number to number."""

from __future__ import annotations

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value, signed

from ..parts.delay import delayed
from ..parts.selected import selected
from .shifts import Shifted


class Limit:
    """Limits of signed numbers to ±(2**(bits-1) - 1), :data:`LATENCY` (2) cycles, one per cycle."""

    LATENCY = 2

    @classmethod
    def of(cls, m: Module, shifted: Shifted, widths, width, name: str) -> Signal:
        """``shifted`` limited to ``widths[width]`` bits, as ``max(widths)`` bits, signed.

        ``shifted.value`` has at least a bit more than the largest of ``widths``. No comparator: a
        number is too large if the bits from the sign upwards differ.
        """
        value, most = shifted.value, max(widths)
        sign = Mux(shifted.beyond, shifted.negative, value[-1])
        over, below = (
            Cat(*bits) for bits in zip(*(_excess(value, w) for w in widths), strict=True)
        )
        over = delayed(m, over | shifted.beyond.replicate(len(over)), 1, name=f"{name}_over")
        below = delayed(m, below, 1, name=f"{name}_below")
        sign = delayed(m, sign, 1, name=f"{name}_sign")
        kept = delayed(m, value[:most], 1, name=f"{name}_kept")
        # of each width, whether results have no more bits
        narrow = Array(Cat(C(w <= other, 1) for other in widths) for w in widths)[width]
        narrow = delayed(m, narrow, 1, name=f"{name}_narrow")
        width = delayed(m, width, 1, name=f"{name}_width")
        over, below = selected(list(over), width), selected(list(below), width)
        bits = [kept[0] | over | (sign & ~below)]
        for place in range(1, most):
            inside = [i for i, w in enumerate(widths) if w <= place + 1]
            beyond = narrow[max(inside, key=lambda i: widths[i])] if inside else C(0, 1)
            bits.append(Mux(over, Mux(beyond, sign, ~sign), kept[place]))
        result = Signal(signed(most), reset_less=True, name=name)
        m.d.sync += result.eq(Cat(*bits))
        return result


def _excess(value: Value, width: int) -> tuple[Value, Value]:
    """(Whether ``value`` needs more than ``width`` bits, any bit below its sign there)."""
    above = value[width - 1 :]
    return (above ^ value[-1].replicate(len(above))).any(), value[: width - 1].any()
