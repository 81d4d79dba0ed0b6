"""One of many values by its number, as a tree."""

from __future__ import annotations

from amaranth.hdl import Mux, Value


def selected(values: list, index: Value) -> Value:
    """``values[index]`` as a tree of two-to-one choices, the lowest bit of ``index`` first.

    Of as many look-up tables as a tree needs, where a comparison per value would need more.
    """
    for bit in index:
        if len(values) == 1:
            break
        pairs = zip(values[::2], [*values[1::2], values[-1]], strict=False)
        values = [a if a is b else Mux(bit, b, a) for a, b in pairs]
    return values[0]
