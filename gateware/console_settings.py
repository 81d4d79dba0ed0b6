"""The console's settings, and every number it can print, bit by bit."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from model.config import ModelConfig

from .console_counter import COUNTER_BITS
from .console_messages import COUNT_LIMIT, SEED_LIMIT, SETTINGS, TEMPERATURE_STEPS, Number

DEFAULT_TEMPERATURE = 80
"""In hundredths."""
DEFAULT_TOP_K = 20
DEFAULT_SEED = 1


class ConsoleSettings(wiring.Component):
    """Registers of the four settings, and the selection of a number to print.

    A setting is a ring: it goes round once while it is loaded into the number unit, and so keeps
    its value, or takes the unit's result.

    Parameters
    ----------
    config : ModelConfig

    Members
    -------
    temperature : Out(8), in hundredths; top_k, seed, tokens : Out
        Constant unless ``loading``.
    phase : In(5), loading, result : In(1)
        The number unit's.
    number : In(Number)
        Which one is at ``bit`` from the next cycle on.
    store : In(1)
        From the next cycle on, the setting ``number`` takes ``result`` while ``loading``.
    length, bench : In, the tokens of the prompt (``bench``: 1)
    text, cycles, waiting : In(1), bit ``phase`` of each
    bit : Out(1)
        Bit ``phase`` of Number ``number``; of a setting only while ``loading``.
    setting : In(range(4)), limit : Out(1)
        Bit ``phase`` of the largest value that ``setting`` may have.
    """

    def __init__(self, config: ModelConfig, *, length_bits: int):
        self._config = config
        super().__init__(
            {
                "temperature": Out(range(TEMPERATURE_STEPS), init=DEFAULT_TEMPERATURE),
                "top_k": Out(
                    range(config.vocab_size + 1), init=min(DEFAULT_TOP_K, config.vocab_size)
                ),
                "seed": Out(range(SEED_LIMIT + 1), init=DEFAULT_SEED),
                "tokens": Out(range(COUNT_LIMIT + 1)),
                "phase": In(range(COUNTER_BITS)),
                "loading": In(1),
                "result": In(1),
                "number": In(Number),
                "store": In(1),
                "length": In(length_bits),
                "bench": In(1),
                "text": In(1),
                "cycles": In(1),
                "waiting": In(1),
                "bit": Out(1),
                "setting": In(range(SETTINGS)),
                "limit": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rings = {
            Number.TEMPERATURE: (self.temperature, TEMPERATURE_STEPS - 1),
            Number.TOP_K: (self.top_k, self._config.vocab_size),
            Number.SEED: (self.seed, SEED_LIMIT),
            Number.TOKENS: (self.tokens, COUNT_LIMIT),
        }
        number, store = Signal.like(self.number, reset_less=True), Signal(reset_less=True)
        m.d.sync += [number.eq(self.number), store.eq(self.store)]
        bits = Signal(len(Number))
        for name, (ring, limit) in rings.items():
            inside = self.phase < len(ring)
            m.d.comb += bits[name].eq(ring[0] & inside)
            with m.If(self.loading & (number == name) & inside):
                m.d.sync += ring.eq(Cat(ring[1:], Mux(store, self.result, ring[0])))
            with m.If(self.setting == name):
                m.d.comb += self.limit.eq(C(limit, COUNTER_BITS).bit_select(self.phase, 1))
        length = Cat(self.length, C(0, COUNTER_BITS - len(self.length)))
        # a register: the bit of the phase that comes next
        prompt, ahead = Signal(reset_less=True), Signal.like(self.phase)
        m.d.comb += ahead.eq(self.phase + 1)
        m.d.sync += prompt.eq(Mux(self.bench, ahead == 0, length.bit_select(ahead, 1)))
        m.d.comb += [
            bits[Number.PROMPT].eq(prompt),
            bits[Number.TEXT].eq(self.text),
            bits[Number.CYCLES].eq(self.cycles),
            bits[Number.WAITING].eq(self.waiting),
            self.bit.eq(bits.bit_select(number, 1)),
        ]
        return m
