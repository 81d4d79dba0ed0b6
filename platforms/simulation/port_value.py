"""Values of ports as a compiled library takes and gives them: 32-bit chunks, lowest first."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

import numpy as np
from amaranth.hdl import Const

from .cxxrtl import Port


def to_chunks(port: Port, values: list[int | Mapping]) -> np.ndarray:
    """Values as 32-bit chunks, [values × chunks] flat; ValueError for one that does not fit."""
    low = -(1 << (port.width - 1)) if port.signed else 0
    octets = bytearray()
    for value in values:
        if isinstance(value, Mapping):
            value = Const.cast(port.shape.const(value)).value
        if not low <= value < 1 << (port.width - port.signed):
            raise ValueError(f"{port.name} has {port.width} bits and cannot hold {value}")
        octets += (value % (1 << port.width)).to_bytes(4 * port.chunks, "little")
    return np.frombuffer(bytes(octets), "<u4").astype(np.uint32)


def to_integer(chunks: np.ndarray) -> int:
    """The unsigned number that uint32 chunks are."""
    return int.from_bytes(chunks.astype("<u4").tobytes(), "little")


def copied(address: int | None, count: int, dtype) -> np.ndarray:
    """An array [count] of its own, of what the library has at ``address``."""
    if not count:
        return np.zeros(0, dtype)
    size = count * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype).copy()
