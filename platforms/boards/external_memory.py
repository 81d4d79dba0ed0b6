"""The memory beside a board's device, as its fabric reaches it."""

from __future__ import annotations

import dataclasses

from gateformer.gateware.memory.bus import MemoryShape

from ..families.zynq_address import BOOT_BYTES, IMAGE_FILE_ADDRESS
from ..host.image_file import HEADER_BYTES

USABLE = 0.75
"""Share of a DRAM's bandwidth that is counted on: refresh, turnarounds and other masters take
theirs. UG585 states 97 % for sequential reads on four ports of a Zynq-7000."""

REFRESH_US = (7.8, 0.26)
"""How often a DRAM refreshes, and for how long."""


@dataclasses.dataclass(frozen=True)
class ExternalMemory:
    """Memory that a core can read its model from.

    Attributes
    ----------
    shape : MemoryShape, ports of the fabric to it
    title : str, for people
    bytes_per_s : float, peak of the DRAM
    size : int or None, bytes that the ports reach; None: not known
    """

    shape: MemoryShape
    title: str
    bytes_per_s: float
    size: int | None = None

    @property
    def usable(self) -> float:
        """Bytes per second that are counted on."""
        return USABLE * self.bytes_per_s

    @property
    def room(self) -> int | None:
        """Bytes for an image with keys and values: what the processor's programs, which end where
        the image's file begins, and the header of that leave."""
        return None if self.size is None else self.size - IMAGE_FILE_ADDRESS - HEADER_BYTES

    @property
    def loadable(self) -> int | None:
        """Bytes of an image that the boot code can load, which lies at the end of the memory until
        the firmware begins; keys and values may lie there."""
        return None if self.room is None else self.room - BOOT_BYTES

    def holds(self, image_bytes: int, memory_bytes: int) -> bool:
        """Whether there is room for an image of so many bytes, with keys and values so many."""
        if self.room is None:
            return True
        return memory_bytes <= self.room and image_bytes <= self.loadable

    @classmethod
    def of(
        cls, shape: MemoryShape, kind: str, bits: int, transfers: int, size: int | None = None
    ) -> ExternalMemory:
        """Of ``bits`` data lines and so many millions of transfers per second."""
        title = f"{kind}, {bits} bits at {transfers:,} MT/s"
        return cls(shape, title, bits // 8 * transfers * 1e6, size)

    def bytes_per_cycle(self, clock_mhz: float) -> float:
        """Of all ports together at a clock of the fabric: the ports' or the DRAM's, the less."""
        return min(self.shape.word_bytes, self.usable / (clock_mhz * 1e6))
