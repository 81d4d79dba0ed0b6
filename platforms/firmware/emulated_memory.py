"""What an emulated Zynq-7000's processor has for an accelerator that reads the memory: the memory,
the ports between it and the fabric, and the cache of level 2.

Sources: UG585, "Zynq-7000 TRM", appendix B (axi_hp); ARM DDI 0246, "L2C-310 TRM", chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..families.zynq_address import (
    AFI_ADDRESS,
    AFI_NARROW,
    AFI_READ_CONTROL,
    AFI_STEP,
    AFI_WRITE_CONTROL,
    HP_PORTS,
)
from ..simulation.zynq_memory import ZynqMemory
from .zynq_peripherals import StuckBus

PAGE = 0x1000
OUTER_CACHE = 0xF8F0_2000
"""Base address."""
OUTER_CONTROL, OUTER_SYNC, OUTER_CLEAN_WAYS = 0x100, 0x730, 0x7FC


class MemoryPorts:
    """AFI registers of a system's ports to its memory; the others have no clock.

    Parameters
    ----------
    memory : ZynqMemory

    Attributes
    ----------
    stuck : set of int
        Ports, by their numbers of the design, that stay at 32 bits.
    """

    def __init__(self, memory: ZynqMemory):
        self._memory = memory
        self._ports = HP_PORTS[memory.ports]
        self.stuck: set[int] = set()
        self._narrow = {
            (port, control): port in memory.narrow
            for port in range(memory.ports)
            for control in (AFI_READ_CONTROL, AFI_WRITE_CONTROL)
        }

    def read(self, offset: int) -> int:
        return AFI_NARROW if self._narrow.get(self._place(offset)) else 0

    def write(self, offset: int, value: int) -> None:
        place = port, control = self._place(offset)
        if place in self._narrow and port not in self.stuck:
            self._narrow[place] = bool(value & AFI_NARROW)
            if control == AFI_READ_CONTROL:
                self._memory.set_width(port, narrow=self._narrow[place])

    def _place(self, offset: int) -> tuple[int, int]:
        number, register = divmod(offset, AFI_STEP)
        if number not in self._ports:
            raise StuckBus(f"the AFI of S_AXI_HP{number}, which has no clock, was accessed")
        return self._ports.index(number), register


class OuterCache:
    """The cache of level 2, an L2C-310 that is on, and may keep what the memory has not.

    Parameters
    ----------
    memory : ZynqMemory
    """

    def __init__(self, memory: ZynqMemory):
        self._memory = memory
        self._cleaning = 0

    def read(self, offset: int) -> int:
        if offset == OUTER_CONTROL:
            return 1
        if offset == OUTER_CLEAN_WAYS:
            # it takes its time
            self._cleaning >>= 1
            return self._cleaning
        return 0

    def write(self, offset: int, value: int) -> None:
        if offset == OUTER_CLEAN_WAYS:
            self._cleaning = value
        elif offset == OUTER_SYNC and not self._cleaning:
            self._memory.clean_cache()


def memory_devices(
    memory: ZynqMemory, ports: MemoryPorts, of_fabric: Callable
) -> Iterator[tuple[int, int, Callable, Callable | None]]:
    """Address, bytes, and functions that read and write a word, of each.

    ``of_fabric(function, otherwise)`` makes an access that ends only while the fabric has a clock.
    """

    def read(offset: int) -> int:
        return int.from_bytes(memory.read(offset, 4), "little")

    def read_port(offset: int) -> int:
        return of_fabric(lambda: ports.read(offset), 0)

    def write_port(offset: int, value: int) -> None:
        of_fabric(lambda: ports.write(offset, value), None)

    cache = OuterCache(memory)
    yield memory.address, -(-memory.size // PAGE) * PAGE, read, None
    yield AFI_ADDRESS, len(HP_PORTS[max(HP_PORTS)]) * AFI_STEP, read_port, write_port
    yield OUTER_CACHE, PAGE, cache.read, cache.write
