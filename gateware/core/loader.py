"""Loader: writes an image into the memories of a running core, and says if all of it is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import crc, data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from ..compiler.reload_image import (
    CHECK_BITS,
    CHECKSUM,
    UNIT,
    Section,
)
from ..parts.delay import delayed
from .signature import swept_signature

WORD_CYCLES = UNIT // CHECK_BITS
"""Cycles that a word of the image is looked at, in the last of which it is taken: less than lie
between two writes of :class:`gateware.host.axi_lite.AxiLiteSlave`."""


class Refusal(enum.Enum, shape=3):
    """Why the last image is not loaded."""

    NONE = 0
    ABORTED = 1
    """A reset or an abort came before its end."""
    SHAPE = 2
    """It is for cores of another shape, or does not begin as an image does."""
    CHECKSUM = 3
    """Its CRC is wrong: words are damaged, missing or too many."""
    READBACK = 4
    """The memories do not hold what was written."""


class State(enum.Enum, shape=2):
    """What the loader does."""

    IDLE = 0
    SHAPE = 1
    """waits for the first word"""
    FILL = 2
    CHECK = 3


LOAD_STATUS = data.StructLayout({"loaded": 1, "loading": 1, "refusal": Refusal})
"""``loaded``: the memories hold one complete image. ``loading``: one has begun and is neither
complete nor refused. ``refusal``: of the last image."""


def section_ports(section: Section) -> dict:
    """Of :class:`Loader`, for that section."""
    place = {"address": range(section.depth), "part": range(section.parts)}
    write = {"valid": 1, **place, "data": section.width}
    ports = {f"write_{section.name}": Out(data.StructLayout(write))}
    if section.swept:
        ports[f"read_{section.name}"] = Out(data.StructLayout(place))
        ports[f"word_{section.name}"] = In(section.width)
    return ports


class Loader(wiring.Component):
    """Takes an image (:mod:`gateware.compiler.reload_image`) word by word.

    ``loaded`` is 1 after configuration, for the contents of the bitstream. It becomes 0 with the
    first word of an image that fits, before any memory is written, and 1 again when all of the
    image has come, its CRC is right, and a sweep has read all of it from the memories with the
    right signature. An image of another shape is refused before anything is written. It must not
    be reset by what resets the core: ``abort`` refuses what is loading, and leaves ``loaded`` if
    nothing is.

    A word is taken every ``WORD_CYCLES`` cycles at most; the sweep takes ``READ_CYCLES``
    (:mod:`.signature`) per write of the image. Words that come when none are expected are dropped.

    Parameters
    ----------
    sections : sequence of Section
        In the image's order; those that are not swept come first.
    shape : int, 32 bits
        The image's first word.

    Members
    -------
    begin : In(1), pulse
        An image follows. The memories must not be in use until ``status.loading`` is 0 again.
    words : In(stream of 32 bits)
    abort : In(1)
    status : Out(LOAD_STATUS)
    checking : Out(1)
        The sweep reads; its addresses are below.
    write_NAME : Out({valid: 1, address, part, data}), for each section
    read_NAME : Out({address, part}), word_NAME : In(width), for each section that is swept
        While ``checking``, ``word`` must be that of ``read`` a few cycles before (less than
        ``READ_CYCLES`` - 3). Sections that are not being swept are at 0.
    """

    def __init__(self, sections: Sequence[Section], *, shape: int):
        self._sections, self._shape = tuple(sections), shape
        members = {
            "begin": In(1),
            "words": In(stream.Signature(UNIT)),
            "abort": In(1),
            "status": Out(LOAD_STATUS),
            "checking": Out(1),
        }
        for section in self._sections:
            members |= section_ports(section)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        self._state = state = Signal(State)
        self._complete, self._step = Signal(), Signal()
        loaded = Signal(init=1, reset_less=True)
        refusal = Signal(Refusal, reset_less=True)
        filling, checking = state == State.FILL, state == State.CHECK
        check = crc.Processor(CHECKSUM)
        # its own start would be one more input of every bit
        m.submodules.crc = ResetInserter(self.begin)(check)
        # registers, like the others below: the checksum of all words, and that it is
        ended, matches = Signal(), delayed(m, check.match_detected, 1, name="matches")
        taken = self._take_words(m, check, (state == State.SHAPE) | (filling & ~ended))
        self._assemble(m, taken & filling)
        at_end, swept = self._places(m)
        m.d.sync += ended.eq(self._complete & at_end)
        swept_words = [
            getattr(self, f"word_{section.name}") for section in self._sections if section.swept
        ]
        signature = swept_signature(m, swept_words, self.begin, self.checking, self._step)
        # registers: a word is there for 2 cycles, and the sweep's end a cycle after the signature
        fits = delayed(m, self.words.payload == self._shape, 1, name="fits")
        differs = delayed(m, signature != self._expected, 1, name="differs")
        swept = delayed(m, swept, 1, name="swept")
        m.d.comb += [
            self.status.loaded.eq(loaded),
            self.status.loading.eq(state != State.IDLE),
            self.status.refusal.eq(refusal),
            self.checking.eq(checking),
        ]

        def refuse(why: Refusal):
            return [state.eq(State.IDLE), refusal.eq(why)]

        with m.Switch(state):
            with m.Case(State.SHAPE), m.If(taken):
                m.d.sync += state.eq(State.FILL)
                with m.If(fits):
                    m.d.sync += loaded.eq(0)
                with m.Else():
                    m.d.sync += refuse(Refusal.SHAPE)
            with m.Case(State.FILL), m.If(ended):
                m.d.sync += state.eq(State.CHECK)
                with m.If(~matches):
                    m.d.sync += refuse(Refusal.CHECKSUM)
            with m.Case(State.CHECK), m.If(swept):
                m.d.sync += [state.eq(State.IDLE), loaded.eq(1)]
                with m.If(differs):
                    m.d.sync += [loaded.eq(0), *refuse(Refusal.READBACK)]
        with m.If(self.abort & self.status.loading):
            m.d.sync += refuse(Refusal.ABORTED)
            with m.If(checking):  # and may be at its end
                m.d.sync += loaded.eq(0)
        with m.If(self.begin):
            m.d.sync += [state.eq(State.SHAPE), refusal.eq(Refusal.NONE)]
        return m

    def _take_words(self, m: Module, check: crc.Processor, expecting) -> Value:
        """Every word through the CRC; high in the last cycle of a word that is expected."""
        turn = Signal(range(WORD_CYCLES))
        working = self.words.valid & expecting
        taken = working & (turn == WORD_CYCLES - 1)
        with m.If(working):
            m.d.sync += turn.eq(turn + 1)
        with m.If(self.begin):
            m.d.sync += turn.eq(0)
        m.d.comb += [
            check.valid.eq(working),
            check.data.eq(self.words.payload.word_select(turn, CHECK_BITS)),
            self.words.ready.eq(taken | ~expecting),
        ]
        return taken

    def _assemble(self, m: Module, taken: Value):
        """Words from above into a register as wide as the widest write, then to a memory.

        ``_complete`` is high when a write has all its words, and nothing else moves.
        """
        most = max(2, *(section.units for section in self._sections))
        assembled = Signal(UNIT * most, reset_less=True)
        self._unit = Signal(range(most))
        last = Signal()
        m.d.sync += self._complete.eq(taken & last & ~self.begin)
        with m.If(taken):
            m.d.sync += [
                assembled.eq(Cat(assembled, self.words.payload)[UNIT:]),
                self._unit.eq(Mux(last, 0, self._unit + 1)),
            ]
        self._last_unit = last
        # the image's signature, when nothing but the CRC has come after it
        self._expected = assembled[-2 * UNIT : -UNIT]
        for section in self._sections:
            first = UNIT * (most - section.units)
            data_out = assembled[first : first + section.width]
            m.d.comb += getattr(self, f"write_{section.name}").data.eq(data_out)

    def _places(self, m: Module):
        """Section, address and part, for writes and the sweep: (at the CRC, past the last section).

        Signature and CRC count as sections behind the others, of one word each.
        """
        sections = self._sections
        at = Signal(len(sections) + 2, init=1)  # a bit each
        address = Signal(range(max(section.depth for section in sections)))
        part = Signal(range(max(section.parts for section in sections)))

        def is_last(counter: Signal, counts: Iterable[int]) -> Value:
            """Whether it is 1 less than what the present section has of it."""
            return Cat(
                here & (counter == count - 1)
                for here, count in zip(at, (*counts, 1, 1), strict=True)
            ).any()

        m.d.comb += self._last_unit.eq(is_last(self._unit, (s.units for s in sections)))
        # registers: between two steps there are 2 cycles or more
        last_part, last_address = (
            delayed(m, is_last(counter, counts), 1, name="last")
            for counter, counts in (
                (part, [section.parts for section in sections]),
                (address, [section.depth for section in sections]),
            )
        )
        with m.If(self._complete | self._step):
            m.d.sync += part.eq(part + 1)
            with m.If(last_part):
                m.d.sync += [part.eq(0), address.eq(address + 1)]
                with m.If(last_address):
                    m.d.sync += [address.eq(0), at.eq(at << 1)]
        at_end = at[-1]
        first_swept = [section.swept for section in sections].index(True)
        with m.If(self.begin):
            m.d.sync += [at.eq(1), address.eq(0), part.eq(0), self._unit.eq(0)]
        with m.If(self._complete & at_end):
            m.d.sync += [at.eq(1 << first_swept), address.eq(0), part.eq(0)]
        for i, section in enumerate(sections):
            write = getattr(self, f"write_{section.name}")
            here = at[i]
            m.d.comb += [
                write.valid.eq(self._complete & here),
                write.address.eq(address),
                write.part.eq(part),
            ]
            if section.swept:
                read = getattr(self, f"read_{section.name}")
                m.d.comb += [
                    read.address.eq(Mux(here, address, 0)),
                    read.part.eq(Mux(here, part, 0)),
                ]
        return at_end, at[len(sections)]
