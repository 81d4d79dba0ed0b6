"""The entries of the line that is being typed, in a block memory."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..parts.registered_read import COLLISION_FREE, registered_read


def entry_layout(value_bits: int, **further) -> data.StructLayout:
    """An entry: a token or a byte; ``escaped`` and ``further`` say how the token was written."""
    return data.StructLayout({"value": value_bits, "escaped": 1, **further})


class LineMemory(wiring.Component):
    """Entries of a line, read at its end or at a cursor.

    Parameters
    ----------
    layout : data.StructLayout
        An :func:`entry_layout`.
    depth : int, entries
    length_bits : int
        Of a line's length.

    Members
    -------
    length : In, entries of the line
        Writing appends the entry there; the memory does not count.
    write : In(1), written : In(layout)
    reading, rewind, advance : In(1)
        While ``reading``, ``entry`` is the one at a cursor, 3 cycles after that was moved to the
        line's first entry or on; otherwise the one at ``length``.
    entry : Out(layout)
    at_end : Out(1), as late as ``entry``
        The cursor is behind the last entry.
    """

    _opening: tuple[int, ...] = ()  # values of the entries before the line's

    def __init__(self, *, layout: data.StructLayout, depth: int, length_bits: int):
        self._layout, self._depth = layout, depth
        super().__init__(
            {
                "length": In(length_bits),
                "write": In(1),
                "written": In(self._layout),
                "reading": In(1),
                "rewind": In(1),
                "advance": In(1),
                "entry": Out(self._layout),
                "at_end": Out(1),
                **self._further_ports(),
            }
        )

    def _further_ports(self) -> dict[str, wiring.Member]:
        return {}

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self._layout,
            depth=self._depth,
            init=[{"value": value} for value in self._opening],
            attrs={"ram_style": "block", **COLLISION_FREE},
        )
        write = memory.write_port()
        end = self._end(m)
        cursor = Signal.like(end, reset_less=True)
        address = Mux(self.reading, cursor, end)
        entry = Signal(memory.shape, reset_less=True)
        at_end = Signal(reset_less=True)
        m.d.comb += [write.addr.eq(end), self.entry.eq(entry)]
        m.d.comb += [write.en.eq(self.write), write.data.eq(self.written)]
        m.d.sync += [
            entry.eq(registered_read(m, memory, address[: len(write.addr)])),
            at_end.eq(cursor == end),
            self.at_end.eq(at_end),
        ]
        step = self._step(m, cursor)
        with m.If(self.advance):
            m.d.sync += cursor.eq(cursor + step)
        with m.If(self.rewind):
            m.d.sync += cursor.eq(self._start())
        return m

    def _end(self, m: Module) -> Value:
        """Behind the line's last entry."""
        return self.length

    def _step(self, m: Module, cursor: Value) -> Value | int:
        """How far the cursor moves on."""
        return 1

    def _start(self) -> Value | int:
        """Where it moves back to."""
        return 0
