"""Passes over the weights: which tokens of which streams run through them together."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..core.ports import stream_port
from ..core.token_loop import TokenLoop
from ..parts.passed_port import pass_port
from .slots import slots_layout

DRAINED = 8
"""Cycles from the last logit of a pass, at the datapath, until a sampler has seen it, at least."""


class StreamLoop(TokenLoop):
    """As :class:`gateware.core.token_loop.TokenLoop`, and takes several tokens of a prompt at once.

    Parameters
    ----------
    others : int, slots beside this stream's own, 0 or more

    Further members
    ---------------
    soon : Out(1), ``wants`` may follow without anybody's doing
    free : In(1), the others' slots are free
    lent : Out(range(others + 1))
        With ``wants``: tokens before ``token`` that are to run in the others' slots.
    lent_tokens : Out, they, the first one first
    """

    def __init__(self, vocab_size: int, ctx_len: int, others: int):
        self._others = others
        super().__init__(vocab_size, ctx_len)

    def _further_ports(self, vocab_size: int) -> dict:
        ports = {"soon": Out(1)}
        if self._others:
            ports |= {
                "free": In(1),
                "lent": Out(range(self._others + 1)),
                "lent_tokens": Out(data.ArrayLayout(range(vocab_size), self._others)),
            }
        return ports

    def _connect_states(self, m: Module):
        super()._connect_states(m)
        prompt = self._fsm.ongoing("PROMPT") & self.prompt.valid
        m.d.comb += self.soon.eq(prompt | self._fsm.ongoing("CHOOSE"))
        if self._others:
            with m.If(self.granted):
                m.d.sync += self.lent.eq(0)

    def _want(self, m: Module):
        if not self._others:
            super()._want(m)
            return
        prompt = self.prompt.payload
        may = self.free & (self.lent != self._others) & ~prompt.last & ~self._no_position_follows
        with m.If(may):
            m.d.sync += [
                self.lent_tokens[self.lent].eq(prompt.token),
                self.lent.eq(self.lent + 1),
                *self._advance(),
            ]
        with m.Else():
            super()._want(m)


class Passes(wiring.Component):
    """Token loops of all streams, and when a pass begins with what they want.

    A pass begins when at least one stream wants its next token, and none will in a moment. Streams
    that start, or whose output nobody takes, join a later one. A stream whose prompt has several
    tokens left gets the slots of the others, as long as these are idle.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    start, count, prompt, output, chosen, busy, context_full
        For each stream, with its number behind the name
        (:func:`gateware.core.ports.stream_port`); those of
        :class:`gateware.core.token_loop.TokenLoop`.
    drop : In(streams), a stream is reset: what is under way for it is lost
    reset : In(1), no pass is under way any more; of no account for streams that are not dropped
    running : Out(1), a pass is under way, from ``begin`` to ``ended``
    begin : Out(1), a pulse: the program begins, in the next cycle
    ended : In(1), its last cycle
    slots : Out(:func:`.slots.slots_layout`), from ``begin`` on until the next one
    predict : Out(1), from ``begin`` on: of any slot
    lent : Out(1), from ``begin`` on: slots have several tokens of one stream
    takes_part : Out(streams)
        From ``begin`` on until the next one, unless it is dropped: the stream has tokens in it.
    listens : Out(streams), logits of the slot are for its stream's sampler
    """

    EACH = ("start", "count", "prompt", "output", "chosen", "busy", "context_full")

    def __init__(self, program):
        self._program = program
        config, streams = program.model.config, program.streams
        self._loops = [
            StreamLoop(config.vocab_size, config.ctx_len, streams - 1) for _ in range(streams)
        ]
        members = self._loops[0].signature.members
        super().__init__(
            {
                **{
                    stream_port(name, stream): members[name]
                    for stream in range(streams)
                    for name in self.EACH
                },
                "drop": In(streams),
                "reset": In(1),
                "begin": Out(1),
                "ended": In(1),
                "running": Out(1),
                "slots": Out(slots_layout(program)),
                "predict": Out(1),
                "lent": Out(1),
                "takes_part": Out(streams),
                "listens": Out(streams),
            }
        )

    def elaborate(self, platform):
        # streams may start while another one's pass is being reset
        outside, m = Module(), Module()
        loops, streams = self._loops, len(self._loops)
        self._connect_loops(outside)
        outside.submodules.control = ResetInserter(self.reset)(m)
        wants, soon = (Cat(getattr(loop, name) for loop in loops) for name in ("wants", "soon"))
        lenders = C(0, streams)
        if streams > 1:
            lenders = Cat(loop.wants & (loop.lent != 0) for loop in loops)
        begins = Signal()
        chosen = Signal(streams)
        m.d.comb += [
            begins.eq(~self.running & wants.any() & ~soon.any() & self._drained(m)),
            chosen.eq(Mux(lenders.any(), lenders, wants)),
        ]
        m.d.sync += self.begin.eq(begins)
        with m.If(begins):
            predicts = Cat(loop.predict for loop in loops) & chosen
            m.d.sync += [
                self.running.eq(1),
                self.predict.eq(predicts.any()),
                self.lent.eq(lenders.any()),
            ]
            self._fill(m, chosen, lenders)
        with m.Elif(self.ended):
            m.d.sync += self.running.eq(0)
        for stream, loop in enumerate(loops):
            m.d.comb += [
                loop.granted.eq(begins & chosen[stream]),
                loop.ended.eq(self.ended),
                self.listens[stream].eq(self.takes_part[stream] & self.slots[stream].predict),
            ]
            with m.If(self.drop[stream]):
                m.d.sync += self.takes_part[stream].eq(0)
            with m.Elif(begins):
                m.d.sync += self.takes_part[stream].eq(chosen[stream])
        return outside

    def _connect_loops(self, m: Module):
        for stream, loop in enumerate(self._loops):
            m.submodules[stream_port("loop", stream)] = ResetInserter(self.drop[stream])(loop)
            for name in self.EACH:
                pass_port(m, getattr(self, stream_port(name, stream)), loop, name)
            others = [other.busy for other in self._loops if other is not loop]
            if others:
                m.d.comb += loop.free.eq(~Cat(others).any())

    def _drained(self, m: Module):
        """Whether no logit of the last pass is under way: one of a stream that was dropped since
        then may be, and nobody waits for what comes of it."""
        if len(self._loops) == 1:
            return C(1, 1)
        left = Signal(range(self._program.timing.value_latency + DRAINED))
        valid = Cat(loop.chosen.valid for loop in self._loops)
        with m.If(self.ended & self.predict):
            m.d.sync += left.eq(self._program.timing.value_latency + DRAINED - 1)
        with m.Elif((valid & self.listens).any()):
            m.d.sync += left.eq(0)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return left == 0

    def _fill(self, m: Module, chosen: Signal, lenders):
        """The slots of the pass that begins: each stream's own, or all of one that has several."""
        loops, streams = self._loops, len(self._loops)
        for number, loop in enumerate(loops):
            slot = self.slots[number]
            m.d.sync += [
                slot.enabled.eq(chosen[number]),
                slot.token.eq(loop.token),
                slot.position.eq(loop.position),
                slot.predict.eq(loop.predict),
                slot.stream.eq(number),
            ]
        for owner in range(streams if streams > 1 else 0):
            loop = loops[owner]
            with m.If(lenders[owner]):
                for which, number in enumerate(n for n in range(streams) if n != owner):
                    slot = self.slots[number]
                    m.d.sync += [
                        slot.enabled.eq(loop.lent > which),
                        slot.token.eq(loop.lent_tokens[which]),
                        slot.position.eq(loop.position - loop.lent + which),
                        slot.predict.eq(0),
                        slot.stream.eq(owner),
                    ]
