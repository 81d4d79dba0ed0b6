"""The accelerator core of an imported model: a token stream in, a token stream out."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ..core.ports import core_signature
from ..core.sequencer import Sequencer
from ..engines.sampler.scheme import VERSION_2
from ..parts.multiplier import check_dsp
from .datapath import DecoderDatapath
from .issue import DecoderIssueUnit
from .program import DecoderProgram
from .taps import tap_ports, tap_signature


class DecoderCore(wiring.Component):
    """As :class:`gateware.core.core.Core`, for a model of contract version 2.

    Latency: :meth:`DecoderProgram.cycles` per token, exactly, as long as the next prompt token is
    there and the output is taken at once.

    Parameters
    ----------
    program : DecoderProgram
    dsp : str
        Multiplier family, see :mod:`gateware.parts.multiplier`; results and latency are the same.
    taps : bool
        Adds the ``taps`` port, on which every intermediate result of the reference appears.

    Members
    -------
    Those of :func:`gateware.core.ports.core_signature`.
    """

    def __init__(self, program: DecoderProgram, *, dsp: str = "generic", taps: bool = False):
        check_dsp(dsp)
        self.program, self._dsp = program, dsp
        members = dict(core_signature(program.model.config.vocab_size, scheme=VERSION_2).members)
        if taps:
            members["taps"] = Out(tap_signature(program))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        issue = DecoderIssueUnit(self.program)
        m.submodules.sequencer = sequencer = Sequencer(self.program, issue)
        m.submodules.datapath = datapath = DecoderDatapath(self.program, self._dsp)
        m.submodules.sampler = sampler = self.program.build_sampler()
        wiring.connect(m, wiring.flipped(self.prompt), sequencer.prompt)
        wiring.connect(m, wiring.flipped(self.output), sequencer.output)
        wiring.connect(m, sequencer.beat, datapath.beat)
        m.d.comb += [
            sequencer.start.eq(self.start),
            sequencer.count.eq(self.settings.count),
            self.busy.eq(sequencer.busy),
            self.context_full.eq(sequencer.context_full),
            issue.token.eq(sequencer.token),
            datapath.position.eq(sequencer.position),
            sampler.logit.eq(datapath.logit),
            sequencer.chosen.valid.eq(sampler.token.valid),
            sequencer.chosen.token.eq(sampler.token.token),
        ]
        m.d.sync += sampler.reseed.eq(self.start & ~self.busy)
        for name, _ in sampler.settings.shape():
            m.d.comb += getattr(sampler.settings, name).eq(getattr(self.settings, name))
        if hasattr(self, "taps"):
            for port in tap_ports(self.program):
                for name in (f"{port.name}_valid", f"{port.name}_data"):
                    m.d.comb += getattr(self.taps, name).eq(getattr(datapath.taps, name))
        # a register, and the only reset where the domain has none: it goes to all parts of the core
        reset = Signal(reset_less=True)
        m.d.sync += reset.eq(self.abort)
        return ResetInserter(reset)(m)
