"""The console's settings, and every number it can print, bit by bit."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.config import ModelConfig

from ..parts.delay import delayed
from .counter import COUNTER_BITS
from .dialect import TOP_P_STEPS, dialect_of
from .messages import COUNT_LIMIT, SEED_LIMIT, TEMPERATURE_STEPS

DEFAULT_TEMPERATURE = 80
"""In hundredths."""
DEFAULT_TOP_K = 20
DEFAULT_SEED = 1


class ConsoleSettings(wiring.Component):
    """Registers of the settings, and the selection of a number to print.

    A setting is a ring: it goes round once while it is loaded into the number unit, and so keeps
    its value, or takes the unit's result.

    Parameters
    ----------
    config : ModelConfig
    streams : int
        Of the core, all of which generate at a ``bench``, each from a prompt of one token.

    Members
    -------
    temperature : Out(8), in hundredths; top_k, seed, tokens : Out
        Constant unless ``loading``. An imported model's dialect has top_p : Out, in hundredths.
    phase : In(5), loading, result : In(1)
        The number unit's.
    number : In, of the dialect's numbers
        Which one is at ``bit`` from the next cycle on.
    store : In(1)
        From the next cycle on, the setting ``number`` takes ``result`` while ``loading``.
    length, bench : In, the tokens of the prompt (``bench``: one per stream)
    text, cycles, waiting : In(1)
        Of each the bit of the phase that comes next.
    bit : Out(1)
        Bit ``phase`` of the number ``number``; of a setting only while ``loading``.
    setting : In(range(the dialect's settings)), limit : Out(1)
        Bit ``phase`` of the largest value that ``setting`` may have.
    """

    def __init__(self, config: ModelConfig, *, length_bits: int, streams: int = 1):
        self._config, self._dialect, self._streams = config, dialect_of(config), streams
        numbers = self._dialect.numbers
        imported = {"top_p": Out(range(TOP_P_STEPS + 1), init=TOP_P_STEPS)}
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
                "number": In(numbers),
                "store": In(1),
                "length": In(length_bits),
                "bench": In(1),
                "text": In(1),
                "cycles": In(1),
                "waiting": In(1),
                "bit": Out(1),
                "setting": In(range(self._dialect.settings)),
                "limit": Out(1),
                **(imported if hasattr(numbers, "TOP_P") else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        numbers = self._dialect.numbers
        rings = {
            numbers.TEMPERATURE: (self.temperature, TEMPERATURE_STEPS - 1),
            numbers.TOP_K: (self.top_k, self._config.vocab_size),
            numbers.SEED: (self.seed, SEED_LIMIT),
            numbers.TOKENS: (self.tokens, COUNT_LIMIT),
        }
        if hasattr(self, "top_p"):
            rings[numbers.TOP_P] = (self.top_p, TOP_P_STEPS)
        number, store = Signal.like(self.number, reset_less=True), Signal(reset_less=True)
        m.d.sync += [number.eq(self.number), store.eq(self.store)]
        ahead = Signal.like(self.phase, init=1)  # the phase that comes next
        m.d.sync += ahead.eq(self.phase + 2)
        further = Signal.like(self.phase, init=2)  # and the one after it
        m.d.sync += further.eq(self.phase + 3)
        length = Cat(self.length, C(0, COUNTER_BITS - len(self.length)))
        bench = C(self._streams, COUNTER_BITS)
        prompt = Mux(self.bench, bench.bit_select(further, 1), length.bit_select(further, 1))
        # of every number: its bit in the next cycle, and the one if its ring turns now
        first = {
            numbers.PROMPT: delayed(m, prompt, 1, name="prompt"),
            numbers.TEXT: self.text,
            numbers.CYCLES: self.cycles,
            numbers.WAITING: self.waiting,
        }
        second = dict(first)
        inside = Signal(len(numbers))
        m.d.comb += inside.eq(-1)
        inside_now = delayed(m, inside.bit_select(number, 1), 1, name="inside")
        for name, (ring, limit) in rings.items():
            first[name], second[name] = ring[0], ring.rotate_right(1)[0]
            m.d.comb += inside[name].eq(ahead < len(ring))
            selected = delayed(m, number == name, 1, name="selected")
            with m.If(self.loading & selected & inside_now):
                m.d.sync += ring.eq(Cat(ring[1:], Mux(store, self.result, ring[0])))
            with m.If(self.setting == name):
                m.d.sync += self.limit.eq(C(limit, COUNTER_BITS).bit_select(ahead, 1))
        bits = [Cat(of[name] for name in numbers).bit_select(number, 1) for of in (first, second)]
        m.d.sync += self.bit.eq(
            Mux(self.loading & inside_now, bits[1], bits[0]) & inside.bit_select(number, 1)
        )
        return m
