"""Registers for more users than a single one has."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value


def duplicated(m: Module, value, name: str) -> tuple[Signal, Signal]:
    """``value`` a cycle ago, in two registers without reset that synthesis does not merge: they
    begin with different values, and mean nothing before the first cycle."""
    value = Value.cast(value)
    pair = tuple(
        Signal(value.shape(), init=init, reset_less=True, name=f"{name}_{init}") for init in (0, 1)
    )
    m.d.sync += [copy.eq(value) for copy in pair]
    return pair
