"""A component as compiled code: its ports by name, cycles, and who drives and records streams."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Mapping

import numpy as np
from amaranth.lib import wiring

from gateformer.model.support.errors import UserError, write_error

from .cxxrtl import CompiledDesign, Port, compile_component
from .port_value import to_chunks, to_integer
from .simulated_stream import Recorder, Source

_STREAM = ("payload", "valid", "ready")

SLICE = 10_000
"""Cycles per call of the library, so that Ctrl-C is noticed soon."""


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
        for name in ("create", "taken", "rows", "memory_bytes"):
            getattr(library, f"simulation_{name}").restype = ctypes.c_void_p
        library.simulation_cycles.restype = ctypes.c_uint64
        library.simulation_violation.restype = ctypes.c_int64
        library.simulation_waveform.restype = ctypes.c_bool
        self.handle = ctypes.c_void_p(library.simulation_create())
        self._recorders: list[Recorder] = []
        self._waveform = None
        if waveform is not None:
            path, first, last = waveform
            self._waveform = path
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
        self.call("set", port.index, to_chunks(port, [value]).ctypes)

    def get(self, name: str) -> int:
        """Value of a port now, after all inputs that were set have taken effect."""
        port = self.port(name)
        chunks = np.zeros(port.chunks, np.uint32)
        self.call("get", port.index, chunks.ctypes)
        value = to_integer(chunks)
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
            self._check_waveform(close=False)
            if self.cycles < now + limit:
                break
        for recorder in self._recorders:
            recorder.check()

    def close_waveform(self) -> None:
        """End the waveform, if there is one; UserError if it could not be written whole."""
        self._check_waveform(close=True)

    def _check_waveform(self, *, close: bool) -> None:
        if self._waveform is None:
            return
        error = self.call("waveform_error", ctypes.c_bool(close))
        if error:
            raise write_error(
                f"write {os.fspath(self._waveform)}", OSError(error, os.strerror(error))
            )

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
