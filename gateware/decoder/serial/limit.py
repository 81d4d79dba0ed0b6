"""Symmetric limits by a width that may change from number to number."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value, signed

from ...parts.delay import delayed
from .shifts import Shifted


class Limit:
    """Limits of signed numbers to ±(2**(bits-1) - 1), :data:`LATENCY` (2) cycles, one per cycle."""

    LATENCY = 2

    @classmethod
    def of(cls, m: Module, shifted: Shifted, widths, width, name: str) -> Signal:
        """``shifted`` limited to ``widths[width]`` bits, as ``max(widths)`` bits, signed."""
        return cls.flagged(m, shifted, widths, width, name)[0]

    @classmethod
    def flagged(
        cls, m: Module, shifted: Shifted, widths, width, name: str
    ) -> tuple[Signal, Signal]:
        """As :meth:`of`, and with it whether the limit changed the number.

        ``shifted.value`` has at least a bit more than the largest of ``widths``. No comparator: a
        number is too large if the bits from the sign upwards differ.
        """
        value, most, ordered = shifted.value, max(widths), sorted(set(widths))
        sign = Mux(shifted.beyond, shifted.negative, value[-1])
        # what lies between two of the widths, and whether that is above the chosen one
        above = [_differs(value[w - 1 : end], value[-1]) for w, end in _between(ordered, value)]
        below = [value[start:end].any() for start, end in itertools.pairwise(_edges(ordered))]
        above = delayed(m, Cat(*above), 1, name=f"{name}_above")
        below = delayed(m, Cat(*below), 1, name=f"{name}_below")
        narrow = Array(Cat(C(w <= other, 1) for other in ordered) for w in widths)[width]
        narrow = delayed(m, narrow, 1, name=f"{name}_narrow")
        beyond = delayed(m, shifted.beyond, 1, name=f"{name}_beyond")
        sign = delayed(m, sign, 1, name=f"{name}_sign")
        kept = delayed(m, value[:most], 1, name=f"{name}_kept")
        over = beyond | (above & narrow).any()
        lower = (below & Cat(C(1, 1), ~narrow[:-1])).any()
        bits = [kept[0] | over | (sign & ~lower)]
        for place in range(1, most):
            inside = [narrow[i] for i, w in enumerate(ordered) if w <= place + 1]
            outside = inside[-1] if inside else C(0, 1)
            bits.append(Mux(over, Mux(outside, sign, ~sign), kept[place]))
        result = Signal(signed(most), reset_less=True, name=name)
        limited = Signal(reset_less=True, name=f"{name}_changed")
        m.d.sync += [result.eq(Cat(*bits)), limited.eq(over | (sign & ~lower))]
        return result, limited


def _edges(ordered: list[int]) -> list[int]:
    """Where the signs of the widths are, and the lowest bit before them."""
    return [0, *(w - 1 for w in ordered)]


def _between(ordered: list[int], value: Value) -> Iterator[tuple[int, int]]:
    """Each width, and where the next one's sign is."""
    return itertools.pairwise([*ordered, len(value)])


def _differs(bits: Value, sign: Value) -> Value:
    return (bits ^ sign.replicate(len(bits))).any()
