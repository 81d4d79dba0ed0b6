"""Several equal cores side by side: together they have the streams of all."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ..compiler.program import Program
from ..parts.passed_port import pass_port
from .core import Core
from .interleaved_core import InterleavedCore
from .interleaver import issued_layout
from .ports import core_signature, stream_port
from .taps import tap_signature


class SeveralCores(wiring.Component):
    """``program.hw.cores`` cores, each with memories and weights of its own.

    Every stream takes the cycles that it takes in its core, whatever the other cores do
    (:mod:`gateware.compiler.several_cores`).

    Parameters
    ----------
    program : Program, of several cores
    dsp : str
        As :class:`.core.Core`.
    taps : bool
        Adds those ports of each core that it has with ``taps``.

    Members
    -------
    For each stream those of :func:`.ports.core_signature`, with its number behind the name
    (:func:`.ports.stream_port`): the first core's streams come first. Ports of taps have the core's
    number there.
    """

    def __init__(self, program: Program, *, dsp: str = "generic", taps: bool = False):
        self.program, self._has_taps = program, taps
        one = program.one_core
        kind = InterleavedCore if one.streams > 1 else Core
        self._cores = [kind(one, dsp=dsp, taps=taps) for _ in range(program.hw.cores)]
        each = core_signature(program.model.config.vocab_size).members
        members = {
            stream_port(name, stream): member
            for stream in range(program.streams)
            for name, member in each.items()
        }
        for core in range(len(self._cores) if taps else 0):
            members[stream_port("taps", core)] = Out(tap_signature(one))
            if one.streams > 1:
                members[stream_port("issued", core)] = Out(issued_layout(one))
                members[stream_port("issued_valid", core)] = Out(1)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        streams = self.program.hw.streams
        each = core_signature(self.program.model.config.vocab_size).members
        for number, core in enumerate(self._cores):
            m.submodules[stream_port("core", number)] = core
            for stream in range(streams):
                for name in each:
                    outer = getattr(self, stream_port(name, number * streams + stream))
                    pass_port(m, outer, core, stream_port(name, stream))
            if self._has_taps:
                self._pass_taps(m, number, core)
        return m

    def _pass_taps(self, m: Module, number: int, core: Core):
        taps = getattr(self, stream_port("taps", number))
        for name in core.taps.signature.members:
            m.d.comb += getattr(taps, name).eq(getattr(core.taps, name))
        for name in ("issued", "issued_valid"):
            if hasattr(core, name):
                m.d.comb += getattr(self, stream_port(name, number)).eq(getattr(core, name))
