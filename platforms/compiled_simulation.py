"""Driving a compiled simulation: ports, streams fed and recorded at full speed, probes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Mapping

import numpy as np
from amaranth.hdl import Const
from amaranth.lib import wiring

from model.errors import UserError

from .cxxrtl import CompiledDesign, Port, compile_component

_STREAM = ("payload", "valid", "ready")

SLICE = 10_000
"""Cycles per call of the library, so that Ctrl-C is noticed soon."""


class StreamViolation(Exception):
    """A stream dropped its payload or changed it before it was taken."""


class CompiledSimulation:
    """A component running as compiled code, from its reset state, all inputs 0.

    Ports are named by their path in the signature with ``__`` between (``prompt__payload``).

    Parameters
    ----------
    component : wiring.Component
        At most one clock domain, ``sync``.
    key : str, optional
        Digest of everything that the component depends on; saves elaborating it again.
    design : CompiledDesign, optional
        What runs instead of ``component``: a library with the component's ports.
    waveform : (path, first_cycle, last_cycle), optional
        Writes these cycles, both included, as a VCD file with two time steps per cycle.

    Raises
    ------
    UserError
        If there is no C++ compiler, or the waveform cannot be written.
    """

    def __init__(
        self,
        component: wiring.Component,
        *,
        key: str | None = None,
        design: CompiledDesign | None = None,
        waveform: tuple[str | os.PathLike, int, int] | None = None,
    ):
        if design is None:
            design = compile_component(component, key=key, waveform=waveform is not None)
        self.ports = design.ports
        self._library = library = design.load()
        for name in ("create", "taken", "rows"):
            getattr(library, f"simulation_{name}").restype = ctypes.c_void_p
        library.simulation_cycles.restype = ctypes.c_uint64
        library.simulation_violation.restype = ctypes.c_int64
        library.simulation_waveform.restype = ctypes.c_bool
        self.handle = ctypes.c_void_p(library.simulation_create())
        self._recorders: list[Recorder] = []
        if waveform is not None:
            path, first, last = waveform
            arguments = (os.fsencode(path), ctypes.c_uint64(first), ctypes.c_uint64(last))
            if not self.call("waveform", *arguments):
                raise UserError(f"cannot write the waveform {os.fspath(path)}")

    def __del__(self):
        if hasattr(self, "handle"):
            self.call("destroy")

    def call(self, function: str, *arguments):
        """Call a function of the harness on this simulation."""
        return getattr(self._library, f"simulation_{function}")(self.handle, *arguments)

    def port(self, name: str, *, is_input: bool | None = None) -> Port:
        """The port called ``name``; KeyError lists the ports there are."""
        port = self.ports.get(name)
        if port is None or is_input not in (None, port.is_input):
            known = [p.name for p in self.ports.values() if is_input in (None, p.is_input)]
            kind = {True: "input", False: "output", None: "port"}[is_input]
            raise KeyError(f"no {kind} {name!r}; there are {', '.join(known)}")
        return port

    @property
    def cycles(self) -> int:
        """Clock cycles since the start."""
        return self.call("cycles")

    def set(self, name: str, value: int | Mapping) -> None:
        """Drive an input with an integer, or with fields if its shape is a layout."""
        port = self.port(name, is_input=True)
        self.call("set", port.index, _to_chunks(port, [value]).ctypes)

    def get(self, name: str) -> int:
        """Value of a port now, after all inputs that were set have taken effect."""
        port = self.port(name)
        chunks = np.zeros(port.chunks, np.uint32)
        self.call("get", port.index, chunks.ctypes)
        value = _to_integer(chunks)
        return value - (port.signed and value >> (port.width - 1) << port.width)

    def step(self, cycles: int = 1) -> None:
        """Run that many clock cycles."""
        self._run(cycles, -1, 0)

    def run_until(self, recorder: Recorder, count: int, max_cycles: int) -> bool:
        """Run until ``recorder`` has ``count`` records, at most ``max_cycles``; whether it has."""
        self._run(max_cycles, recorder.index, count)
        return len(recorder) >= count

    def _run(self, cycles: int, until: int, count: int) -> None:
        end = self.cycles + cycles
        while (now := self.cycles) < end:
            limit = min(end - now, SLICE)
            self.call("run", ctypes.c_uint64(limit), until, ctypes.c_uint64(count))
            if self.cycles < now + limit:
                break
        for recorder in self._recorders:
            recorder.check()

    def source(self, stream: str, *, stall: float = 0.0, seed: int = 1) -> Source:
        """A driver of the stream input called ``stream``; see :class:`Source`."""
        return self.driver(*(f"{stream}__{name}" for name in _STREAM), stall=stall, seed=seed)

    def driver(
        self, payload: str, valid: str, ready: str, *, stall: float = 0.0, seed: int = 1
    ) -> Source:
        """A driver of ports that keep a stream's rules under other names, as a channel of AXI."""
        return Source(self, payload, valid, ready, stall, seed)

    def sink(self, stream: str, *, stall: float = 0.0, seed: int = 1) -> Recorder:
        """A taker of the stream output called ``stream``; records ``STREAM__payload``.

        In each cycle it is not ready with probability ``stall``, pseudo-random from ``seed``.
        """
        payload, valid, ready = (f"{stream}__{name}" for name in _STREAM)
        return self.taker([payload], valid, ready, stall=stall, seed=seed)

    def taker(
        self,
        payload: Iterable[str],
        valid: str,
        ready: str,
        *,
        stall: float = 0.0,
        seed: int = 1,
    ) -> Recorder:
        """A taker of ports that keep a stream's rules under other names; records ``payload``."""
        return self._record(valid, ready, list(payload), stall, seed)

    def probe(self, valid: str, ports: Iterable[str]) -> Recorder:
        """A recorder of ``ports`` in each cycle in which the port ``valid`` is high."""
        return self._record(valid, None, list(ports), 0.0, 1)

    def _record(self, *arguments) -> Recorder:
        self._recorders.append(Recorder(self, *arguments))
        return self._recorders[-1]


class Source:
    """Offers items on a stream, from the next cycle on, and each until it is taken.

    Before each item it pauses in each cycle with probability ``stall``.
    """

    def __init__(
        self,
        simulation: CompiledSimulation,
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
        """Append items, as :meth:`CompiledSimulation.set` takes them."""
        chunks = _to_chunks(self._payload, list(items))
        self._simulation.call("feed", self._index, chunks.ctypes, ctypes.c_uint64(chunks.size))

    def taken(self) -> np.ndarray:
        """Cycle in which each item so far was taken, uint64 [items]."""
        count = ctypes.c_uint64()
        address = self._simulation.call("taken", self._index, ctypes.byref(count))
        return _copy(address, count.value, np.uint64)


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
        simulation: CompiledSimulation,
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
        rows = _copy(address, count.value * width, np.uint32).reshape(count.value, width)
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
        row = _copy(address + 4 * width * (count.value - 1), width, np.uint32)
        values, start = {}, 2
        for port in self._ports:
            values[port.name] = _to_integer(row[start : start + port.chunks])
            start += port.chunks
        return _to_integer(row[:2]), values

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


def _to_chunks(port: Port, values: list[int | Mapping]) -> np.ndarray:
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


def _to_integer(chunks: np.ndarray) -> int:
    return int.from_bytes(chunks.astype("<u4").tobytes(), "little")


def _copy(address: int | None, count: int, dtype) -> np.ndarray:
    if not count:
        return np.zeros(0, dtype)
    size = count * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype).copy()
