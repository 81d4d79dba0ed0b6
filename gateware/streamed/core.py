"""The core of an imported model that lies in external memory: tokens in, tokens out."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out

from ..core.ports import core_signature
from ..core.sequencer import Sequencer
from ..decoder.instruction import Source
from ..decoder.taps import tap_ports, tap_signature
from ..engines.sampler.scheme import VERSION_2
from ..memory.bus import Response
from ..memory.stream_reader import StreamReader, segment_layout
from ..memory.word_writer import WordWriter
from ..parts.fifo import Fifo
from ..parts.multiplier import check_dsp
from .checksum import ImageCheck
from .datapath import StreamedDatapath, stored_layout
from .issue import StreamedIssueUnit
from .ports import SATURATION_BITS, bus_ports, image_ports
from .program import StreamedProgram
from .walker import SegmentWalker

STORED_DEPTH = 16
"""Words that wait for the memory; beats stall when there is no room for those on their way."""


class StreamedCore(wiring.Component):
    """As :class:`gateware.decoder.core.DecoderCore`, with the model in external memory.

    Latency: :meth:`StreamedProgram.cycles` per token at least; how much more depends on the memory.

    Parameters
    ----------
    program : StreamedProgram
    dsp : str
        One of :data:`gateware.parts.multiplier.DSP_FAMILIES`.
    taps : bool
        As DecoderCore.
    depth : int, words that are read ahead: a power of two, two stripes at least

    Members
    -------
    Those of :func:`gateware.core.ports.core_signature`, and

    those of :func:`.ports.bus_ports` and of :func:`.ports.image_ports`. That an image is verified
    before the first ``start`` is its user's to see to.
    """

    def __init__(
        self,
        program: StreamedProgram,
        *,
        dsp: str = "generic",
        taps: bool = False,
        depth: int = 512,
    ):
        check_dsp(dsp)
        self.program, self._dsp, self._depth = program, dsp, depth
        members = dict(core_signature(program.model.config.vocab_size, scheme=VERSION_2).members)
        members |= {**bus_ports(program.memory), **image_ports(program.memory)}
        if taps:
            members["taps"] = Out(tap_signature(program))
        super().__init__(members)

    def elaborate(self, platform):
        program = self.program
        outside, inside = Module(), Module()
        reader = StreamReader(program.memory, depth=self._depth)
        writer = WordWriter(program.memory)
        outside.submodules.reader = reader
        outside.submodules.writer = writer
        for port in range(program.memory.ports):
            for unit, name in ((reader, "read"), (writer, "write")):
                bus = getattr(self, f"{name}{port}")
                wiring.connect(outside, unit.buses[port], wiring.flipped(bus))
        # a register, and the only reset where the domain has none: it goes to all parts of the
        # core, but not to what is under way on the bus
        reset, flushing = Signal(reset_less=True), Signal()
        outside.d.sync += reset.eq(self.abort)
        # answers to what was written may be errors, too: those of an aborted run are its own
        quiet = reader.idle & writer.idle
        # not idle at once: what was asked for in this cycle shows a cycle later
        settled = Signal()
        with outside.If(reset):
            outside.d.sync += [flushing.eq(1), settled.eq(0)]
        with outside.Elif(flushing):
            outside.d.sync += [settled.eq(1), flushing.eq(~(settled & quiet))]
        outside.d.comb += [
            reader.flush.eq(reset | flushing),
            writer.clear.eq(reset | flushing),
            self.fault.eq(reader.fault.as_value() | writer.fault.as_value()),
        ]
        # what the core takes of the reader, while the image is not being verified
        segments = stream.Signature(segment_layout(program.memory)).create()
        words = stream.Signature(8 * program.memory.word_bytes).create()
        self._check_image(outside, reader, reset, segments, words)
        self._run(inside, segments, words, writer)
        outside.submodules.core = ResetInserter(reset)(inside)
        return outside

    def _check_image(self, m: Module, reader: StreamReader, reset, segments, words):
        program = self.program
        check = ImageCheck(
            program.memory,
            words=program.first_cache * program.memory.stripe_words,
            expected=program.checksum,
        )
        m.submodules.check = ResetInserter(reset & check.busy)(check)
        faultless = Signal(reset_less=True)
        m.d.sync += faultless.eq(self.fault == Response.OKAY)
        m.d.comb += [
            check.begin.eq(self.verify),
            check.base.eq(self.base),
            check.faulty.eq(~faultless),
            self.verifying.eq(check.busy),
            self.verified.eq(check.good),
            self.mismatched.eq(check.bad),
            check.words.payload.eq(reader.words.payload),
            words.payload.eq(reader.words.payload),
        ]
        with m.If(check.busy):
            wiring.connect(m, check.segments, reader.segments)
            m.d.comb += check.words.valid.eq(reader.words.valid)
            m.d.comb += reader.words.ready.eq(check.words.ready)
        with m.Else():
            m.d.comb += [
                reader.segments.valid.eq(segments.valid),
                reader.segments.payload.eq(segments.payload),
                segments.ready.eq(reader.segments.ready),
                words.valid.eq(reader.words.valid & faultless),
                reader.words.ready.eq(words.ready),
            ]

    def _run(self, m: Module, segments, words, writer: WordWriter):
        program = self.program
        issue = StreamedIssueUnit(program)
        instructions = program.build_instructions()
        m.submodules.sequencer = sequencer = Sequencer(program, issue, instructions)
        m.submodules.datapath = datapath = StreamedDatapath(program, self._dsp)
        m.submodules.sampler = sampler = program.build_sampler()
        saturations = Signal(SATURATION_BITS)
        m.submodules.walker = walker = SegmentWalker(program)
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
            walker.begin.eq(sequencer.begins),
            walker.token.eq(sequencer.token),
            walker.position.eq(sequencer.position),
            walker.predict.eq(sequencer.predict),
            walker.base.eq(self.base),
            segments.valid.eq(walker.segments.valid),
            segments.payload.eq(walker.segments.payload),
            walker.segments.ready.eq(segments.ready),
            issue.available.eq(words.valid),
            datapath.word.eq(words.payload),
            words.ready.eq(sequencer.beat.takes),
            self.stalled.eq(issue.stalled),
            self.saturations.eq(saturations),
        ]
        beat, write = sequencer.beat, instructions.write
        m.d.sync += [
            write.valid.eq(beat.valid & (beat.source == Source.PROGRAM)),
            write.address.eq(beat.address),
            write.data.eq(words.payload),
        ]
        with m.If(self.start & ~self.busy):
            m.d.sync += saturations.eq(0)
        with m.Else():
            m.d.sync += saturations.eq(saturations + datapath.limited)
        self._store(m, issue, datapath, walker, writer)
        m.d.sync += sampler.reseed.eq(self.start & ~self.busy)
        for name, _ in sampler.settings.shape():
            m.d.comb += getattr(sampler.settings, name).eq(getattr(self.settings, name))
        if hasattr(self, "taps"):
            for port in tap_ports(program):
                for name in (f"{port.name}_valid", f"{port.name}_data"):
                    m.d.comb += getattr(self.taps, name).eq(getattr(datapath.taps, name))

    def _store(self, m: Module, issue, datapath, walker, writer: WordWriter):
        """Keys and values to the memory."""
        program = self.program
        m.submodules.stored = fifo = Fifo(stored_layout(program), STORED_DEPTH)
        on_their_way = datapath.STORE + 1
        m.d.sync += issue.room.eq(fifo.level < STORED_DEPTH - on_their_way)
        first = Signal(len(writer.words.p.number), reset_less=True)
        places = (program.memory.stripe_words - 1).bit_length()
        m.d.sync += first.eq((self.base + program.first_cache) << places)
        m.d.comb += [
            fifo.written.valid.eq(datapath.stored.valid),
            fifo.written.payload.eq(datapath.stored.p),
            writer.words.valid.eq(fifo.oldest.valid),
            writer.words.p.number.eq(first + fifo.oldest.p.number),
            writer.words.p.data.eq(fifo.oldest.p.data),
            fifo.oldest.ready.eq(writer.words.ready),
        ]
        # twice in a row: an accepted word shows in the writer's `idle` a cycle later
        quiet = Signal()
        m.d.sync += quiet.eq((fifo.level == 0) & writer.idle)
        m.d.comb += walker.written.eq(quiet & (fifo.level == 0) & writer.idle)
