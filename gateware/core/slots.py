"""Slots: where the streams' tokens run, those of a prompt in the slots of idle streams, too."""

from __future__ import annotations

import functools
import operator

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..compiler.program import Program
from ..parts.selected import selected


def token_layout(program: Program) -> data.StructLayout:
    """A stream's token, and where it is in its sequence."""
    config = program.model.config
    return data.StructLayout(
        {
            "position": range(config.ctx_len + 1),
            "token_word": range(config.vocab_size * program.token_words),
            "predict": 1,
        }
    )


def slot_layout(program: Program) -> data.StructLayout:
    """What runs in a slot: a token of ``stream``, whose keys and values are that stream's."""
    return data.StructLayout({"stream": range(program.streams), "token": token_layout(program)})


class Slots(wiring.Component):
    """Gives the streams' tokens slots, each of which runs the program of one token at a time.

    A slot is a stream's: it gets that stream's tokens as soon as nothing runs in it. While it is
    idle, tokens that may borrow a slot begin there, one every other cycle at most, if their own
    stream's is taken: the lowest stream's in the lowest slot, found in the cycle before.

    Tokens of a stream run side by side then, but the query of a layer is each one's turn after the
    one before it has had its turn there. Since that one has the array from then on, until its
    values are written, the later one's scores find all keys and values of those before.

    Parameters
    ----------
    program : Program, of several streams

    Members
    -------
    Arrays with an element for each stream, or its slot; the first one lowest.

    wants, first, borrows, granted
        Of :class:`.prompt_loop.PromptLoop`, whose other side this is.
    idle : In, a stream is: its slot may be lent
    tokens : In(:func:`token_layout`), with ``wants``
    running : In, from the cycle after ``begin`` on: a slot's program runs
    begin : Out, it begins, with the next cycle's ``slots``
    slots : Out(:func:`slot_layout`)
    passed : In, it is a slot's turn to write a layer's query
    may_pass : Out, it may be; a few cycles after ``passed`` of the slot before, or of its own
    """

    def __init__(self, program: Program):
        count = self._count = program.streams
        numbers = range(count)
        # of each slot's token: the slot of the one before, or that that has ended; and its turns
        self._before = [Signal(numbers, name=f"before{n}") for n in numbers]
        self._alone = [Signal(name=f"alone{n}") for n in numbers]
        queries = range(program.model.config.n_layers + 2)
        self._queries = [Signal(queries, name=f"queries{n}") for n in numbers]
        flags = dict.fromkeys(("wants", "first", "borrows", "idle", "running", "passed"), In(count))
        super().__init__(
            {
                **flags,
                **dict.fromkeys(("granted", "begin", "may_pass"), Out(count)),
                "tokens": In(data.ArrayLayout(token_layout(program), count)),
                "slots": Out(data.ArrayLayout(slot_layout(program), count)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # of the cycle before: who borrows, as a bit and a number, and which slot
        borrower, lent = Signal(self._count), Signal(self._count)
        asking, spare = Signal(self._count), Signal(self._count)
        own, lends = Signal(self._count), Signal()
        m.d.comb += [
            asking.eq(self.borrows & self.running),
            spare.eq(self.idle & ~self.running),
            lends.eq((borrower & asking).any()),
            own.eq(self.wants & ~self.running & ~(self.first & self._lends(m))),
            self.granted.eq(own | (borrower & asking)),
            self.begin.eq(own | Mux(lends, lent, 0)),
        ]
        m.d.sync += [
            borrower.eq(Mux(spare.any() & ~lends, _lowest(asking), 0)),
            lent.eq(_lowest(spare)),
        ]
        number = _number(borrower)
        last, ended = self._last_slots(m, own, _number(lent))
        mine = [each.as_value() for each in self.tokens]
        borrowed = [selected(values, number) for values in (mine, last, ended)]
        for n, slot in enumerate(self.slots):
            token, before, alone = (
                Mux(lent[n], theirs, values[n])
                for theirs, values in zip(borrowed, (mine, last, ended), strict=True)
            )
            with m.If(self.begin[n]):
                m.d.sync += [
                    slot.stream.eq(Mux(lent[n], number, n)),
                    slot.token.as_value().eq(token),
                    self._before[n].eq(before),
                    self._alone[n].eq(alone),
                    self._queries[n].eq(0),
                ]
            with m.Else():
                m.d.sync += [
                    self._alone[n].eq(self._alone[n] | ~self._is_running(self._before[n])),
                    self._queries[n].eq(self._queries[n] + self.passed[n]),
                ]
            before = selected(self._queries, self._before[n])
            m.d.sync += self.may_pass[n].eq(self._alone[n] | (before > self._queries[n]))
        return m

    def _last_slots(self, m: Module, own, lent) -> tuple[list[Signal], list[Value]]:
        """Of each stream, where its last token that began runs, or whether that has ended."""
        slots = [Signal(range(self._count), name=f"last{n}") for n in range(self._count)]
        have_ended = []
        for n, slot in enumerate(slots):
            ended = Signal(init=1, name=f"last_ended{n}")
            has_ended = ended | ~self._is_running(slot)
            m.d.sync += ended.eq(has_ended & ~self.granted[n])
            with m.If(self.granted[n]):
                m.d.sync += slot.eq(Mux(own[n], n, lent))
            have_ended.append(has_ended)
        return slots, have_ended

    def _is_running(self, slot) -> Value:
        return selected(list(self.running), slot)

    def _lends(self, m: Module) -> Signal:
        """Streams with tokens in slots of others."""
        lends = Signal(self._count)
        for n in range(self._count):
            slots = [(i, slot) for i, slot in enumerate(self.slots) if i != n]
            found = [self.running[i] & (slot.stream == n) for i, slot in slots]
            m.d.sync += lends[n].eq(Cat(found).any())
        return lends


def _lowest(bits: Signal) -> Value:
    """The lowest bit that is set, alone."""
    return Cat(bit & ~bits[:n].any() for n, bit in enumerate(bits))


def _number(bit: Signal) -> Value:
    """Which bit is set."""
    return functools.reduce(operator.or_, (Mux(one, n, 0) for n, one in enumerate(bit)))
