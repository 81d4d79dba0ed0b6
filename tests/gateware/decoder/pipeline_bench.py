"""Inputs of a component in every cycle, and what its outputs are in every cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from amaranth.lib import data

from tests.support.component_simulation import simulate


def trace(component, inputs: Mapping[str, Sequence], *outputs: str) -> dict[str, np.ndarray]:
    """Outputs by cycle: those of a register that cycle 0 writes change in cycle 1.

    ``inputs`` has a value for every cycle: an integer, or a dict or list for a struct or array.
    An array output gives a row per cycle.
    """
    seen: dict[str, list] = {name: [] for name in outputs}
    ports = [
        (getattr(component, name), [v.item() if isinstance(v, np.generic) else v for v in values])
        for name, values in inputs.items()
    ]
    watched = [(_values(getattr(component, name)), seen[name]) for name in outputs]
    cycles = len(ports[0][1])
    assert all(len(values) == cycles for _, values in ports)

    async def bench(ctx):
        for cycle in range(cycles):
            for port, values in ports:
                value = values[cycle]
                if cycle == 0 or value != values[cycle - 1]:
                    ctx.set(port, value)
            for values, rows in watched:
                found = [ctx.get(value) for value in values]
                rows.append(found if isinstance(values, tuple) else found[0])
            await ctx.tick()

    simulate(component, bench)
    return {name: np.array(rows, dtype=np.int64) for name, rows in seen.items()}


def _values(port):
    return tuple(port) if isinstance(port, data.View) else [port]


def extremes(rng: np.random.Generator, most: int, size, share: float = 0.5) -> np.ndarray:
    """Integers in ±most, about ``share`` of them at the ends, next to them, or about 0."""
    corners = rng.choice([-most, -most + 1, -1, 0, 1, most - 1, most], size)
    values = rng.integers(-most, most + 1, size)
    return np.where(rng.random(size) < share, corners, values)
