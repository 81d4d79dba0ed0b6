"""Names the segments of the memory that a token takes, one after the other."""

from __future__ import annotations

from amaranth.hdl import Array, C, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..memory.stream_reader import segment_layout
from ..parts.constant_product import times
from ..parts.loadable_memory import BLOCK
from .images import Kind
from .slots import of_slot, slots_layout


class SegmentWalker(wiring.Component):
    """Walks the program's segments once per pass, as far ahead as the reader takes them.

    A pass' segments are named when it begins: keys and values of the one before it, which are
    read again, are in the memory by then, since it waits for ``written``. Where slots have several
    tokens of one stream, those of this pass are read, too: their segments wait for each layer's.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    begin : In(1), a pulse; not before the segments of the last pass are named
    slots : In(:func:`.slots.slots_layout`), from ``begin`` on
    predict : In(1), from ``begin`` on: of any slot
    lent : In(1), from ``begin`` on: slots have several tokens of one stream; if there are several
    stored : In(1), a pulse: a layer's stores show in ``written`` from now on; likewise
    written : In(1), all words that were stored are in the memory
    base : In, the image's first stripe
    segments : Out(stream of :func:`gateware.memory.stream_reader.segment_layout`)
    """

    def __init__(self, program):
        self._program = program
        memory = program.memory
        super().__init__(
            {
                "begin": In(1),
                "slots": In(slots_layout(program)),
                "predict": In(1),
                **({"lent": In(1), "stored": In(1)} if program.streams > 1 else {}),
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
                **({"slot": range(program.streams), "after_stores": 1} if self._several else {}),
            }
        )
        m.submodules.table = table = Memory(
            shape=layout, depth=len(entries), init=entries, attrs=dict(BLOCK)
        )
        read = table.read_port()
        entry = Signal(layout, reset_less=True)
        address = Signal.like(read.addr)
        offset = Signal(bits, reset_less=True)
        keys, values = Signal.like(out.p.words), Signal.like(out.p.words)
        enabled, at_start = Signal(reset_less=True), Signal(reset_less=True)
        places = self._places(m, entry, bits)
        slot = of_slot(self.slots, entry.slot if self._several else C(0, 1), program.streams)
        m.d.comb += read.addr.eq(address)
        m.d.sync += [
            enabled.eq(slot.enabled | (entry.kind == Kind.FIXED)),
            at_start.eq(slot.position == 0),
            keys.eq(times(slot.position, program.layout.key_words)),
            values.eq(slot.position),
        ]
        is_cache = entry.kind == Kind.CACHE
        adding = Signal()
        may_go = self._may_go(m, entry, adding)
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
                m.next = "CHOOSE"
            with m.State("CHOOSE"):  # of the slot, and of what its numbers make
                m.next = "ADD"
            with m.State("ADD"):
                m.d.comb += adding.eq(1)
                m.d.sync += offset.eq(self.base + places[entry.kind])
                with m.If(may_go):
                    m.next = "PLACE"
            with m.State("PLACE"):
                m.d.sync += [
                    out.p.stripe.eq(offset + entry.stripe),
                    out.p.words.eq(Mux(is_cache, by_position, entry.words)),
                ]
                m.next = "OFFER"
            with m.State("OFFER"):
                nothing = (is_cache & at_start) | (entry.predicts & ~self.predict) | ~enabled
                m.d.comb += out.valid.eq(~nothing)
                with m.If(out.ready | nothing):
                    m.next = "READ"
                    with m.If(entry.last):
                        m.next = "IDLE"
        return m

    @property
    def _several(self) -> bool:
        return self._program.streams > 1

    def _places(self, m: Module, entry, bits: int) -> Array:
        """Stripes from the first one of the entry's kind to those of its slot, by kind."""
        program, found = self._program, []
        slot = entry.slot if self._several else C(0, 1)
        for name, stripes in (
            ("token", program.token_stripes),
            ("position", program.position_stripes),
            ("stream", program.layout.stripes_of_cache),
        ):
            products = []
            for number, each in enumerate(self.slots):
                product = Signal(bits, reset_less=True, name=f"{name}{number}")
                m.d.sync += product.eq(times(each[name], stripes))
                products.append(product)
            found.append(of_slot(Array(products), slot, program.streams))
        token, position, stream_place = found
        kinds = {
            Kind.TOKEN: token,
            Kind.POSITION: position,
            Kind.FIXED: C(0, 1),
            Kind.CACHE: stream_place,
        }
        return Array(kinds[kind] for kind in sorted(kinds, key=lambda kind: kind.value))

    def _may_go(self, m: Module, entry, asked: Signal) -> Value:
        """Whether an entry, when ``asked``, has not to wait for the stores of its layer."""
        if not self._several:
            return C(1, 1)
        there = Signal()
        waits = entry.after_stores & self.lent
        may = ~waits | (there & self.written)
        with m.If(self.begin | (asked & waits & may)):
            m.d.sync += there.eq(0)
        with m.Elif(self.stored):
            m.d.sync += there.eq(1)
        return may


def _entries(program) -> list[dict]:
    """The segments, with their stripes counted from the image's first one where they are fixed."""
    first = {
        Kind.TOKEN: 0,
        Kind.POSITION: program.first_position,
        Kind.FIXED: program.first_fixed,
        Kind.CACHE: program.first_cache,
    }
    several = program.streams > 1
    return [
        {
            "kind": segment.kind,
            "stripe": first[segment.kind] + segment.stripe,
            "words": segment.words,
            "predicts": segment.predicts,
            "last": segment is program.segments[-1],
            **({"slot": segment.slot, "after_stores": segment.after_stores} if several else {}),
        }
        for segment in program.segments
    ]
