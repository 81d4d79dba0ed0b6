"""Names the segments of the memory that a token takes, one after the other."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..memory.stream_reader import segment_layout
from ..parts.constant_product import times
from ..parts.loadable_memory import BLOCK
from .images import Kind


class SegmentWalker(wiring.Component):
    """Walks the program's segments once per token, as far ahead as the reader takes them.

    A token's segments are named when it begins: keys and values of the one before it, which are
    read again, are in the memory by then, since it waits for ``written``.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    begin : In(1), a pulse; not before the segments of the last token are named
    token, position, predict : In, from ``begin`` on
    written : In(1), all words that were stored are in the memory
    base : In, the image's first stripe
    segments : Out(stream of :func:`gateware.memory.stream_reader.segment_layout`)
    """

    def __init__(self, program):
        self._program = program
        cfg, memory = program.model.config, program.memory
        super().__init__(
            {
                "begin": In(1),
                "token": In(range(cfg.vocab_size)),
                "position": In(range(cfg.ctx_len + 1)),
                "predict": In(1),
                "written": In(1),
                "base": In(memory.stripe_bits),
                "segments": Out(stream.Signature(segment_layout(memory))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, out = self._program, self.segments
        entries = _entries(program)
        bits = len(out.p.stripe)
        layout = data.StructLayout(
            {
                "kind": Kind,
                "stripe": range(max(entry["stripe"] for entry in entries) + 1),
                "words": range(max(entry["words"] for entry in entries) + 1),
                "predicts": 1,
                "last": 1,
            }
        )
        m.submodules.table = table = Memory(
            shape=layout, depth=len(entries), init=entries, attrs=dict(BLOCK)
        )
        read = table.read_port()
        entry = Signal(layout, reset_less=True)
        address = Signal.like(read.addr)
        offset = Signal(bits, reset_less=True)
        token, position = Signal(bits, reset_less=True), Signal(bits, reset_less=True)
        keys, values = Signal.like(out.p.words), Signal.like(out.p.words)
        m.d.comb += read.addr.eq(address)
        m.d.sync += [
            token.eq(times(self.token, program.token_stripes)),
            position.eq(times(self.position, program.position_stripes)),
            keys.eq(times(self.position, program.layout.key_words)),
            values.eq(self.position),
        ]
        is_cache = entry.kind == Kind.CACHE
        by_position = Mux(entry.words == 1, values, keys)
        with m.FSM():
            with m.State("IDLE"), m.If(self.begin):
                m.d.sync += address.eq(0)
                m.next = "WRITTEN"
            with m.State("WRITTEN"), m.If(self.written):
                m.next = "READ"
            with m.State("READ"):
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += [entry.eq(read.data), address.eq(address + 1)]
                m.next = "ADD"
            with m.State("ADD"):
                with m.Switch(entry.kind):
                    with m.Case(Kind.TOKEN):
                        m.d.sync += offset.eq(self.base + token)
                    with m.Case(Kind.POSITION):
                        m.d.sync += offset.eq(self.base + position)
                    with m.Default():
                        m.d.sync += offset.eq(self.base)
                m.next = "PLACE"
            with m.State("PLACE"):
                m.d.sync += [
                    out.p.stripe.eq(offset + entry.stripe),
                    out.p.words.eq(Mux(is_cache, by_position, entry.words)),
                ]
                m.next = "OFFER"
            with m.State("OFFER"):
                nothing = (is_cache & (self.position == 0)) | (entry.predicts & ~self.predict)
                m.d.comb += out.valid.eq(~nothing)
                with m.If(out.ready | nothing):
                    m.next = "READ"
                    with m.If(entry.last):
                        m.next = "IDLE"
        return m


def _entries(program) -> list[dict]:
    """The segments, with their stripes counted from the image's first one where they are fixed."""
    first = {
        Kind.TOKEN: 0,
        Kind.POSITION: program.first_position,
        Kind.FIXED: program.first_fixed,
        Kind.CACHE: program.first_cache,
    }
    return [
        {
            "kind": segment.kind,
            "stripe": first[segment.kind] + segment.stripe,
            "words": segment.words,
            "predicts": segment.predicts,
            "last": segment is program.segments[-1],
        }
        for segment in program.segments
    ]
