"""Memory for weights: they lie one behind the other, in large pages where the system has them."""

from __future__ import annotations

import contextlib
import mmap

import numpy as np

REGION_BYTES = 2**26
"""Taken from the system at once, at least."""
ALIGNMENT = 64
"""Bytes of a cache line, and of the widest vector."""


class WeightMemory:
    """Copies of arrays that live as long as this object."""

    def __init__(self):
        self._regions: list[np.ndarray] = []
        self._used = 0

    def address(self, values, dtype) -> int | None:
        """Address of a copy of ``values``, in C order, as ``dtype``; None of None."""
        if values is None:
            return None
        array = np.asarray(values)
        place = self._room(array.size * np.dtype(dtype).itemsize)
        place.view(dtype).reshape(array.shape)[...] = array
        return place.ctypes.data

    def _room(self, size: int) -> np.ndarray:
        if not self._regions or self._used + size > len(self._regions[-1]):
            region = mmap.mmap(-1, max(size, REGION_BYTES))
            if hasattr(mmap, "MADV_HUGEPAGE"):
                with contextlib.suppress(OSError):  # of a kernel without them
                    region.madvise(mmap.MADV_HUGEPAGE)
            self._regions.append(np.frombuffer(region, np.uint8))
            self._used = 0
        start = self._used
        self._used += size + -size % ALIGNMENT
        return self._regions[-1][start : start + size]
