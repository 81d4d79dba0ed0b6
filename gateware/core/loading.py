"""The loader of a core: which memories its sections are, and how they are written and read."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out

from ..compiler.program import Program
from ..compiler.reload_image import (
    ARRAY,
    CONSTANTS,
    DIGEST,
    DIGEST_WORDS,
    SCALES,
    UNIT,
    WEIGHTS,
    Section,
    constants_layout,
    shape_word,
)
from ..compiler.units import Units
from ..parts.delay import delayed
from .loader import Loader, section_ports

BYTE = 8


class CoreLoader:
    """Makes the memories of a core loadable; part of the core's module.

    Parameters
    ----------
    program : Program
        With limits. Its model is what the core has at first.
    further : sequence of Section
        Of memories that are not the core's, behind its own in the image.

    Attributes
    ----------
    loader : Loader
    constants : Signal(constants_layout(...))
        Numbers of the loaded model that are in no memory.
    """

    def __init__(self, program: Program, further: Sequence[Section] = ()):
        sections = [entry.section for entry in program.contents] + list(further)
        self._further = further
        self._word_groups, self._halves = program.layout.word_groups, program.layout.halves
        shape = shape_word(program.layout, program.limits, sections)
        self.loader = Loader(sections, shape=shape)
        initial = {entry.section.name: entry.writes for entry in program.contents}
        self._digest = initial[DIGEST]
        layout = constants_layout(program.model.config, program.limits)
        self.constants = Signal(
            layout, init=layout.from_bits(initial[CONSTANTS][0]), reset_less=True
        )

    def connect(self, m: Module, units: Units) -> None:
        """Connect the memories of the engines; after all else that drives their ports.

        While an image is loaded nothing but the loader writes, and in the sweep its addresses are
        read. Words of the array come through the lanes, multiplied by 1.
        """
        loader, engine, vector, array = self.loader, units.engine, units.vector, units.array
        written = getattr(loader, f"write_{ARRAY}")
        with m.If(loader.status.loading):
            m.d.comb += [
                array.write.valid.eq(written.valid),
                array.write.address.eq(written.address),
                array.write.group.eq(written.part),
                Cat(array.write.data).eq(written.data),
            ]
        for port, name in ((engine.weight_write, WEIGHTS), (vector.scale_write, SCALES)):
            written = getattr(loader, f"write_{name}")
            m.d.comb += [
                port.valid.eq(written.valid),
                port.address.eq(written.address),
                port.data.eq(written.data),
            ]
        read = getattr(loader, f"read_{ARRAY}")
        if self._halves == 2:
            # words of two rows are read once for each group, whose accumulators are then added up
            place = Cat(read.address, read.part, loader.checking)
            moved = place != delayed(m, place, 1, name="read_place")
        with m.If(loader.checking):
            m.d.comb += [
                engine.beat.weight_address.eq(getattr(loader, f"read_{WEIGHTS}").address),
                vector.op.scale_address.eq(getattr(loader, f"read_{SCALES}").address),
                array.beat.valid.eq(1),
                array.beat.weighted.eq(1),
                array.beat.first.eq(1),
                array.beat.address.eq(read.address),
                array.read_group.eq(read.part),
            ]
            if self._halves == 2:
                m.d.comb += [
                    array.beat.valid.eq(moved),
                    array.beat.last.eq(1),
                    array.read_group.eq(self._group(read.part)),
                ]
        m.d.comb += [
            getattr(loader, f"word_{WEIGHTS}").eq(engine.weight_word),
            getattr(loader, f"word_{SCALES}").eq(vector.scale_word),
            getattr(loader, f"word_{ARRAY}").eq(Cat(acc[:BYTE] for acc in array.read_data)),
        ]

    def _group(self, part) -> Value:
        """The group that is read where a part of the words is one of V: its row adds nothing."""
        groups = self._word_groups
        within = Mux(part < groups, part, part - groups)
        return Cat(part >= groups, within[1:])

    def is_row(self, row: int) -> Value:
        """Whether what the sweep reads of words of two rows is of that row, where it is V."""
        part = getattr(self.loader, f"read_{ARRAY}").part
        within = Mux(part < self._word_groups, part, part - self._word_groups)
        return within[0] == row

    def add_to(self, m: Module, core: wiring.Component) -> None:
        """Add what no reset of the core may reach, and connect it to the core's ports."""
        m.submodules.loader = loader = self.loader
        m.submodules.digest = memory = Memory(
            shape=UNIT,
            depth=DIGEST_WORDS,
            init=self._digest,
            attrs={"ram_style": "distributed"},
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        written = getattr(loader, f"write_{DIGEST}")
        wiring.connect(m, wiring.flipped(core.load_words), loader.words)
        m.d.comb += [
            loader.begin.eq(core.load_begin & ~core.busy & ~core.start),
            loader.abort.eq(core.abort),
            core.load_status.eq(loader.status),
            write.en.eq(written.valid),
            write.addr.eq(written.address),
            write.data.eq(written.data),
            read.addr.eq(core.digest_address),
            core.digest_word.eq(read.data),
            getattr(loader, f"word_{CONSTANTS}").eq(self.constants),
        ]
        written = getattr(loader, f"write_{CONSTANTS}")
        with m.If(written.valid):
            m.d.sync += self.constants.eq(written.data)
        if self._further:
            m.d.comb += core.load_checking.eq(loader.checking)
        for section in self._further:
            for name, member in section_ports(section).items():
                here, there = getattr(core, name), getattr(loader, name)
                m.d.comb += here.eq(there) if member.flow is Out else there.eq(here)
