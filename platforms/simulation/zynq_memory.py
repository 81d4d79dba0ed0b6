"""The memory of a simulated Zynq system, as its processor sees it and as the fabric does."""

from __future__ import annotations

import numpy as np

from gateformer.gateware.memory.bus import MemoryShape, Response
from gateformer.model.support.errors import UserError

from ..host.external_memory import ExternalMemory
from .compiled_simulation import CompiledSimulation
from .simulated_memory import MemoryTiming, SimulatedMemory

NARROW_BYTES = 4
"""Of a beat that comes through an AFI port at 32 bits."""
STALE = 0xA5
"""What the fabric reads where a cache has kept what was written."""


class ZynqMemory(ExternalMemory):
    """Memory behind the ports of a :class:`~platforms.boards.zynq_top.ZynqSystem`, which the
    processor writes and reads.

    Between it and the fabric are the AFI ports, whose width software sets: at 32 bits the upper
    half of each beat is lost. And the processor's cache may keep what was written to itself.

    Parameters
    ----------
    simulation : CompiledSimulation
    shape : MemoryShape
    address, size : int
        Where it begins, a multiple of a stripe, and its bytes.
    timing : MemoryTiming, optional

    Attributes
    ----------
    content : uint8 array [size]
        What the processor has written.
    bus : SimulatedMemory
        As the fabric sees it.
    """

    name = "the simulated memory"

    def __init__(
        self,
        simulation: CompiledSimulation,
        shape: MemoryShape,
        *,
        address: int,
        size: int,
        timing: MemoryTiming | None = None,
    ):
        self.address, self.size, self._shape = address, size, shape
        self.bus = SimulatedMemory(
            simulation, shape, size=size, base=address, reads="read", writes="write", timing=timing
        )
        self.content = np.zeros(size, np.uint8)
        self._narrow: set[int] = set()
        self._kept: slice | None = None

    @property
    def ports(self) -> int:
        """Of the design."""
        return self._shape.ports

    @property
    def narrow(self) -> frozenset[int]:
        """Ports at 32 bits, by their numbers of the design."""
        return frozenset(self._narrow)

    def set_width(self, port: int, *, narrow: bool) -> None:
        """Set a port to 32 bits, or to 64."""
        if narrow is not (port in self._narrow):
            (self._narrow.add if narrow else self._narrow.remove)(port)
            self._show(slice(0, self.size))

    def read(self, offset: int, size: int) -> bytes:
        """Bytes as a processor reads them that uses no cache."""
        found = self.content[offset : offset + size].copy()
        if self._kept is not None:
            places = np.arange(offset, offset + size)
            found[(places >= self._kept.start) & (places < self._kept.stop)] = STALE
        return found.tobytes()

    def write(self, offset: int, content: bytes) -> None:
        """Write bytes; UserError beyond the end."""
        end = offset + len(content)
        if end > self.size:
            raise UserError(f"{self.name} has {self.size:,} bytes, and byte {end:,} was written")
        self.content[offset:end] = np.frombuffer(content, np.uint8)
        self._show(slice(offset, end))

    def keep_in_cache(self, first: int, last: int) -> None:
        """The cache keeps these bytes, ``last`` excluded, until it is cleaned."""
        self._kept = slice(first, last)
        self._show(self._kept)

    def clean_cache(self) -> None:
        """What the cache has kept goes to the memory."""
        kept, self._kept = self._kept, None
        if kept is not None:
            self._show(kept)

    def refuse(self, first: int, last: int, response: Response) -> None:
        """As of SimulatedMemory, by offsets; OKAY: no longer."""
        self.bus.refuse(self.address + first, self.address + last, response)

    def _show(self, part: slice) -> None:
        """Let the fabric see what the processor has written."""
        seen = self.bus.content
        seen[part] = self.content[part]
        if self._kept is not None:
            seen[self._kept] = STALE
        if self._narrow:
            # whole lines, of which each belongs to a port
            stripe = self._shape.stripe_bytes
            first = part.start // stripe * stripe
            last = min(-(-part.stop // stripe) * stripe, self.size // stripe * stripe)
            lines = seen[first:last].reshape(
                -1, self._shape.ports, self._shape.burst_beats, self._shape.data_bytes
            )
            lines[:, sorted(self._narrow), :, NARROW_BYTES:] = 0
