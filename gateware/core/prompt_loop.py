"""Token loop of a stream whose prompt's tokens run side by side, in several streams' slots."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Out

from .token_loop import TokenLoop


class PromptLoop(TokenLoop):
    """As :class:`.token_loop.TokenLoop`, but that of a prompt it lets go of each token that begins,
    and takes the next one at once. Only for the end of the last one's program does it wait.

    Further members
    ---------------
    first : Out(1), with ``wants``: the token is a sequence's first one
    borrows : Out(1), with ``wants``: the token may run in any slot, since it is neither the first
        one, for which what was there before must have ended, nor the last one of the prompt
    """

    def _further_ports(self, vocab_size: int) -> dict:
        return {"first": Out(1), "borrows": Out(1)}

    def elaborate(self, platform):
        self._first, self._borrows = Signal(), Signal()
        # a register, since the host's logic for all streams hangs on it
        self._busy = Signal()
        # its state follows what is granted a cycle later: who grants looks at all streams
        self._begun = Signal()
        m = super().elaborate(platform)
        m.d.comb += [self.first.eq(self._first), self.borrows.eq(self._borrows)]
        m.d.sync += self._begun.eq(self.granted)
        return m

    def _connect_states(self, m: Module):
        m.d.comb += self.busy.eq(self._busy)

    def _begin_run(self, m: Module):
        super()._begin_run(m)
        m.d.sync += [self._first.eq(1), self._busy.eq(1)]

    def _rest(self, m: Module):
        super()._rest(m)
        m.d.sync += self._busy.eq(0)

    def _want(self, m: Module):
        super()._want(m)
        m.d.sync += self._borrows.eq(~self.prompt.payload.last & ~self._first)

    def _begin_program(self, m: Module):
        with m.If(self.granted):
            m.d.sync += [self._beginning.eq(0), self._first.eq(0), self._borrows.eq(0)]
        with m.If(self._begun):
            with m.If(self._predict):
                self._fsm.next = "RUN"
            with m.Else():
                self._go_on_with_prompt(m)

    def _resume(self, m: Module):
        m.d.sync += self._beginning.eq(~self.granted)
        self._fsm.next = "BEGIN"

    def _end_program(self, m: Module):
        self._fsm.next = "CHOOSE"
