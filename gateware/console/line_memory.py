"""The entries of the line that is being typed, in a block memory."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..parts.registered_read import COLLISION_FREE, registered_read


def entry_layout(value_bits: int) -> data.StructLayout:
    """An entry: a token or a byte; ``escaped`` says how the token was written."""
    return data.StructLayout({"value": value_bits, "escaped": 1})


class LineMemory(wiring.Component):
    """Entries of a line, read at its end or at a cursor.

    Parameters
    ----------
    value_bits : int
    depth : int, entries

    Members
    -------
    length : In, entries of the line
        Writing appends the entry there; the memory does not count.
    write : In(1), written : In(entry_layout)
    reading, rewind, advance : In(1)
        While ``reading``, ``entry`` is the one at a cursor, 3 cycles after that was moved to the
        first entry or on; otherwise the one at ``length``.
    entry : Out(entry_layout)
    at_end : Out(1), as late as ``entry``
        The cursor is behind the last entry.
    """

    def __init__(self, *, value_bits: int, depth: int):
        self._layout, self._depth = entry_layout(value_bits), depth
        super().__init__(
            {
                "length": In(range(2 * depth)),
                "write": In(1),
                "written": In(self._layout),
                "reading": In(1),
                "rewind": In(1),
                "advance": In(1),
                "entry": Out(self._layout),
                "at_end": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self._layout,
            depth=self._depth,
            init=[],
            attrs={"ram_style": "block", **COLLISION_FREE},
        )
        write = memory.write_port()
        cursor = Signal.like(self.length, reset_less=True)
        address = Mux(self.reading, cursor, self.length)
        entry = Signal(memory.shape, reset_less=True)
        at_end = Signal(reset_less=True)
        m.d.comb += [write.addr.eq(self.length), self.entry.eq(entry)]
        m.d.comb += [write.en.eq(self.write), write.data.eq(self.written)]
        m.d.sync += [
            entry.eq(registered_read(m, memory, address[: len(write.addr)])),
            at_end.eq(cursor == self.length),
            self.at_end.eq(at_end),
        ]
        with m.If(self.advance):
            m.d.sync += cursor.eq(cursor + 1)
        with m.If(self.rewind):
            m.d.sync += cursor.eq(0)
        return m
