"""Drawing a token in proportion to the probabilities of its key."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.sampling import FRACTION_BITS

from ...parts.delay import delayed
from .key_histogram import weighted_key_layout
from .keys import key_layout
from .scheme import VERSION_1, SamplingScheme

MOST_PARTS = 3
"""Look-up tables behind each other in a comparison."""


def is_less(a, b):
    """``a < b`` of two unsigned values of equal width, three bits per LUT.

    A comparison operator would take a carry chain of one LUT per bit; of wide values it does, as
    the parts would be as many look-up tables behind each other.
    """
    if len(a) > MOST_PARTS * 3:
        return a < b
    less, equal = Const(0, 1), Const(1, 1)
    for high in range(len(a), 0, -3):
        part_a, part_b = a[max(high - 3, 0) : high], b[max(high - 3, 0) : high]
        part_less = Const(0, 1)
        for x, y in zip(part_a, part_b, strict=True):
            part_less = (~x & y) | (~(x ^ y) & part_less)
        less = less | (equal & part_less)
        equal = equal & (part_a == part_b)
    return less


class TokenDraw(wiring.Component):
    """First token whose cumulative probability exceeds ``(fraction * total) >> 24``.

    Asks for two passes over the keys, by ``start_pass``: one for the total, one for the draw.
    Between them ``fraction * total`` is added up bit by bit, least significant first; shifting
    down at every step drops the bits below the point without changing those above.

    From ``start`` to ``done`` it takes ``latency(key_latency)`` cycles. ``token`` holds from
    ``done`` to the next ``start``.

    Where tokens may also be left out by top-p, the draw may end at ``(fraction * total) >> 24``,
    and ties may be limited by the sum of their probabilities: they stay while the sum of those
    before them is less than ``ties``.

    Parameters
    ----------
    vocab_size : int, at least 1
    scheme : SamplingScheme

    Members
    -------
    start : In(1), pulse
    keep_all, threshold : In(1), In(scheme.key_bits)
        Keys below ``threshold`` stay, or all; constant from ``start`` to ``done``.
    ties : In(range(vocab_size + 1))
        Keys equal to ``threshold`` that stay (the first ones); constant as ``threshold``.
    fraction : In(24)
        Constant from ``start`` + 2 to ``done``.
    start_pass : Out(1), pulse
    key : In({valid: 1, value: scheme.key_bits, last: 1})
    done : Out(1), pulse
    token : Out(range(vocab_size))

    With top-p also

    by_mass : In(1), constant as ``threshold``
        ``ties`` is a sum of probabilities, with as many bits as the sum of all.
    whole : In(1), constant from ``start`` + 1 to ``done``
        Draw a token. Otherwise ``done`` comes after the first pass, ``limit_latency(key_latency)``
        cycles after ``start``, and ``token`` has no meaning.
    limit : Out
        ``(fraction * total) >> 24``, in the cycle of ``done``.
    weighted : Out({valid: 1, key: scheme.key_bits, weight: scheme.probability_bits})
        Each key of a pass with its probability, 0 if it does not stay; the last one at least
        ``FRACTION_BITS`` cycles before ``done``.
    """

    def __init__(self, vocab_size: int, scheme: SamplingScheme = VERSION_1):
        self.vocab_size = vocab_size
        self.scheme = scheme
        members = {
            "start": In(1),
            "keep_all": In(1),
            "threshold": In(scheme.key_bits),
            "ties": In(range(vocab_size + 1)),
            "fraction": In(FRACTION_BITS),
            "start_pass": Out(1),
            "key": In(key_layout(scheme)),
            "done": Out(1),
            "token": Out(range(vocab_size)),
        }
        if scheme.has_top_p:
            mass_bits = scheme.mass_bits(vocab_size)
            members |= {
                "ties": In(mass_bits),
                "by_mass": In(1),
                "whole": In(1),
                "limit": Out(mass_bits),
                "weighted": Out(weighted_key_layout(scheme.key_bits, scheme.probability_bits)),
            }
        super().__init__(members)

    @staticmethod
    def pass_drain(scheme: SamplingScheme) -> int:
        """Cycles from the last key of a pass to the complete sum."""
        return probability_latency(scheme) + 3

    @classmethod
    def limit_latency(cls, key_latency: int, scheme: SamplingScheme = VERSION_1) -> int:
        """Cycles from ``start`` to ``done`` of a draw that is not whole.

        ``key_latency`` is the number of cycles from ``start_pass`` to ``key.last``.
        """
        return key_latency + cls.pass_drain(scheme) + FRACTION_BITS + 1

    @classmethod
    def latency(cls, key_latency: int, scheme: SamplingScheme = VERSION_1) -> int:
        """Cycles from ``start`` to ``done`` of a token."""
        return cls.limit_latency(key_latency, scheme) + key_latency + cls.pass_drain(scheme)

    def elaborate(self, platform):
        m = Module()
        added, all_added = Signal(), Signal()
        mass = self._add_probabilities(m, added, all_added)
        step = Signal(range(FRACTION_BITS + 1))
        # Registered one step ahead: the bit's multiplexer is not in the adder's path.
        fraction_bit = Signal(reset_less=True)
        limit = Signal(len(mass), reset_less=True)
        token = Signal(range(self.vocab_size), reset_less=True)
        m.d.sync += fraction_bit.eq(self.fraction.bit_select(step, 1))
        # a register: token loops of several streams hang on it
        done = Signal()
        m.d.comb += [self.token.eq(token), self.done.eq(done)]
        m.d.sync += done.eq(0)
        if self.scheme.has_top_p:
            m.d.comb += self.limit.eq(limit)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.start_pass.eq(self.start)
                m.d.sync += [step.eq(0), limit.eq(0)]
                with m.If(self.start):
                    m.next = "TOTAL"
            with m.State("TOTAL"), m.If(all_added):
                m.d.sync += step.eq(1)
                m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                addend = mass & fraction_bit.replicate(len(mass))
                m.d.sync += [step.eq(step + 1), limit.eq((limit + addend) >> 1), token.eq(0)]
                with m.If(step == FRACTION_BITS):
                    if self.scheme.has_top_p:
                        m.d.comb += self.start_pass.eq(self.whole)
                        with m.If(self.whole):
                            m.next = "DRAW"
                        with m.Else():
                            m.d.sync += done.eq(1)
                            m.next = "IDLE"
                    else:
                        m.d.comb += self.start_pass.eq(1)
                        m.next = "DRAW"
            with m.State("DRAW"):
                with m.If(added & ~(limit < mass)):
                    m.d.sync += token.eq(token + 1)
                with m.If(all_added):
                    m.d.sync += done.eq(1)
                    m.next = "IDLE"
        return m

    def _add_probabilities(self, m, added, all_added):
        """Sum of the probabilities so far in this pass; ``added`` follows a key by
        ``pass_drain`` cycles.
        """
        bits = self.scheme.probability_bits
        found = key_probability(m, self.scheme, self.key.value)
        wait = probability_latency(self.scheme) - 1
        valid, last = Signal(wait + 3), Signal(wait + 3)
        below, equal = Signal(reset_less=True), Signal(reset_less=True)
        kept = Signal(reset_less=True)
        ties_left = Signal.like(self.ties, reset_less=True, name="ties_left")
        entry = Signal(bits, reset_less=True)
        probability = Signal(bits, reset_less=True)
        m.d.sync += [
            valid.eq(Cat(self.key.valid, valid)),
            last.eq(Cat(self.key.last, last)),
            added.eq(valid[-1]),
            all_added.eq(last[-1]),
            below.eq(self.keep_all | is_less(self.key.value, self.threshold)),
            equal.eq(self.key.value == self.threshold),
        ]
        below = delayed(m, below, wait, name="below")
        equal = delayed(m, equal, wait, name="equal")
        m.d.sync += [
            kept.eq(below | (equal & ties_left.any())),
            # version 1: the block memory's output register
            entry.eq(found),
            probability.eq(entry & kept.replicate(bits)),
        ]
        mass = Signal(self.scheme.mass_bits(self.vocab_size), reset_less=True)
        with m.If(self.start_pass):
            m.d.sync += [mass.eq(0), ties_left.eq(self.ties)]
        with m.Else():
            with m.If(valid[wait] & equal & ties_left.any()):
                m.d.sync += ties_left.eq(self._without_tie(ties_left, found))
            with m.If(valid[-1]):
                m.d.sync += mass.eq(mass + probability)
        if self.scheme.has_top_p:
            m.d.comb += [
                self.weighted.valid.eq(valid[-1]),
                self.weighted.key.eq(delayed(m, self.key.value, wait + 3, name="key")),
                self.weighted.weight.eq(probability),
            ]
        return mass

    def _without_tie(self, ties_left, probability):
        if not self.scheme.has_top_p:
            return ties_left - 1
        left = ties_left - Mux(self.by_mass, probability, 1)
        return left[:-1] & ~left[-1].replicate(len(left) - 1)


def probability_latency(scheme: SamplingScheme) -> int:
    """Cycles from a key to :func:`key_probability`."""
    return 1 if scheme.key_bits == scheme.index_bits else 4


def key_probability(m: Module, scheme: SamplingScheme, key) -> Value:
    """The probability of a key, ``probability_latency(scheme)`` cycles later."""
    m.submodules.exp2 = exp2 = memory.Memory(
        shape=scheme.probability_bits,
        depth=2**scheme.index_bits,
        init=scheme.probabilities,
        attrs={"ram_style": "block", "rom_style": "block"},
    )
    table = exp2.read_port()
    m.d.comb += table.addr.eq(key[: scheme.index_bits])
    if scheme.key_bits == scheme.index_bits:
        return table.data
    octave = delayed(m, key[scheme.index_bits :], 2, name="octave")
    entry = Signal(scheme.probability_bits, reset_less=True)
    # One more bit below the point: the bit that rounds.
    doubled = Signal(scheme.probability_bits + 1, reset_less=True)
    rounded = Signal(scheme.probability_bits, reset_less=True)
    m.d.sync += [
        entry.eq(table.data),
        doubled.eq(Cat(Const(0, 1), entry) >> octave),
        rounded.eq((doubled + 1) >> 1),
    ]
    return rounded
