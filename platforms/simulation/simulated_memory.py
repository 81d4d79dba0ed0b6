"""External memory of a compiled simulation: DRAM's latencies, refresh, bandwidth and moods."""

from __future__ import annotations

import ctypes
import dataclasses

import numpy as np

from gateformer.gateware.memory.bus import MemoryShape, Response

from .compiled_simulation import CompiledSimulation

_REQUEST = ("addr", "len", "size", "burst", "valid", "ready")
READ_PORTS = (*(f"ar{name}" for name in _REQUEST), "rdata", "rresp", "rlast", "rvalid", "rready")
WRITE_PORTS = (
    *(f"aw{name}" for name in _REQUEST),
    *("wdata", "wstrb", "wlast", "wvalid", "wready", "bresp", "bvalid", "bready"),
)
VIOLATIONS = (
    "",
    "a read address was not held until it was taken",
    "a write address was not held until it was taken",
    "write data were not held until they were taken",
    "a burst of beats of another size",
    "a burst that is not INCR",
    "an address that is no multiple of a beat",
    "a burst that crosses 4 KB",
    "a write of more than one beat",
    "a write of some bytes only",
)


class BusViolation(Exception):
    """A master broke a rule of the bus."""


@dataclasses.dataclass(frozen=True)
class MemoryTiming:
    """How a memory answers, in cycles of the design's clock.

    Parameters
    ----------
    latency : (least, most) cycles from a request to its first beat
    refresh : (interval, cycles): of every ``interval`` cycles no beat comes in the first
        ``cycles``; interval 0: never
    shared, port : bytes per cycle of all ports together, and of each; 0: no limit
    stall : probability of not being ready, or of having nothing, in a cycle, on every channel
    outstanding : bursts that a port takes
    seed : int
    """

    latency: tuple[int, int] = (1, 1)
    refresh: tuple[int, int] = (0, 0)
    shared: float = 0.0
    port: float = 0.0
    stall: float = 0.0
    outstanding: int = 8
    seed: int = 1

    def numbers(self) -> np.ndarray:
        """As ``MemoryTiming`` of the harness, uint32."""
        rates = (round(256 * rate) for rate in (self.shared, self.port, self.stall))
        return np.array(
            [*self.latency, *self.refresh, *rates, self.outstanding, self.seed], np.uint32
        )


class SimulatedMemory:
    """A memory behind ports ``BUS0__…``, ``BUS1__…`` of a simulated design.

    Parameters
    ----------
    simulation : CompiledSimulation
    shape : MemoryShape
    size : int, bytes
    base : int, its first address
    reads, writes : str or None
        What the names of ports of :func:`~gateware.memory.bus.read_signature` (of
        ``write_signature``) begin with, before their number.
    timing : MemoryTiming

    Attributes
    ----------
    content : uint8 array [size], to be read and written in place
    """

    def __init__(
        self,
        simulation: CompiledSimulation,
        shape: MemoryShape,
        *,
        size: int,
        base: int = 0,
        reads: str | None = "bus",
        writes: str | None = None,
        timing: MemoryTiming | None = None,
    ):
        timing = MemoryTiming() if timing is None else timing
        self._simulation, self._shape = simulation, shape
        numbers = timing.numbers()
        self._index = simulation.call(
            "add_memory",
            numbers.ctypes,
            ctypes.c_uint64(base),
            ctypes.c_uint64(size),
            shape.data_bytes,
        )
        for prefix, kind, names in ((reads, "read", READ_PORTS), (writes, "write", WRITE_PORTS)):
            for port in range(shape.ports if prefix is not None else 0):
                places = [simulation.port(f"{prefix}{port}__{name}").index for name in names]
                given = np.array(places, np.uint32)
                simulation.call(f"add_{kind}_port", self._index, given.ctypes)
        first = ctypes.c_void_p(simulation.call("memory_bytes", self._index))
        bytes_of = ctypes.POINTER(ctypes.c_uint8)
        self.content = np.ctypeslib.as_array(ctypes.cast(first, bytes_of), (size,))

    def refuse(self, first: int, last: int, response: Response) -> None:
        """Answer accesses to these addresses, both included, with ``response`` from now on."""
        self._simulation.call(
            "memory_fault",
            self._index,
            ctypes.c_uint64(first),
            ctypes.c_uint64(last),
            response.value,
        )

    @property
    def beats(self) -> tuple[int, int]:
        """Beats that were read and written so far, of all ports."""
        found = np.zeros(2, np.uint64)
        self._simulation.call("memory_beats", self._index, found.ctypes)
        return int(found[0]), int(found[1])

    def check(self) -> None:
        """Raise BusViolation if a master has broken a rule."""
        cycle = ctypes.c_uint64()
        kind = self._simulation.call("memory_violation", self._index, ctypes.byref(cycle))
        if kind:
            raise BusViolation(f"{VIOLATIONS[kind]}, cycle {cycle.value}")


def words_as_bytes(shape: MemoryShape, words: np.ndarray) -> np.ndarray:
    """Bytes of the memory, uint8 [stripes * stripe_bytes], of uint8 words [n, word_bytes].

    Words beyond n in the last stripe are 0.
    """
    stripes = shape.stripes(len(words))
    padded = np.zeros((stripes * shape.stripe_words, shape.word_bytes), np.uint8)
    padded[: len(words)] = words
    places = padded.reshape(stripes, shape.stripe_words, shape.ports, shape.data_bytes)
    return places.transpose(0, 2, 1, 3).reshape(-1)
