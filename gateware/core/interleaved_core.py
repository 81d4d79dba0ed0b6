"""The accelerator core for several texts at a time, which share its engines."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ..compiler.program import Program
from ..compiler.units import Units, column_bits
from ..engines.sampler.shared_sampler import SharedSampler
from ..parts.elaboration import may_stay_unused
from ..parts.passed_port import pass_port
from .core import Core
from .interleaver import Interleaver, issued_layout
from .ports import core_signature, stream_port
from .prompt_loop import PromptLoop
from .taps import tap_signature


class InterleavedCore(Core):
    """As :class:`.core.Core`, for ``program.streams`` sequences, each at its own position.

    Every stream takes the tokens, and the cycles of each that it would take alone, and what it
    waits for the others: exactly as :class:`gateware.compiler.turns.Turns` says, as long as its
    next prompt token is there and its output is taken at once. While other streams are idle, tokens
    of a prompt run side by side, in the slots of these (:class:`.slots.Slots`); a stream that is
    started then begins when the token in its slot has ended.

    Parameters
    ----------
    program : Program, of several streams
    dsp : str
        As Core.
    taps : bool
        Adds the ``taps`` port: results of all streams in the order in which these get their turns,
        and ``issued``, with ``issued_valid``: the turns, a cycle later each.

    Members
    -------
    For each stream those of :func:`.ports.core_signature`, with its number behind the name but for
    the first one (:func:`.ports.stream_port`). ``abort`` of a stream leaves the others as they are:
    what runs of its tokens' programs goes on to its end, unseen, and what the stream is started
    with next waits for that. If no other stream is busy all is reset.
    """

    def __init__(self, program: Program, *, dsp: str = "generic", taps: bool = False):
        self.program, self._dsp, self._loading = program, dsp, None
        each = core_signature(program.model.config.vocab_size).members
        members = {
            stream_port(name, stream): member
            for stream in range(program.streams)
            for name, member in each.items()
        }
        if taps:
            members["taps"] = Out(tap_signature(program))
            members |= {"issued": Out(issued_layout(program)), "issued_valid": Out(1)}
        wiring.Component.__init__(self, members)

    def elaborate(self, platform):
        outside, m = Module(), Module()
        aborts, busy = Cat(self._ports("abort")), Cat(self._ports("busy"))
        # registers, and the only resets where the domain has none: of the streams' token loops,
        # and a cycle later of all the others, if no stream is left that needs them
        reset, drops = Signal(reset_less=True), Signal(len(aborts), reset_less=True)
        outside.d.sync += [reset.eq(drops.any() & (drops | ~busy).all()), drops.eq(aborts)]
        m.submodules.interleaver = interleaver = Interleaver(self.program)
        units = self.program.build_units(self._dsp)
        m.submodules.engine = units.engine
        m.submodules.array = units.array
        m.submodules.softmax = units.softmax
        m.submodules.vector = units.vector
        may_stay_unused(units.sampler)  # its sizes are another one's
        m.submodules.sampler = self._sampler = SharedSampler(units.sampler, self.program.streams)
        self._vector = interleaver.vector
        self._connect_loops(outside, interleaver, drops)
        array, vector = interleaver.array, interleaver.vector
        self._drive_engine(m, vector.beat, units)
        self._drive_array(m, array.beat, units, array)
        self._drive_vector_unit(m, vector.beat, units)
        self._connect_writes(m, units, interleaver)
        self._connect_sampler(m, array.beat, units, interleaver)
        if hasattr(self, "taps"):
            self._connect_taps(m, array.beat, units)
            m.d.comb += [
                self.issued.eq(interleaver.issued),
                self.issued_valid.eq(interleaver.issued_valid),
            ]
        outside.submodules.shared = ResetInserter(reset)(m)
        return outside

    def _ports(self, name: str) -> list:
        """A port of every stream."""
        return [getattr(self, stream_port(name, n)) for n in range(self.program.streams)]

    def _connect_loops(self, m: Module, interleaver: Interleaver, drops):
        """The streams' token loops, each of which only its own abort resets."""
        config = self.program.model.config
        bits = (config.ctx_len + 1).bit_length()
        for stream in range(self.program.streams):
            loop = PromptLoop(config.vocab_size, config.ctx_len, self.program.token_words, bits)
            m.submodules[stream_port("loop", stream)] = ResetInserter(drops[stream])(loop)
            for name in ("start", "prompt", "output", "busy", "context_full"):
                pass_port(m, getattr(self, stream_port(name, stream)), loop, name)
            count = getattr(self, stream_port("settings", stream)).count
            token = interleaver.tokens[stream]
            m.d.comb += [
                # more than there can be are as many as there can be
                loop.count.eq(Mux(count[bits:].any(), 0, count)),
                interleaver.wants[stream].eq(loop.wants),
                interleaver.first[stream].eq(loop.first),
                interleaver.borrows[stream].eq(loop.borrows),
                interleaver.idle[stream].eq(~loop.busy),
                loop.granted.eq(interleaver.granted[stream]),
                loop.ended.eq(interleaver.ended[stream]),
                token.position.eq(loop.position),
                token.token_word.eq(loop.token_word),
                token.predict.eq(loop.predict),
                loop.chosen.valid.eq(self._sampler.token.valid & (interleaver.sampler == stream)),
                loop.chosen.token.eq(self._sampler.token.token),
            ]

    def _column(self, beat):
        if self.program.layout.halves == 1:
            return beat.column
        padding = column_bits(self.program.layout) - 1 - len(beat.column)
        return Cat(beat.column, C(0, padding), self._vector.second)

    def _array_group(self, m: Module, column, sequencer):
        if self.program.layout.halves == 1:
            return column
        return self._half_group(column[:-1], column[-1])

    def _connect_sampler(self, m: Module, beat, units: Units, sequencer: Interleaver):
        sampler = self._sampler
        self._connect_logits(m, beat, units, sampler.logit)
        m.d.comb += [
            sampler.take.eq(sequencer.takes_sampler),
            sampler.seed.eq(sequencer.seeds),
            sampler.stream.eq(sequencer.sampler),
            sequencer.sampler_freed.eq(sampler.token.valid),
        ]
        for kept, settings in zip(sampler.settings, self._ports("settings"), strict=True):
            for name, _ in kept.shape():
                m.d.comb += getattr(kept, name).eq(getattr(settings, name))

    def _logit(self, units: Units):
        return self._sampler.logit
