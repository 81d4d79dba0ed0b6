"""The next token from integer logits, greedy or drawn: contract versions 1 and 2."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder.sampling import TOP_P_ONE
from gateformer.model.contract.sampling import FRACTION_BITS

from .draw import TokenDraw
from .keys import SamplingKeys, keys_latency
from .logit_store import LogitStore, logit_layout
from .random_generator import STATE_BITS, RandomGenerator
from .scheme import VERSION_1, SamplingScheme
from .top_k import TopK
from .truncation import Truncation

DEFAULT_SCAN_WIDTH = 8
TOP_P_BITS = TOP_P_ONE.bit_length() - 1


def sampling_layout(vocab_size: int, scheme: SamplingScheme = VERSION_1) -> data.StructLayout:
    """Settings of the sampler: the fields of ``scheme.settings``."""
    fields = {
        "temperature_mult": scheme.mult_bits,
        "temperature_shift": range(scheme.settings.MAX_SHIFT + 1),
        "top_k": range(vocab_size + 1),
        "seed": STATE_BITS,
    }
    if scheme.has_top_p:
        fields["top_p"] = range(TOP_P_ONE + 1)
    return data.StructLayout(fields)


def token_layout(vocab_size: int) -> data.StructLayout:
    """A token, valid for one cycle."""
    return data.StructLayout({"valid": 1, "token": range(vocab_size)})


def sampled_latency(
    vocab_size: int,
    top_k_on: bool,
    scan_width: int = DEFAULT_SCAN_WIDTH,
    *,
    top_p_on: bool = False,
    scheme: SamplingScheme = VERSION_1,
) -> int:
    """Cycles from ``logit.last`` to ``token.valid`` of a Sampler with a temperature above 0."""
    key_latency = LogitStore.pass_latency(vocab_size) + keys_latency(scheme)
    latency = LogitStore.receive_latency + TokenDraw.latency(key_latency, scheme)
    if scheme.has_top_p:
        latency += Truncation.latency(key_latency, top_k_on + top_p_on, scheme)
    elif top_k_on:
        latency += key_latency + TopK.latency(vocab_size, min(scan_width, vocab_size))
    return latency


class Sampler(wiring.Component):
    """Chooses a token from logits, bit for bit as ``model.contract.sampling.Sampler.choose`` or,
    with ``scheme=VERSION_2``, ``model.contract.decoder.sampling.DecoderSampler.choose``.

    The logits of token 0, 1, … come in order, at most ``logits_per_beat`` per cycle, with any gaps;
    ``last`` comes with the one of token ``vocab_size - 1``. The first logit of the next token may
    come in the cycle of ``token.valid`` at the earliest.

    From the cycle of ``logit.last`` to that of ``token.valid`` it takes exactly
    ``greedy_latency`` cycles with ``temperature_mult`` 0, otherwise ``sampled_latency``; neither
    depends on the logits.

    A sampled token takes two passes over the stored logits (the sum of the probabilities; the
    draw), with top-k another one and a search before them, with top-p one more of both. With
    49,152 tokens of version 2 these are 98,377 cycles, and 57,398 for top-k and for top-p. There
    are no multiplier blocks.

    Parameters
    ----------
    vocab_size : int
        At least 1.
    logit_width : int
        Bits of a signed logit, at least 1.
    scan_width : int
        Keys examined per cycle in the top-k search of version 1, at least 1; no more than
        ``vocab_size`` are built. Version 2's search goes through the kinds of keys instead.
    scheme : SamplingScheme
    logits_per_beat : int
        1 or 2.

    Attributes
    ----------
    greedy_latency : int
    reseed_latency : int
        ``reseed`` must come at least this many cycles before the first ``logit.last``.

    Members
    -------
    settings : In(sampling_layout(vocab_size, scheme))
        Constant from ``reseed`` or from the first logit, whichever is first, to ``token.valid``.
        With ``top_k`` above ``vocab_size`` all tokens stay.
    reseed : In(1)
        Pulse: the generator takes ``initial_state(seed)``. Also forgets logits and a token under
        way: a soft reset.
    logit : In(logit_layout(logit_width, logits_per_beat))
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

    def __init__(
        self,
        *,
        vocab_size: int,
        logit_width: int,
        scan_width: int = DEFAULT_SCAN_WIDTH,
        scheme: SamplingScheme = VERSION_1,
        logits_per_beat: int = 1,
    ):
        sizes = {"vocab_size": vocab_size, "logit_width": logit_width, "scan_width": scan_width}
        for name, value in sizes.items():
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{name} must be an integer, not {value!r}")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        if logits_per_beat not in (1, 2):
            raise ValueError(f"logits_per_beat must be 1 or 2, not {logits_per_beat!r}")
        self.vocab_size = vocab_size
        self.logit_width = logit_width
        self.scan_width = min(scan_width, vocab_size)
        self.scheme = scheme
        self.logits_per_beat = logits_per_beat
        super().__init__(
            {
                "settings": In(sampling_layout(vocab_size, scheme)),
                "reseed": In(1),
                "logit": In(logit_layout(logit_width, logits_per_beat)),
                "token": Out(token_layout(vocab_size)),
            }
        )

    def sampled_latency(self, top_k_on: bool, top_p_on: bool = False) -> int:
        """Cycles from ``logit.last`` to ``token.valid`` with a temperature above 0."""
        return sampled_latency(
            self.vocab_size, top_k_on, self.scan_width, top_p_on=top_p_on, scheme=self.scheme
        )

    def elaborate(self, platform):
        m = Module()
        chooser = TokenChooser(self)
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


