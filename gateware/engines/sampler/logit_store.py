"""The logits of one token: stored, their maximum found, read again in passes."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ...parts.delay import delayed
from ...parts.integers import ceil_div
from ...parts.registered_read import COLLISION_FREE, registered_read


def logit_layout(logit_width: int, per_beat: int = 1) -> data.StructLayout:
    """A logit; ``last`` marks the one of token ``vocab_size - 1``.

    With ``per_beat`` 2 those of two tokens, of which the second of the last may be of none.
    """
    value = signed(logit_width)
    if per_beat == 2:
        value = data.ArrayLayout(value, per_beat)
    return data.StructLayout({"valid": 1, "value": value, "last": 1})


class LogitStore(wiring.Component):
    """Stores the logits of a token, finds the largest and reads them again.

    Logits are stored at ``per_beat`` per cycle at most. ``complete`` follows ``logit.last`` by
    ``receive_latency`` cycles; ``maximum`` and ``best``, the lowest index that has it, hold from
    then to the next logit. A pass (``start``) puts out all logits in order, one per cycle without
    gaps, the last one ``pass_latency(vocab_size)`` cycles after ``start``.

    Parameters
    ----------
    vocab_size : int, at least 1
    logit_width : int, at least 1
    per_beat : int, 1 or 2

    Attributes
    ----------
    receive_latency : int
        See :meth:`latency`.

    Members
    -------
    logit : In(logit_layout(logit_width, per_beat))
    complete : Out(1), pulse
    maximum : Out(signed(logit_width))
    best : Out(range(vocab_size))
    start : In(1), pulse, not during a pass
    stored : Out({valid: 1, value: signed(logit_width), last: 1})
    """

    READ_LATENCY = 2

    def __init__(self, vocab_size: int, logit_width: int, per_beat: int = 1):
        self.vocab_size = vocab_size
        self.logit_width = logit_width
        self.per_beat = per_beat
        self.receive_latency = self.latency(per_beat)
        super().__init__(
            {
                "logit": In(logit_layout(logit_width, per_beat)),
                "complete": Out(1),
                "maximum": Out(signed(logit_width)),
                "best": Out(range(vocab_size)),
                "start": In(1),
                "stored": Out(logit_layout(logit_width)),
            }
        )

    @staticmethod
    def latency(per_beat: int = 1) -> int:
        """Cycles from ``logit.last`` to ``complete``: one more for the larger of two."""
        return 1 + per_beat

    @classmethod
    def pass_latency(cls, vocab_size: int) -> int:
        """Cycles from ``start`` to ``stored.last``."""
        return vocab_size + cls.READ_LATENCY

    def elaborate(self, platform):
        m = Module()
        m.submodules.logits = logits = memory.Memory(
            shape=data.ArrayLayout(signed(self.logit_width), self.per_beat),
            depth=ceil_div(self.vocab_size, self.per_beat),
            init=[],
            attrs={"ram_style": "block", **COLLISION_FREE},
        )
        self._receive(m, logits.write_port())
        self._replay(m, logits)
        return m

    def _receive(self, m, write):
        received = Signal(write.data.shape(), reset_less=True)
        valid, last = Signal(), Signal()
        index = Signal(write.addr.shape())
        m.d.sync += [
            Cat(received).eq(Cat(self.logit.value)),
            valid.eq(self.logit.valid),
            last.eq(self.logit.valid & self.logit.last),
        ]
        with m.If(valid):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
        m.d.comb += [
            write.addr.eq(index),
            write.data.eq(received),
            write.en.eq(valid),
        ]
        value, token, first = received[0], index, index == 0
        if self.per_beat == 2:
            larger = received[1] > received[0]
            if self.vocab_size % 2:
                larger = larger & ~last
            value = delayed(m, Mux(larger, received[1], received[0]), 1, name="larger")
            token = delayed(m, Cat(larger, index)[: len(self.best)], 1, name="token")
            first = delayed(m, first, 1, name="compared_first")
            valid = delayed(m, valid, 1, reset_less=False, name="compared")
            last = delayed(m, last, 1, reset_less=False, name="compared_last")
        maximum = Signal(signed(self.logit_width), reset_less=True)
        best = Signal(range(self.vocab_size), reset_less=True)
        with m.If(valid & (first | (value > maximum))):
            m.d.sync += [maximum.eq(value), best.eq(token)]
        m.d.comb += [
            self.complete.eq(delayed(m, last, 1, reset_less=False, name="complete")),
            self.maximum.eq(maximum),
            self.best.eq(best),
        ]

    def _replay(self, m, logits):
        reading = Signal()
        address = Signal(range(self.vocab_size))
        at_end = address == self.vocab_size - 1
        with m.If(self.start):
            m.d.sync += [reading.eq(1), address.eq(0)]
        with m.Elif(reading):
            m.d.sync += address.eq(address + 1)
            with m.If(at_end):
                m.d.sync += reading.eq(0)
        # The second register is the block memory's own output register.
        word = address if self.per_beat == 1 else address >> 1
        stored = delayed(m, Cat(registered_read(m, logits, word)), 1, name="stored")
        values = [stored.word_select(i, self.logit_width) for i in range(self.per_beat)]
        value = values[0]
        if self.per_beat == 2:
            value = Mux(delayed(m, address[:1], self.READ_LATENCY, name="second"), values[1], value)
        valid, last = Signal(self.READ_LATENCY), Signal(self.READ_LATENCY)
        m.d.sync += [
            valid.eq((valid << 1) | reading),
            last.eq((last << 1) | (reading & at_end)),
        ]
        m.d.comb += [
            self.stored.value.eq(value.as_signed()),
            self.stored.valid.eq(valid[-1]),
            self.stored.last.eq(last[-1]),
        ]
