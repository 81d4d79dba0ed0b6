"""Streams of a compiled simulation, fed and recorded at its full speed."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np

from .port_value import Port, copied, to_chunks, to_integer


class Ports(Protocol):
    """What streams need of a compiled simulation."""

    def port(self, name: str, *, is_input: bool) -> Port: ...

    def call(self, function: str, *arguments): ...


class StreamViolation(Exception):
    """A stream dropped its payload or changed it before it was taken."""


class Source:
    """Offers items on a stream, from the next cycle on, and each until it is taken.

    Before each item it pauses in each cycle with probability ``stall``.
    """

    def __init__(
        self,
        simulation: Ports,
        payload: str,
        valid: str,
        ready: str,
        stall: float,
        seed: int,
    ):
        self._simulation = simulation
        self._payload = simulation.port(payload, is_input=True)
        self._index = simulation.call(
            "add_source",
            simulation.port(valid, is_input=True).index,
            simulation.port(ready, is_input=False).index,
            self._payload.index,
            *_stalls(stall, seed),
        )

    def feed(self, items: Iterable[int | Mapping]) -> None:
        """Append items, as the simulation's ``set`` takes them."""
        chunks = to_chunks(self._payload, list(items))
        self._simulation.call("feed", self._index, chunks.ctypes, ctypes.c_uint64(chunks.size))

    def taken(self) -> np.ndarray:
        """Cycle in which each item so far was taken, uint64 [items]."""
        count = ctypes.c_uint64()
        address = self._simulation.call("taken", self._index, ctypes.byref(count))
        return copied(address, count.value, np.uint64)


class Recorder:
    """Values of ports in certain cycles; made by ``sink`` and ``probe``.

    Parameters
    ----------
    ready : str or None
        With it, this is the taker of a stream: it drives ``ready``, records transfers only, and
        raises StreamViolation after a run in which the stream broke its promise to hold a payload.
    """

    def __init__(
        self,
        simulation: Ports,
        valid: str,
        ready: str | None,
        names: list[str],
        stall: float,
        seed: int,
    ):
        self._simulation = simulation
        self._valid = valid
        self._ports = [simulation.port(name) for name in names]
        self._row_chunks = 2 + sum(port.chunks for port in self._ports)
        indices = np.array([port.index for port in self._ports], np.uint32)
        self.index = simulation.call(
            "add_recorder",
            simulation.port(valid).index,
            -1 if ready is None else simulation.port(ready, is_input=True).index,
            indices.ctypes,
            len(indices),
            *_stalls(stall, seed),
        )

    def __len__(self) -> int:
        count = ctypes.c_uint64()
        self._simulation.call("rows", self.index, ctypes.byref(count))
        return count.value

    def read(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """(cycles, values): uint64 [records], and per port uint32 [records, chunks].

        Chunks are the 32-bit digits of the port's value, lowest first.
        """
        count = ctypes.c_uint64()
        address = self._simulation.call("rows", self.index, ctypes.byref(count))
        width = self._row_chunks
        rows = copied(address, count.value * width, np.uint32).reshape(count.value, width)
        cycles = rows[:, 0].astype(np.uint64) | rows[:, 1].astype(np.uint64) << np.uint64(32)
        values, start = {}, 2
        for port in self._ports:
            values[port.name] = rows[:, start : start + port.chunks]
            start += port.chunks
        return cycles, values

    def last(self) -> tuple[int, dict[str, int]]:
        """(cycle, values as unsigned integers) of the latest record; IndexError without one."""
        count = ctypes.c_uint64()
        address = self._simulation.call("rows", self.index, ctypes.byref(count))
        if not count.value:
            raise IndexError("nothing was recorded")
        width = self._row_chunks
        row = copied(address + 4 * width * (count.value - 1), width, np.uint32)
        values, start = {}, 2
        for port in self._ports:
            values[port.name] = to_integer(row[start : start + port.chunks])
            start += port.chunks
        return to_integer(row[:2]), values

    def clear(self) -> None:
        """Forget the records."""
        self._simulation.call("clear", self.index)

    def check(self) -> None:
        cycle = self._simulation.call("violation", self.index)
        if cycle >= 0:
            raise StreamViolation(
                f"{self._valid}: payload not held until it was taken, cycle {cycle}"
            )


def _stalls(stall: float, seed: int) -> tuple[int, int]:
    """Stall rate in 1/256 and a state that is not 0."""
    if not 0 <= stall < 1:
        raise ValueError(f"stall must be at least 0 and below 1, not {stall!r}")
    return round(stall * 256), (seed * 2654435761 + 1) % 2**32 or 1
