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

    Members
    -------
    logit : In(logit_layout(logit_width, per_beat))
    complete : Out(1), pulse
    maximum : Out(signed(logit_width))
    best : Out(range(vocab_size))
    start : In(1), pulse, not during a pass
    stored : Out({valid: 1, value: signed(logit_width), last: 1})
    """

    receive_latency = 2
    READ_LATENCY = 2

    def __init__(self, vocab_size: int, logit_width: int, per_beat: int = 1):
        self.vocab_size = vocab_size
        self.logit_width = logit_width
        self.per_beat = per_beat
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
        valid, last, complete = Signal(), Signal(), Signal()
        index = Signal(write.addr.shape())
        maximum = Signal(signed(self.logit_width), reset_less=True)
        best = Signal(range(self.vocab_size), reset_less=True)
        m.d.sync += [
            received.as_value().eq(Cat(self.logit.value)),
            valid.eq(self.logit.valid),
            last.eq(self.logit.valid & self.logit.last),
            complete.eq(last),
        ]
        value, token = received[0], index
        if self.per_beat == 2:
            value, token = self._larger(m, index)
        with m.If(valid):
            m.d.sync += index.eq(index + 1)
            with m.If(last):
                m.d.sync += index.eq(0)
            with m.If((index == 0) | (value > maximum)):
                m.d.sync += [maximum.eq(value), best.eq(token)]
        m.d.comb += [
            write.addr.eq(index),
            write.data.eq(received),
            write.en.eq(valid),
            self.complete.eq(complete),
            self.maximum.eq(maximum),
            self.best.eq(best),
        ]

    def _larger(self, m, index):
        """The larger of what is received together, when it is received, and its token."""
        first, second = self.logit.value
        larger = second > first
        if self.vocab_size % 2:
            larger = larger & ~self.logit.last
        is_second = delayed(m, larger, 1, name="is_second")
        value = delayed(m, Mux(larger, second, first), 1, name="larger")
        return value, Cat(is_second, index)

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
        word = address >> (self.per_beat - 1)
        stored = Signal(data.ArrayLayout(signed(self.logit_width), self.per_beat), reset_less=True)
        valid, last = Signal(self.READ_LATENCY), Signal(self.READ_LATENCY)
        m.d.sync += [
            stored.eq(registered_read(m, logits, word)),
            valid.eq((valid << 1) | reading),
            last.eq((last << 1) | (reading & at_end)),
        ]
        value = stored[0]
        if self.per_beat == 2:
            second = delayed(m, address[:1], self.READ_LATENCY, name="second")
            value = Mux(second, stored[1], value)
        m.d.comb += [
            self.stored.value.eq(value),
            self.stored.valid.eq(valid[-1]),
            self.stored.last.eq(last[-1]),
        ]
