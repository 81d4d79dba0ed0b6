"""Width of the ports through which a Zynq-7000's fabric reads the memory, on Linux.

Source: UG585, "Zynq-7000 TRM", appendix B (axi_hp). An access to these registers ends only while
the port has a clock; that of an accelerator that answers is its registers' own.
"""

from __future__ import annotations

import abc
import mmap
import os

import numpy as np

from ..families.zynq_address import (
    AFI_ADDRESS,
    AFI_NARROW,
    AFI_READ_CONTROL,
    AFI_STEP,
    AFI_WRITE_CONTROL,
    HP_PORTS,
)
from .machine import ZYNQ_7000, is_machine
from .mapped_registers import MEMORY


class MemoryPorts(abc.ABC):
    """The AFI registers of all ports."""

    @abc.abstractmethod
    def read(self, address: int) -> int:
        """The word at a physical address of them."""

    @abc.abstractmethod
    def write(self, address: int, value: int) -> None:
        """Write it."""

    def close(self) -> None:  # noqa: B027 - not every access has a device behind it
        """Give the device back."""

    def widen(self, count: int) -> list[str]:
        """Set the ports of a design with ``count`` of them to 64 bits; a complaint for each that
        stays at 32."""
        complaints = []
        for port in HP_PORTS.get(count, ()):
            for name, offset in (("RD", AFI_READ_CONTROL), ("WR", AFI_WRITE_CONTROL)):
                address = AFI_ADDRESS + port * AFI_STEP + offset
                word = self.read(address)
                if word & AFI_NARROW:
                    self.write(address, word & ~AFI_NARROW)
                    word = self.read(address)
                if word & AFI_NARROW:
                    complaints.append(
                        f"S_AXI_HP{port} is at 32 bits (AFI_{name}CHAN_CTRL at 0x{address:08X} "
                        f"reads 0x{word:X}, expected bit 0 to be 0)"
                    )
        return complaints


class MappedPorts(MemoryPorts):
    """Those of this machine, by ``/dev/mem``; OSError if it may not be opened."""

    def __init__(self):
        file = os.open(MEMORY, os.O_RDWR | getattr(os, "O_SYNC", 0))
        try:
            size = len(HP_PORTS[max(HP_PORTS)]) * AFI_STEP
            self._map = mmap.mmap(file, size, offset=AFI_ADDRESS)
        finally:
            os.close(file)
        # one load or store of 32 bits per access, which slices of an mmap do not promise
        self._words = np.frombuffer(self._map, np.uint32)

    def read(self, address: int) -> int:
        return int(self._words[(address - AFI_ADDRESS) // 4])

    def write(self, address: int, value: int) -> None:
        self._words[(address - AFI_ADDRESS) // 4] = value

    def close(self) -> None:
        self._words = None
        self._map.close()


class NoPorts(MemoryPorts):
    """Of a machine that has no such registers, as a Zynq UltraScale+: no port is at 32 bits."""

    def read(self, address: int) -> int:
        raise ValueError(f"no register at 0x{address:X}")

    def write(self, address: int, value: int) -> None:
        raise ValueError(f"no register at 0x{address:X}")

    def widen(self, count: int) -> list[str]:
        return []


def find_ports() -> MemoryPorts | None:
    """Those of this machine, :class:`NoPorts` if it is no Zynq-7000; None if they may not be
    accessed."""
    if not is_machine(ZYNQ_7000):
        return NoPorts()
    try:
        return MappedPorts()
    except (OSError, ValueError):
        return None
