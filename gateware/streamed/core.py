"""The core of an imported model that lies in external memory: tokens in, tokens out."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out

from ..core.ports import core_signature, stream_port
from ..core.sequencer import Fetch
from ..decoder.instruction import Source
from ..decoder.taps import tap_ports, tap_signature
from ..engines.sampler.scheme import VERSION_2
from ..memory.bus import Response
from ..memory.line_reader import check_depth
from ..memory.stream_reader import StreamReader, segment_layout
from ..memory.word_writer import WordWriter
from ..parts.delay import delayed
from ..parts.fifo import Fifo
from ..parts.multiplier import check_dsp
from ..parts.passed_port import pass_port
from .datapath import StreamedDatapath, stored_layout
from .image_check import check_image
from .issue import StreamedIssueUnit
from .passes import Passes
from .ports import SATURATION_BITS, STREAM_PORTS, bus_ports, image_ports
from .program import StreamedProgram
from .slots import slots_layout
from .walker import SegmentWalker

READ_AHEAD = 512
"""Words that are read before they are used."""
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
        As DecoderCore, for each slot; also ``pass_begin``, a pulse, with ``pass_slots``.
    depth : int, words that are read ahead: a power of two, two stripes at least

    Members
    -------
    For each stream those of :func:`gateware.core.ports.core_signature` and
    :data:`.ports.STREAM_PORTS`, with its number behind the name but for the first one
    (:func:`gateware.core.ports.stream_port`). ``abort`` of a stream leaves the others as they are;
    with it the last one that is busy, or all at once, also forget an error of the memory. Once none
    is busy any more, nothing new begins on the buses, whatever the pass was that is under way.

    Those of :func:`.ports.bus_ports` and of :func:`.ports.image_ports`. That an image is verified
    before the first ``start`` is its user's to see to.

    Raises
    ------
    TypeError, ValueError
        If ``dsp`` or ``depth`` is none of these.
    """

    def __init__(
        self,
        program: StreamedProgram,
        *,
        dsp: str = "generic",
        taps: bool = False,
        depth: int = READ_AHEAD,
    ):
        check_dsp(dsp)
        check_depth(program.memory, depth)
        self.program, self._dsp, self._depth, self._taps = program, dsp, depth, taps
        members = {**bus_ports(program.memory), **image_ports(program.memory)}
        each = dict(core_signature(program.model.config.vocab_size, scheme=VERSION_2).members)
        each |= STREAM_PORTS
        if taps:
            each["taps"] = Out(tap_signature(program))
        if taps:
            members |= {"pass_begin": Out(1), "pass_slots": Out(slots_layout(program))}
        for number in range(program.streams):
            members |= {stream_port(name, number): member for name, member in each.items()}
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
        passes = Passes(program)
        aborted = Signal(reset_less=True)
        aborts, busy = (Cat(self._ports(name)) for name in ("abort", "busy"))
        last_aborts = aborts.any() & (aborts | passes.drop | ~busy).all()
        # a pass of streams that were aborted goes on while others, which have no part in it, are
        # busy; they may have ended since
        outside.d.sync += [
            aborted.eq(last_aborts),
            reset.eq(last_aborts | (passes.running & ~busy.any())),
        ]
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
        faulty = reader.faulty | (writer.fault != Response.OKAY)
        check_image(outside, self, reader, aborted, faulty, segments, words)
        self._connect_loops(outside, passes, reset)
        self._run(inside, passes, segments, words, writer)
        outside.submodules.core = ResetInserter(reset)(inside)
        return outside

    def _ports(self, name: str, unit=None) -> list:
        """A port of every stream, of the core or another unit."""
        names = [stream_port(name, stream) for stream in range(self.program.streams)]
        return [getattr(unit or self, each) for each in names]

    def _connect_loops(self, m: Module, passes: Passes, reset: Signal):
        """The streams' token loops, each of which only its own abort resets."""
        m.submodules.passes = passes
        m.d.comb += passes.reset.eq(reset)
        m.d.sync += passes.drop.eq(Cat(self._ports("abort")))
        # pulses for the samplers, two cycles later: with `start`, or in the cycle after, another
        # stream's run may end in a reset
        self._reseeds = [
            delayed(m, start & ~busy, 2, reset_less=False, name=stream_port("reseed", number))
            for number, (start, busy) in enumerate(
                zip(self._ports("start"), self._ports("busy"), strict=True)
            )
        ]
        for name in ("prompt", "output", "start", "busy", "context_full"):
            for number in range(self.program.streams):
                port = stream_port(name, number)
                pass_port(m, getattr(self, port), passes, port)
        for count, settings in zip(
            self._ports("count", passes), self._ports("settings"), strict=True
        ):
            m.d.comb += count.eq(settings.count)

    def _run(self, m: Module, passes: Passes, segments, words, writer: WordWriter):
        program = self.program
        issue = StreamedIssueUnit(program)
        instructions = program.build_instructions()
        m.submodules.fetch = fetch = Fetch(issue, instructions)
        m.submodules.walker = walker = SegmentWalker(program)
        m.d.comb += [
            fetch.begin.eq(passes.begin),
            fetch.predict.eq(passes.predict),
            passes.ended.eq(fetch.ended),
            issue.slots.eq(passes.slots),
            walker.begin.eq(passes.begin),
            walker.slots.eq(passes.slots),
            walker.predict.eq(passes.predict),
            walker.base.eq(self.base),
            segments.valid.eq(walker.segments.valid),
            segments.payload.eq(walker.segments.payload),
            walker.segments.ready.eq(segments.ready),
            issue.available.eq(words.valid),
            words.ready.eq(fetch.beat.takes),
            self.stalled.eq(issue.stalled),
        ]
        beat, write = fetch.beat, instructions.write
        m.d.sync += [
            write.valid.eq(beat.valid & (beat.source == Source.PROGRAM)),
            write.address.eq(beat.address),
            write.data.eq(words.payload),
        ]
        datapaths = [StreamedDatapath(program, self._dsp) for _ in range(program.streams)]
        for number, datapath in enumerate(datapaths):
            m.submodules[stream_port("datapath", number)] = datapath
            self._drive(m, datapath, number, beat, passes)
            m.d.comb += datapath.word.eq(words.payload)
            self._sample(m, number, passes, datapath)
            if self._taps:
                self._connect_taps(m, self._ports("taps")[number], datapath)
        self._count_saturations(m, passes, datapaths)
        self._store(m, issue, datapaths, walker, writer)
        if self._taps:
            m.d.comb += [self.pass_begin.eq(passes.begin), self.pass_slots.eq(passes.slots)]
        if program.streams > 1:
            m.d.comb += walker.lent.eq(passes.lent)
            stored = beat.valid & beat.ends_stores
            late = delayed(m, stored, datapaths[0].STORE + 2, reset_less=False, name="ends_stores")
            m.d.comb += walker.stored.eq(late)

    def _drive(self, m: Module, datapath, number: int, beat, passes: Passes):
        """The beats that are for a slot."""
        for name in beat.signature.members:
            if name != "valid":
                m.d.comb += getattr(datapath.beat, name).eq(getattr(beat, name))
        valid = beat.valid & passes.slots[number].enabled
        if hasattr(beat, "slot"):
            valid = valid & ((beat.slot == 0) | (beat.slot == number + 1))
        m.d.comb += [
            datapath.beat.valid.eq(valid),
            datapath.position.eq(passes.slots[number].position),
        ]

    def _sample(self, m: Module, number: int, passes: Passes, datapath):
        """The sampler of a stream, behind the slot that has its last token."""
        name = stream_port("sampler", number)
        m.submodules[name] = sampler = self.program.build_sampler()
        settings, chosen = self._ports("settings")[number], self._ports("chosen", passes)[number]
        m.d.comb += [
            sampler.reseed.eq(self._reseeds[number]),
            sampler.logit.eq(datapath.logit),
            sampler.logit.valid.eq(datapath.logit.valid & passes.listens[number]),
            chosen.valid.eq(sampler.token.valid),
            chosen.token.eq(sampler.token.token),
        ]
        for name, _ in sampler.settings.shape():
            m.d.comb += getattr(sampler.settings, name).eq(getattr(settings, name))

    def _connect_taps(self, m: Module, taps, datapath):
        for port in tap_ports(self.program):
            for name in (f"{port.name}_valid", f"{port.name}_data"):
                m.d.comb += getattr(taps, name).eq(getattr(datapath.taps, name))

    def _count_saturations(self, m: Module, passes: Passes, datapaths):
        """Of each stream, in whatever slots its tokens are; not of a run that was aborted."""
        for number, total in enumerate(self._ports("saturations")):
            start, busy = self._ports("start")[number], self._ports("busy")[number]
            kept = Signal(SATURATION_BITS, name=stream_port("saturations", number))
            more = sum(
                (
                    Mux(passes.takes_part[number] & (slot.stream == number), datapath.limited, 0)
                    for slot, datapath in zip(passes.slots, datapaths, strict=True)
                ),
                C(0, 1),
            )
            m.d.sync += kept.eq(Mux(start & ~busy, 0, kept + more))
            m.d.comb += total.eq(kept)

    def _store(self, m: Module, issue, datapaths, walker, writer: WordWriter):
        """Keys and values to the memory, of one slot at a time."""
        program = self.program
        m.submodules.stored = fifo = Fifo(stored_layout(program), STORED_DEPTH)
        on_their_way = datapaths[0].STORE + 1
        m.d.sync += issue.room.eq(fifo.level < STORED_DEPTH - on_their_way)
        first = Signal(len(writer.words.p.number), reset_less=True)
        places = (program.memory.stripe_words - 1).bit_length()
        m.d.sync += first.eq((self.base + program.first_cache) << places)
        for datapath in datapaths:
            with m.If(datapath.stored.valid):
                m.d.comb += [
                    fifo.written.valid.eq(1),
                    fifo.written.payload.eq(datapath.stored.p),
                ]
        m.d.comb += [
            writer.words.valid.eq(fifo.oldest.valid),
            writer.words.p.number.eq(first + fifo.oldest.p.number),
            writer.words.p.data.eq(fifo.oldest.p.data),
            fifo.oldest.ready.eq(writer.words.ready),
        ]
        # twice in a row: an accepted word shows in the writer's `idle` a cycle later
        quiet = Signal()
        m.d.sync += quiet.eq((fifo.level == 0) & writer.idle)
        m.d.comb += walker.written.eq(quiet & (fifo.level == 0) & writer.idle)
