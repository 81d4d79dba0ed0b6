"""The entries of a line of an imported model, behind the tokens that come before every prompt."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...parts.delay import delayed
from ..line_memory import LineMemory


class PromptMemory(LineMemory):
    """As :class:`LineMemory`, whose first entries are constant.

    Parameters
    ----------
    layout, length_bits
        As :class:`LineMemory`.
    depth : int
        Entries of opening and line.
    opening : sequence of int
        What comes before a prompt.
    begin : int or None
        The opening's last token, if a line that begins with it is not given it again.

    Members
    -------
    As of :class:`LineMemory`, but ``entry`` follows ``length`` a cycle later than there; and
    opened : In(1)
        With ``rewind``: the cursor moves to the opening's first entry.
    total : Out
        Tokens of opening and line, a cycle after the line has changed.
    """

    def __init__(
        self,
        *,
        layout: data.StructLayout,
        depth: int,
        length_bits: int,
        opening: Sequence[int],
        begin: int | None,
    ):
        self._opening, self._begin, self._total = tuple(opening), begin, Out(length_bits)
        super().__init__(layout=layout, depth=depth, length_bits=length_bits)

    def _further_ports(self) -> dict[str, wiring.Member]:
        return {"opened": In(1), "total": self._total}

    def _end(self, m: Module) -> Value:
        opening = len(self._opening)
        end = Signal(range(2 * self._depth), reset_less=True)
        m.d.sync += end.eq(self.length + opening)
        return end

    def _step(self, m: Module, cursor: Value) -> Value:
        opening, skips = len(self._opening), self._line_begins(m)
        m.d.sync += self.total.eq(self.length + opening - skips)
        # from the opening's last entry past the line's first one
        skipping = delayed(m, skips & (cursor == opening - 1), 1, name="skipping")
        return Mux(skipping, 2, 1)

    def _start(self) -> Value:
        return Mux(self.opened, 0, len(self._opening))

    def _line_begins(self, m: Module):
        """Whether the line's first token is the one that prompts begin with anyway."""
        begins = Signal()
        if self._begin is None:
            return begins
        with m.If(self.write & ~self.length.any()):
            m.d.sync += begins.eq(self.written.value == self._begin)
        return begins
