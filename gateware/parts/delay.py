"""Delay lines; without reset they become shift-register LUTs."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value


def delayed(m: Module, value, cycles: int, *, reset_less: bool = True, name: str = "delayed"):
    """``value`` as it was ``cycles`` cycles ago (0: itself).

    ``reset_less=False`` is for valid bits: nothing that was under way survives a reset.
    """
    value = Value.cast(value)
    for i in range(cycles):
        stage = Signal(value.shape(), reset_less=reset_less, name=f"{name}_{i + 1}")
        m.d.sync += stage.eq(value)
        value = stage
    return value
