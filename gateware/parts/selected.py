"""One of many values by its number, as a tree."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Value

from .delay import delayed

GROUP_BITS = 3


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


def registered_selection(m: Module, values: list, index: Value, name: str) -> Value:
    """``values[index]`` 2 cycles later; those of the cycle of ``index`` count.

    With a register between the choices within groups of eight and that of the group: synthesis
    makes more of a tree of 64 than its fewest look-up tables.
    """
    size = 2**GROUP_BITS
    groups = [
        delayed(m, selected(values[at : at + size], index[:GROUP_BITS]), 1, name=f"{name}_{at}")
        for at in range(0, len(values), size)
    ]
    group = delayed(m, index[GROUP_BITS:], 1, name=f"{name}_group")
    return delayed(m, selected(groups, group), 1, name=name)
