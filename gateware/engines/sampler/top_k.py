"""Top-k without sorting: the k-th smallest key, found bit by bit."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ...parts.integers import ceil_div
from .keys import key_layout
from .scheme import VERSION_1

KEY_BITS = VERSION_1.key_bits
SCAN_DRAIN = 4
"""Cycles of a scan after its last address: read, compare, count ones, add."""


class TopK(wiring.Component):
    """Threshold key and number of ties that let exactly ``k`` keys stay.

    Keys are taken in order while ``key.valid``. After ``start``, a binary search over the bits of
    a key, most significant first, counts in each of nine scans the keys that begin with the bits
    found so far and a 0, ``scan_width`` keys per cycle. Are there fewer than are still to stay, all
    of them do, and the bit is 1. ``threshold`` becomes the k-th smallest key: every key below it
    stays, and of those equal to it the first ``ties``.

    ``done`` follows ``start`` by ``latency(vocab_size, scan_width)`` cycles, whatever the keys
    are; ``threshold`` and ``ties`` hold from then until the next ``start``. With ``k`` above
    ``vocab_size`` all stay; ``k`` must be at least 1.

    Parameters
    ----------
    vocab_size : int
        Keys per token, at least 1.
    scan_width : int
        Keys compared per cycle, 1 to ``vocab_size``.

    Members
    -------
    key : In({valid: 1, value: 9, last: 1})
        ``last`` marks key ``vocab_size - 1``; every pass over the keys must be whole.
    start : In(1)
        Pulse, not before the cycle of ``key.last``.
    k : In(range(vocab_size + 1)), constant while searching
    done : Out(1), pulse
    threshold : Out(9)
    ties : Out(range(vocab_size + 1))
    """

    def __init__(self, vocab_size: int, scan_width: int):
        self.vocab_size = vocab_size
        self.scan_width = scan_width
        self.rows = ceil_div(vocab_size, scan_width)
        super().__init__(
            {
                "key": In(key_layout()),
                "start": In(1),
                "k": In(range(vocab_size + 1)),
                "done": Out(1),
                "threshold": Out(KEY_BITS),
                "ties": Out(range(vocab_size + 1)),
            }
        )

    @staticmethod
    def latency(vocab_size: int, scan_width: int) -> int:
        """Cycles from ``start`` to ``done``."""
        return KEY_BITS * (ceil_div(vocab_size, scan_width) + SCAN_DRAIN) + 1

    def elaborate(self, platform):
        m = Module()
        step = Signal(range(self.rows + SCAN_DRAIN))
        searching = Signal()
        # of a key, those that a scan looks at: the bits found and the next one, stable in a scan
        compared = Signal(KEY_BITS, reset_less=True)
        threshold = Signal(KEY_BITS, reset_less=True)
        ties = Signal.like(self.ties, reset_less=True)
        count = self._scan(m, step, compared, threshold)
        done = Signal()
        m.d.sync += done.eq(0)
        with m.If(self.start):
            m.d.sync += [
                searching.eq(1),
                step.eq(0),
                compared.eq(1 << (KEY_BITS - 1)),
                threshold.eq(0),
                ties.eq(self.k),
            ]
        with m.Elif(searching):
            m.d.sync += step.eq(step + 1)
            with m.If(step == self.rows + SCAN_DRAIN - 1):
                with m.If(count < ties):
                    next_bit = compared & ~(compared << 1)
                    m.d.sync += [threshold.eq(threshold | next_bit), ties.eq(ties - count)]
                m.d.sync += [
                    step.eq(0),
                    compared.eq(Cat(compared[1:], 1)),
                    searching.eq(~compared[0]),
                    done.eq(compared[0]),
                ]
        m.d.comb += [
            self.done.eq(done),
            self.threshold.eq(threshold),
            self.ties.eq(ties),
        ]
        return m

    def _scan(self, m, step, compared, prefix):
        """Number of keys with ``prefix`` in the bits ``compared``, ``SCAN_DRAIN`` steps after the
        last row."""
        word = self._read_keys(m, step)
        in_last_row = Signal(reset_less=True)
        m.d.sync += in_last_row.eq(step == self.rows - 1)
        used_in_last_row = self.vocab_size - (self.rows - 1) * self.scan_width
        matches = Signal(self.scan_width, reset_less=True)
        for lane in range(self.scan_width):
            padding = in_last_row if lane >= used_in_last_row else 0
            differs = (compared & (word[lane] ^ prefix)).any()
            m.d.sync += matches[lane].eq(~(differs | padding))
        ones = Signal(range(self.scan_width + 1), reset_less=True)
        m.d.sync += ones.eq(sum(matches))
        count = Signal(range(self.vocab_size + 1), reset_less=True)
        with m.If(step == SCAN_DRAIN - 1):
            m.d.sync += count.eq(ones)
        with m.Else():
            m.d.sync += count.eq(count + ones)
        return count

    def _read_keys(self, m, step):
        """Row ``step`` of the keys, one cycle later; also writes the keys that come in."""
        m.submodules.keys = keys = memory.Memory(
            shape=data.ArrayLayout(KEY_BITS, self.scan_width),
            depth=self.rows,
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write, read = keys.write_port(granularity=1), keys.read_port()
        row = Signal(range(self.rows))
        lane = Signal(self.scan_width, init=1)
        with m.If(self.key.valid):
            m.d.sync += lane.eq(lane.rotate_left(1))
            with m.If(lane[-1]):
                m.d.sync += row.eq(row + 1)
            with m.If(self.key.last):
                m.d.sync += [lane.eq(1), row.eq(0)]
        m.d.comb += [
            write.addr.eq(row),
            write.en.eq(lane & self.key.valid.replicate(self.scan_width)),
            write.data.as_value().eq(Cat([self.key.value] * self.scan_width)),
            read.addr.eq(step),
        ]
        return read.data
