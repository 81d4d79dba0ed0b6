"""A core that keeps the contract of the core with the console, and has no model."""

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring

from gateformer.gateware.compiler.program import PROMPT_OVERHEAD
from gateformer.gateware.core.ports import core_signature
from gateformer.gateware.engines.sampler.scheme import scheme_of
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.sampling import SamplingSettings

DIGEST = bytes(range(3, 35)).hex()
BUILD_ID = 0xC0FFEE
LOGIT_SCALE = 0.00035
CTX_LEN = 40
NAME = "tïny"
VOCABULARY = tuple("\n !'abcdefghijklmnop/\\x0123456789\t\x1b\x00\x7f\x85éß€ÿ中\uffff😀\U0010ffff")
VOCABULARY = (*VOCABULARY[:20], "", *VOCABULARY[20:])
VOCABULARY += ("",) * (64 - len(VOCABULARY))
CONFIG = ModelConfig(
    vocab_size=len(VOCABULARY), d_model=4, n_heads=2, n_layers=1, d_ff=8, ctx_len=CTX_LEN
)
HW = HwConfig(2, 4, 4)


class StandInCore(wiring.Component):
    """Keeps the core's side of the contract; its tokens depend on all that it was given.

    Every token takes ``CYCLES``. ``state`` is a sum of the settings and the prompt, stirred with
    every token; the token is its upper bits.
    """

    CYCLES = 41
    STATE = 16

    def __init__(self, config: ModelConfig):
        self.config = config
        super().__init__(core_signature(config.vocab_size, scheme=scheme_of(config)))

    @classmethod
    def stir(cls, state: int, token: int) -> int:
        return (state * 5 + token * 257 + 4321) % 2**cls.STATE

    @classmethod
    def token(cls, state: int, vocab_size: int) -> int:
        return state >> (cls.STATE - (vocab_size - 1).bit_length())

    @classmethod
    def first_state(cls, settings: SamplingSettings, count: int) -> int:
        return (
            settings.temperature_mult * 7
            + settings.temperature_shift * 33
            + settings.top_k * 129
            + (settings.seed & 0xFFFF)
            + 3 * (settings.seed >> 16)
            + count * 11
            + getattr(settings, "top_p", 0) * 13
        ) % 2**cls.STATE

    @classmethod
    def cycles(cls, prompt: int, text: int) -> int:
        """What ``/bench`` and others count; the first token's program begins early here."""
        return cls.CYCLES * (prompt - 1 + text) + 1 - PROMPT_OVERHEAD

    def elaborate(self, platform):
        m = Module()
        settings, ctx_len = self.settings, self.config.ctx_len
        state, remaining = Signal(self.STATE), Signal(16)
        position, predict, left = Signal(range(ctx_len + 1)), Signal(), Signal(range(self.CYCLES))
        stop = Signal()
        bits = (self.config.vocab_size - 1).bit_length()
        m.d.comb += [
            stop.eq((remaining == 1) | (position == ctx_len)),
            self.output.payload.token.eq(state[-bits:]),
            self.output.payload.last.eq(stop),
        ]
        first = settings.temperature_mult * 7 + settings.temperature_shift * 33
        first += settings.top_k * 129 + settings.seed[:16] + 3 * settings.seed[16:]
        first += settings.count * 11
        if hasattr(settings, "top_p"):
            first += settings.top_p * 13
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [state.eq(first), remaining.eq(settings.count), position.eq(0)]
                m.d.sync += self.context_full.eq(0)
                m.next = "PROMPT"
            with m.State("PROMPT"):
                m.d.comb += self.prompt.ready.eq(1)
                with m.If(self.prompt.valid):
                    token = self.prompt.payload.token
                    m.d.sync += [state.eq(state * 5 + token * 257 + 4321)]
                    m.d.sync += [predict.eq(self.prompt.payload.last), left.eq(self.CYCLES - 2)]
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.d.sync += position.eq(position + 1)
                    m.next = "PROMPT"
                    with m.If(predict):
                        m.next = "EMIT"
            with m.State("EMIT"):
                m.d.comb += self.output.valid.eq(1)
                with m.If(self.output.ready):
                    m.d.sync += [remaining.eq(remaining - 1), left.eq(self.CYCLES - 2)]
                    m.d.sync += state.eq(state * 5 + self.output.payload.token * 257 + 4321)
                    m.next = "RUN"
                    with m.If(stop):
                        m.d.sync += self.context_full.eq(remaining != 1)
                        m.next = "IDLE"
        reset = Signal(reset_less=True)
        m.d.sync += reset.eq(self.abort)
        return ResetInserter(reset)(m)


def stand_in_generate(prompt, count, settings, config: ModelConfig = CONFIG):
    """What :class:`StandInCore` makes of a prompt: (tokens, cycles)."""
    core = StandInCore
    state = core.first_state(settings, count)
    for token in prompt:
        state = core.stir(state, token)
    position, tokens = len(prompt), []
    while True:
        tokens.append(core.token(state, config.vocab_size))
        if len(tokens) == count or position == config.ctx_len:
            return tokens, core.cycles(len(prompt), len(tokens))
        state = core.stir(state, tokens[-1])
        position += 1
