"""Drawing a token in proportion to the probabilities of its key."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.arith import EXP2
from gateformer.model.contract.sampling import FRACTION_BITS

from .keys import KEY_BITS, key_layout
from .top_k import is_less


class TokenDraw(wiring.Component):
    """First token whose cumulative probability exceeds ``(fraction * total) >> 24``.

    Asks for two passes over the keys, by ``start_pass``: one for the total, one for the draw.
    Between them ``fraction * total`` is added up bit by bit, least significant first; shifting
    down at every step drops the bits below the point without changing those above.

    From ``start`` to ``done`` it takes ``latency(key_latency)`` cycles. ``token`` holds from
    ``done`` to the next ``start``.

    Parameters
    ----------
    vocab_size : int, at least 1

    Members
    -------
    start : In(1), pulse
    keep_all, threshold : In(1), In(9)
        Keys below ``threshold`` stay, or all; constant from ``start`` to ``done``.
    ties : In(range(vocab_size + 1))
        Keys equal to ``threshold`` that stay (the first ones); constant as ``threshold``.
    fraction : In(24)
        Constant from ``start`` + 1 to ``done``.
    start_pass : Out(1), pulse
    key : In({valid: 1, value: 9, last: 1})
    done : Out(1), pulse
    token : Out(range(vocab_size))
    """

    PASS_DRAIN = 4

    def __init__(self, vocab_size: int):
        self.vocab_size = vocab_size
        super().__init__(
            {
                "start": In(1),
                "keep_all": In(1),
                "threshold": In(KEY_BITS),
                "ties": In(range(vocab_size + 1)),
                "fraction": In(FRACTION_BITS),
                "start_pass": Out(1),
                "key": In(key_layout()),
                "done": Out(1),
                "token": Out(range(vocab_size)),
            }
        )

    @classmethod
    def latency(cls, key_latency: int) -> int:
        """Cycles from ``start`` to ``done``.

        ``key_latency`` is the number of cycles from ``start_pass`` to ``key.last``.
        """
        return 2 * (key_latency + cls.PASS_DRAIN) + FRACTION_BITS + 1

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
        m.d.comb += self.token.eq(token)
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
                    m.d.comb += self.start_pass.eq(1)
                    m.next = "DRAW"
            with m.State("DRAW"):
                with m.If(added & ~(limit < mass)):
                    m.d.sync += token.eq(token + 1)
                with m.If(all_added):
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.done.eq(1)
                m.next = "IDLE"
        return m

    def _add_probabilities(self, m, added, all_added):
        """Sum of the probabilities so far in this pass; ``added`` follows a key by four cycles."""
        m.submodules.exp2 = exp2 = memory.Memory(
            shape=EXP2.OUT_BITS,
            depth=2**KEY_BITS,
            init=EXP2.table.tolist(),
            attrs={"ram_style": "block", "rom_style": "block"},
        )
        table = exp2.read_port()
        m.d.comb += table.addr.eq(self.key.value)
        valid, last = Signal(3), Signal(3)
        below, equal = Signal(reset_less=True), Signal(reset_less=True)
        kept = Signal(reset_less=True)
        ties_left = Signal(range(self.vocab_size + 1), reset_less=True)
        entry = Signal(EXP2.OUT_BITS, reset_less=True)
        probability = Signal(EXP2.OUT_BITS, reset_less=True)
        m.d.sync += [
            valid.eq(Cat(self.key.valid, valid)),
            last.eq(Cat(self.key.last, last)),
            added.eq(valid[-1]),
            all_added.eq(last[-1]),
            below.eq(self.keep_all | is_less(self.key.value, self.threshold)),
            equal.eq(self.key.value == self.threshold),
            kept.eq(below | (equal & ties_left.any())),
            # the block memory's output register
            entry.eq(table.data),
            probability.eq(entry & kept.replicate(EXP2.OUT_BITS)),
        ]
        mass = Signal(range(self.vocab_size * EXP2.table.max() + 1), reset_less=True)
        with m.If(self.start_pass):
            m.d.sync += [mass.eq(0), ties_left.eq(self.ties)]
        with m.Else():
            with m.If(valid[0] & equal & ties_left.any()):
                m.d.sync += ties_left.eq(ties_left - 1)
            with m.If(valid[-1]):
                m.d.sync += mass.eq(mass + probability)
        return mass
