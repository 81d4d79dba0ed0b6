"""First in, first out, with flags that are registers."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .integers import check_integer
from .loadable_memory import BLOCK

LARGE = 1024
"""Items from which on a memory is one of blocks."""


class Fifo(wiring.Component):
    """Keeps up to ``depth`` items; what it shows comes from registers, without a gate.

    Other than amaranth's ``SyncFIFOBuffered``, which compares and adds levels between two
    registers. An item appears at ``oldest`` two cycles after it was ``written``; one item per cycle
    on either side.

    Parameters
    ----------
    shape : ShapeLike
    depth : int, at least 2
    block : bool, its memory is one of blocks, however few items it has

    Members
    -------
    written : In(stream of shape), ready unless full
    oldest : Out(stream of shape)
    level : Out(range(depth + 1)), items inside

    Raises
    ------
    TypeError, ValueError
        If ``depth`` is not an integer, or out of range.
    """

    def __init__(self, shape, depth: int, *, block: bool = False):
        check_integer("depth", depth, 2, 2**32)
        self.depth, self._attrs = depth, BLOCK if block else {}
        super().__init__(
            {
                "written": In(stream.Signature(shape)),
                "oldest": Out(stream.Signature(shape)),
                "level": Out(range(depth + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        written, oldest = self.written, self.oldest
        # what `oldest` shows is not in the memory any more, where a row beyond a power of two would
        # double the blocks; and a power of two, so that addresses wrap round
        rows = self.depth - 1 if self.depth > LARGE else self.depth
        size = 1 << (rows - 1).bit_length()
        m.submodules.memory = memory = Memory(
            shape=written.p.shape(), depth=size, init=[], attrs=self._attrs
        )
        write, read = memory.write_port(), memory.read_port()
        # items that are not at `oldest` yet, whether there are any
        waiting, is_waiting = Signal.like(self.level), Signal()
        full = Signal()
        take, fetch = Signal(), Signal()
        m.d.comb += [
            written.ready.eq(~full),
            write.en.eq(written.valid & ~full),
            write.data.eq(written.p),
            take.eq(oldest.valid & oldest.ready),
            fetch.eq(is_waiting & (~oldest.valid | oldest.ready)),
            read.en.eq(fetch),
            oldest.p.eq(read.data),
        ]
        m.d.sync += [
            write.addr.eq(write.addr + write.en),
            read.addr.eq(read.addr + fetch),
            oldest.valid.eq(fetch | (oldest.valid & ~oldest.ready)),
        ]
        with m.If(write.en & ~fetch):
            m.d.sync += [waiting.eq(waiting + 1), is_waiting.eq(1)]
        with m.Elif(fetch & ~write.en):
            m.d.sync += [waiting.eq(waiting - 1), is_waiting.eq(waiting != 1)]
        with m.If(write.en & ~take):
            m.d.sync += [self.level.eq(self.level + 1), full.eq(self.level == self.depth - 1)]
        with m.Elif(take & ~write.en):
            m.d.sync += [self.level.eq(self.level - 1), full.eq(0)]
        return m
