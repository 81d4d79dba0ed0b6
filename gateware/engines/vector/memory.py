"""Memories of the vector unit: scales and the residual stream."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gateformer.model.contract import arith

from ...parts.loadable_memory import block_attributes, loadable_read, write_layout


class ScaleMemory(wiring.Component):
    """Block memory; ``word`` follows ``address`` after ``LATENCY`` (2) cycles.

    Parameters
    ----------
    words : list of lists of ``rows`` int
    width : int
        Bits of an entry, signed.
    writable : bool

    Members
    -------
    address : In(range(len(words)))
    word : Out(ArrayLayout(signed(width), rows))
    write : In({valid: 1, address: range(len(words)), data: width * rows}), if ``writable``
        ``word`` is not specified for an address that is written at the same time.
    """

    LATENCY = 2

    def __init__(self, words: list[list[int]], *, width: int, writable: bool = False):
        self._words = words
        self._layout = data.ArrayLayout(signed(width), len(words[0]))
        members = {"address": In(range(len(words))), "word": Out(self._layout)}
        if writable:
            members["write"] = In(write_layout(len(words), self._layout.size))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self._layout,
            depth=len(self._words),
            init=self._words,
            attrs=block_attributes(hasattr(self, "write")),
        )
        if hasattr(self, "write"):
            words = range(len(self._words))
            word = Signal(self._layout, reset_less=True)
            read = loadable_read(m, memory, self.address, words, self.write, "read")
            m.d.sync += word.eq(read)
            m.d.comb += self.word.eq(word)
            return m
        read, word = memory.read_port(), Signal(self._layout, reset_less=True)
        # the second register is the block memory's own
        m.d.sync += word.eq(read.data)
        m.d.comb += [read.addr.eq(self.address), self.word.eq(word)]
        return m


class ResidualMemory(wiring.Component):
    """The residual vector in LUT memory: one read and one write per cycle.

    ``data`` follows ``address`` after 1 cycle; a write is seen by reads of the next cycle.

    Parameters
    ----------
    rows, groups : int
        Elements per group; groups.

    Members
    -------
    address : In(range(groups))
    clear : In(1)
        Reads 0 instead.
    data : Out(ArrayLayout(signed(16), rows))
    write_enable, write_address, write_data : In
    """

    def __init__(self, *, rows: int, groups: int):
        self._groups = groups
        self._layout = data.ArrayLayout(signed(arith.RESIDUAL_BITS), rows)
        super().__init__(
            {
                "address": In(range(groups)),
                "clear": In(1),
                "data": Out(self._layout),
                "write_enable": In(1),
                "write_address": In(range(groups)),
                "write_data": In(self._layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self._layout, depth=self._groups, init=[], attrs={"ram_style": "distributed"}
        )
        read, write = memory.read_port(domain="comb"), memory.write_port()
        word = Signal(self._layout, reset_less=True)
        m.d.sync += word.eq(read.data)
        with m.If(self.clear):
            m.d.sync += word.as_value().eq(0)
        m.d.comb += [
            read.addr.eq(self.address),
            self.data.eq(word),
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
        ]
        return m