class TokenChooser(wiring.Component):
    """The sampler without its generator.

    ``advance`` asks for the next random number, ``fraction`` is its upper 24 bits, two cycles
    later at the latest.
    """

    def __init__(self, sampler: Sampler):
        self.vocab_size = sampler.vocab_size
        self.logit_width = sampler.logit_width
        self.scan_width = sampler.scan_width
        self.scheme = sampler.scheme
        self.logits_per_beat = sampler.logits_per_beat
        super().__init__(
            {
                "settings": In(sampling_layout(self.vocab_size, self.scheme)),
                "fraction": In(FRACTION_BITS),
                "advance": Out(1),
                "logit": In(logit_layout(self.logit_width, self.logits_per_beat)),
                "token": Out(token_layout(self.vocab_size)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.store = store = LogitStore(
            self.vocab_size, self.logit_width, self.logits_per_beat
        )
        m.submodules.keys = keys = SamplingKeys(self.logit_width, self.scheme)
        settings = self.settings
        # the settings are constant long before `complete`
        sampled, top_k_on = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            sampled.eq(settings.temperature_mult.any()),
            top_k_on.eq(settings.top_k.any()),
        ]
        start = store.complete & sampled
        if self.scheme.has_top_p:
            draw, start_pass, drawn = self._truncate(m, start, top_k_on)
        else:
            draw, start_pass, drawn = self._rank(m, keys, start, top_k_on)
        m.d.comb += [
            self.advance.eq(start),
            store.logit.eq(self.logit),
            store.start.eq(start_pass),
            keys.maximum.eq(store.maximum),
            keys.logit.eq(store.stored),
            keys.mult.eq(settings.temperature_mult),
            keys.shift.eq(settings.temperature_shift),
            draw.key.eq(keys.key),
            self.token.valid.eq((store.complete & ~sampled) | drawn),
            self.token.token.eq(Mux(sampled, draw.token, store.best)),
        ]
        return m

    def _rank(self, m, keys, start, top_k_on):
        """The draw, ``start`` of a pass and ``done``; top-k takes a pass of its own."""
        m.submodules.top_k = top_k = TopK(self.vocab_size, self.scan_width)
        m.submodules.draw = draw = TokenDraw(self.vocab_size, self.scheme)
        ranking = Signal()
        with m.If(start & top_k_on):
            m.d.sync += ranking.eq(1)
        with m.Elif(keys.key.last):
            m.d.sync += ranking.eq(0)
        m.d.comb += [
            top_k.key.eq(keys.key),
            top_k.start.eq(ranking & keys.key.last),
            top_k.k.eq(self.settings.top_k),
            draw.start.eq((start & ~top_k_on) | top_k.done),
            draw.keep_all.eq(~top_k_on),
            draw.threshold.eq(top_k.threshold),
            draw.ties.eq(top_k.ties),
            draw.fraction.eq(self.fraction),
        ]
        return draw, (start & top_k_on) | draw.start_pass, draw.done

    def _truncate(self, m, start, top_k_on):
        """As :meth:`_rank`, with top-k and top-p."""
        m.submodules.truncation = truncation = Truncation(self.vocab_size, self.scheme)
        m.submodules.draw = draw = TokenDraw(self.vocab_size, self.scheme)
        top_p = self.settings.top_p
        share = top_p << (FRACTION_BITS - TOP_P_BITS)
        top_p_on = Signal(reset_less=True)
        fraction = Signal.like(draw.fraction, reset_less=True)
        m.d.sync += [
            top_p_on.eq(top_p != TOP_P_ONE),
            # read after a pass, long after the choice
            fraction.eq(Mux(truncation.whole, self.fraction, share)),
        ]
        m.d.comb += [
            truncation.start.eq(start),
            truncation.top_k_on.eq(top_k_on),
            truncation.top_p_on.eq(top_p_on),
            truncation.top_k.eq(self.settings.top_k),
            truncation.limit.eq(draw.limit),
            truncation.weighted.eq(draw.weighted),
            truncation.drawn.eq(draw.done),
            draw.start.eq(truncation.start_draw),
            draw.whole.eq(truncation.whole),
            draw.keep_all.eq(truncation.keep_all),
            draw.threshold.eq(truncation.threshold),
            draw.ties.eq(truncation.ties),
            draw.by_mass.eq(truncation.by_mass),
            draw.fraction.eq(fraction),
        ]
        return draw, draw.start_pass, draw.done & truncation.whole
