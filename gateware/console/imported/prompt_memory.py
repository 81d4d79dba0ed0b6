"""The entries of a line of an imported model, behind the tokens that come before every prompt."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...parts.delay import delayed
from ...parts.registered_read import COLLISION_FREE, registered_read
from ..messages import MAX_COMMAND


class PromptMemory(wiring.Component):
    """As :class:`gateware.console.line_memory.LineMemory`, whose first entries are constant.

    An entry is ``value`` and ``escaped``, as there; ``joined``: it is not the first token of its
    character; ``further``: bytes after the first one that its character has been written with.

    Parameters
    ----------
    value_bits : int
    ctx_len : int
        Entries of opening and line together.
    most_further : int
        The largest ``further``.
    opening : sequence of int
        What comes before a prompt.
    begin : int or None
        The opening's last token, if a line that begins with it is not given it again.

    Members
    -------
    As of :class:`.LineMemory`, but ``entry`` follows ``length`` a cycle later than there; and
    opened : In(1)
        With ``rewind``: the cursor moves to the opening's first entry.
    total : Out
        Tokens of opening and line, a cycle after the line has changed.
    """

    def __init__(
        self,
        *,
        value_bits: int,
        ctx_len: int,
        most_further: int,
        opening: Sequence[int],
        begin: int | None,
    ):
        self._opening, self._begin = tuple(opening), begin
        self._depth = max(ctx_len, len(self._opening) + MAX_COMMAND)
        self._layout = data.StructLayout(
            {"value": value_bits, "escaped": 1, "joined": 1, "further": range(most_further + 1)}
        )
        length = range(2 * max(ctx_len, MAX_COMMAND))
        super().__init__(
            {
                "length": In(length),
                "write": In(1),
                "written": In(self._layout),
                "reading": In(1),
                "rewind": In(1),
                "opened": In(1),
                "advance": In(1),
                "entry": Out(self._layout),
                "at_end": Out(1),
                "total": Out(length),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self._layout,
            depth=self._depth,
            init=[{"value": token} for token in self._opening],
            attrs={"ram_style": "block", **COLLISION_FREE},
        )
        write, opening = memory.write_port(), len(self._opening)
        end = Signal(range(2 * self._depth), reset_less=True)  # behind the line's last entry
        cursor = Signal.like(end)
        m.d.sync += end.eq(self.length + opening)
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
        skips = self._line_begins(m)
        m.d.sync += self.total.eq(self.length + opening - skips)
        # from the opening's last entry past the line's first one
        skipping = delayed(m, skips & (cursor == opening - 1), 1, name="skipping")
        with m.If(self.advance):
            m.d.sync += cursor.eq(cursor + Mux(skipping, 2, 1))
        with m.If(self.rewind):
            m.d.sync += cursor.eq(Mux(self.opened, 0, opening))
        return m

    def _line_begins(self, m: Module):
        """Whether the line's first token is the one that prompts begin with anyway."""
        begins = Signal()
        if self._begin is None:
            return begins
        with m.If(self.write & ~self.length.any()):
            m.d.sync += begins.eq(self.written.value == self._begin)
        return begins
