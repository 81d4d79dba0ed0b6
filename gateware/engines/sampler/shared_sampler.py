"""One sampler for several streams, which take it one after the other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.sampling import DISCARDED, FRACTION_BITS, SEED_MASK

from ...parts.selected import selected
from .logit_store import logit_layout
from .random_generator import STATE_BITS, xorshift32
from .sampler import Sampler, TokenChooser, sampling_layout, token_layout

PART_BITS = 6
"""Of a state, as many as a look-up table takes."""


class SharedSampler(wiring.Component):
    """A :class:`.sampler.Sampler` whose settings and random numbers are those of a stream.

    From ``take`` to ``token.valid`` it is of ``stream``; there is one token for each ``take``. Its
    latencies are those of the sampler.

    Parameters
    ----------
    sampler : Sampler, whose sizes it has
    streams : int

    Members
    -------
    settings : In(ArrayLayout(sampling_layout(vocab_size), streams))
        Read in the cycle of ``take``.
    take : In(1), a pulse
    seed : In(1), with ``take``: the stream's generator begins anew; ``reseed_latency`` and 1 cycles
        before the first token's last logit, at least
    stream : In(range(streams)), constant from ``take`` to ``token.valid``
    logit, token
        As of Sampler.
    """

    def __init__(self, sampler: Sampler, streams: int):
        self._sampler, self._streams = sampler, streams
        settings = sampling_layout(sampler.vocab_size, sampler.scheme)
        super().__init__(
            {
                "settings": In(data.ArrayLayout(settings, streams)),
                "take": In(1),
                "seed": In(1),
                "stream": In(range(streams)),
                "logit": In(logit_layout(sampler.logit_width, sampler.logits_per_beat)),
                "token": Out(token_layout(sampler.vocab_size)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.chooser = chooser = TokenChooser(self._sampler)
        kept = Signal.like(chooser.settings, name="kept", reset_less=True)
        with m.If(self.take):
            m.d.sync += [
                getattr(kept, name).eq(
                    selected([getattr(each, name) for each in self.settings], self.stream)
                )
                for name, _ in chooser.settings.shape()
                if name != "seed"
            ]
        # a register behind the choice of a state: the draw has a choice of its own
        fraction = Signal.like(chooser.fraction, reset_less=True)
        m.d.sync += fraction.eq(self._random(m, chooser.advance))
        m.d.comb += [
            chooser.settings.eq(kept),
            chooser.fraction.eq(fraction),
            chooser.logit.eq(self.logit),
            self.token.eq(chooser.token),
        ]
        return m

    def _random(self, m: Module, advance):
        """The upper bits of the stream's random number: as
        :class:`.random_generator.RandomGenerator`, with a state for each stream in one memory."""
        m.submodules.states = states = memory.Memory(
            shape=STATE_BITS, depth=self._streams, init=[], attrs={"ram_style": "distributed"}
        )
        read, write = states.read_port(domain="comb"), states.write_port()
        discarding, seeding = Signal(range(DISCARDED + 1)), Signal()
        m.d.sync += seeding.eq(self.take & self.seed)
        with m.If(seeding):
            m.d.sync += discarding.eq(DISCARDED)
        with m.Elif(discarding.any()):
            m.d.sync += discarding.eq(discarding - 1)
        seed = selected([settings.seed for settings in self.settings], self.stream)
        masked, first = Signal(STATE_BITS, reset_less=True), Signal(STATE_BITS)
        # whether a part of it has a one: that of all 32 bits takes another cycle
        parts = range(0, STATE_BITS, PART_BITS)
        ones = Cat((seed ^ SEED_MASK)[low : low + PART_BITS].any() for low in parts)
        has_one = Signal(len(ones), reset_less=True)
        m.d.sync += [masked.eq(seed ^ SEED_MASK), has_one.eq(ones)]
        m.d.comb += first.eq(Cat(masked[0] | ~has_one.any(), masked[1:]))
        m.d.comb += [
            read.addr.eq(self.stream),
            write.addr.eq(self.stream),
            write.en.eq(seeding | discarding.any() | advance),
            write.data.eq(Mux(seeding, first, xorshift32(read.data))),
        ]
        return read.data[STATE_BITS - FRACTION_BITS :]
