"""The next token from integer logits, as :mod:`model.contract.sampling`: greedy or drawn."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.sampling import (
    FRACTION_BITS,
    MAX_TEMPERATURE_SHIFT,
    TEMPERATURE_MULT_BITS,
)

from .draw import TokenDraw
from .keys import SamplingKeys
from .logit_store import LogitStore, logit_layout
from .random_generator import STATE_BITS, RandomGenerator
from .top_k import TopK

DEFAULT_SCAN_WIDTH = 8


def sampling_layout(vocab_size: int) -> data.StructLayout:
    """Settings of the sampler: the fields of ``model.contract.sampling.SamplingSettings``."""
    return data.StructLayout(
        {
            "temperature_mult": TEMPERATURE_MULT_BITS,
            "temperature_shift": range(MAX_TEMPERATURE_SHIFT + 1),
            "top_k": range(vocab_size + 1),
            "seed": STATE_BITS,
        }
    )


def token_layout(vocab_size: int) -> data.StructLayout:
    """A token, valid for one cycle."""
    return data.StructLayout({"valid": 1, "token": range(vocab_size)})


def sampled_latency(vocab_size: int, top_k_on: bool, scan_width: int = DEFAULT_SCAN_WIDTH) -> int:
    """Cycles from ``logit.last`` to ``token.valid`` of a Sampler with a temperature above 0."""
    scan_width = min(scan_width, vocab_size)
    key_latency = LogitStore.pass_latency(vocab_size) + SamplingKeys.latency
    latency = LogitStore.receive_latency + TokenDraw.latency(key_latency)
    if top_k_on:
        latency += key_latency + TopK.latency(vocab_size, scan_width)
    return latency


class Sampler(wiring.Component):
    """Chooses a token from logits, bit for bit as ``model.contract.sampling.Sampler.choose``.

    The logits of token 0, 1, … come in order, at most one per cycle, with any gaps; ``last``
    comes with the one of token ``vocab_size - 1``. The first logit of the next token may come in
    the cycle of ``token.valid`` at the earliest.

    From the cycle of ``logit.last`` to that of ``token.valid`` it takes exactly
    ``greedy_latency`` cycles with ``temperature_mult`` 0, otherwise ``sampled_latency``; neither
    depends on the logits.

    A sampled token takes two passes over the stored logits (the sum of the probabilities; the
    draw), with top-k another one and a search before them. There are no multiplier blocks.

    Parameters
    ----------
    vocab_size : int
        At least 1.
    logit_width : int
        Bits of a signed logit, at least 1.
    scan_width : int
        Keys examined per cycle in the top-k search, at least 1; no more than ``vocab_size`` are
        built.

    Attributes
    ----------
    greedy_latency : int
    reseed_latency : int
        ``reseed`` must come at least this many cycles before the first ``logit.last``.

    Members
    -------
    settings : In({temperature_mult: 8, temperature_shift: 5, top_k: range(vocab_size + 1),
            seed: 32})
        Constant from ``reseed`` or from the first logit, whichever is first, to ``token.valid``.
        With ``top_k`` above ``vocab_size`` all tokens stay.
    reseed : In(1)
        Pulse: the generator takes ``initial_state(seed)``. Also forgets logits and a token under
        way: a soft reset.
    logit : In({valid: 1, value: signed(logit_width), last: 1})
    token : Out({valid: 1, token: range(vocab_size)})
        ``valid`` for one cycle per token.

    Raises
    ------
    TypeError
        If a parameter is not an integer.
    ValueError
        If one is less than 1.
    """

    greedy_latency = LogitStore.receive_latency
    reseed_latency = RandomGenerator.reseed_latency

    def __init__(self, *, vocab_size: int, logit_width: int, scan_width: int = DEFAULT_SCAN_WIDTH):
        sizes = {"vocab_size": vocab_size, "logit_width": logit_width, "scan_width": scan_width}
        for name, value in sizes.items():
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{name} must be an integer, not {value!r}")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        self.vocab_size = vocab_size
        self.logit_width = logit_width
        self.scan_width = min(scan_width, vocab_size)
        super().__init__(
            {
                "settings": In(sampling_layout(vocab_size)),
                "reseed": In(1),
                "logit": In(logit_layout(logit_width)),
                "token": Out(token_layout(vocab_size)),
            }
        )

    def sampled_latency(self, top_k_on: bool) -> int:
        """Cycles from ``logit.last`` to ``token.valid`` with a temperature above 0."""
        return sampled_latency(self.vocab_size, top_k_on, self.scan_width)

    def elaborate(self, platform):
        m = Module()
        chooser = _TokenChooser(self.vocab_size, self.logit_width, self.scan_width)
        m.submodules.random = random = RandomGenerator()
        m.submodules.chooser = ResetInserter(self.reseed)(chooser)
        m.d.comb += [
            random.reseed.eq(self.reseed),
            random.seed.eq(self.settings.seed),
            random.advance.eq(chooser.advance & ~self.reseed),
            chooser.settings.eq(self.settings),
            chooser.fraction.eq(random.state[STATE_BITS - FRACTION_BITS :]),
            chooser.logit.eq(self.logit),
            self.token.eq(chooser.token),
        ]
        return m


class _TokenChooser(wiring.Component):
    """The sampler without its generator.

    ``advance`` asks for the next random number, ``fraction`` is its upper 24 bits.
    """

    def __init__(self, vocab_size, logit_width, scan_width):
        self.vocab_size = vocab_size
        self.logit_width = logit_width
        self.scan_width = scan_width
        super().__init__(
            {
                "settings": In(sampling_layout(vocab_size)),
                "fraction": In(FRACTION_BITS),
                "advance": Out(1),
                "logit": In(logit_layout(logit_width)),
                "token": Out(token_layout(vocab_size)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.store = store = LogitStore(self.vocab_size, self.logit_width)
        m.submodules.keys = keys = SamplingKeys(self.logit_width)
        m.submodules.top_k = top_k = TopK(self.vocab_size, self.scan_width)
        m.submodules.draw = draw = TokenDraw(self.vocab_size)
        settings = self.settings
        # the settings are constant long before `complete`
        sampled, top_k_on = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            sampled.eq(settings.temperature_mult.any()),
            top_k_on.eq(settings.top_k.any()),
        ]
        start = store.complete & sampled
        ranking = Signal()
        with m.If(start & top_k_on):
            m.d.sync += ranking.eq(1)
        with m.Elif(keys.key.last):
            m.d.sync += ranking.eq(0)
        m.d.comb += [
            self.advance.eq(start),
            store.logit.eq(self.logit),
            store.start.eq((start & top_k_on) | draw.start_pass),
            keys.maximum.eq(store.maximum),
            keys.logit.eq(store.stored),
            keys.mult.eq(settings.temperature_mult),
            keys.shift.eq(settings.temperature_shift),
            top_k.key.eq(keys.key),
            top_k.start.eq(ranking & keys.key.last),
            top_k.k.eq(settings.top_k),
            draw.start.eq((start & ~top_k_on) | top_k.done),
            draw.keep_all.eq(~top_k_on),
            draw.threshold.eq(top_k.threshold),
            draw.ties.eq(top_k.ties),
            draw.fraction.eq(self.fraction),
            draw.key.eq(keys.key),
            self.token.valid.eq((store.complete & ~sampled) | draw.done),
            self.token.token.eq(Mux(sampled, draw.token, store.best)),
        ]
        return m
