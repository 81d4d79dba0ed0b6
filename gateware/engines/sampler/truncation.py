"""Top-k, then top-p: which keys may be drawn, found by one histogram of keys for each."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .draw import TokenDraw
from .key_histogram import KeyHistogram, weighted_key_layout
from .scheme import SamplingScheme


class Truncation(wiring.Component):
    """Limits what a :class:`TokenDraw` draws from, as ``model.contract.decoder.sampling``.

    A round clears the histogram, lets the draw make its first pass, whose keys it counts (top-k)
    or whose probabilities it adds (top-p), and searches the key at which they reach ``top_k``, or
    the draw's limit. Top-k's round comes first, so that top-p's adds what top-k keeps. Then the
    whole draw starts: ``latency`` cycles after ``start``, or in its cycle without any round.

    Parameters
    ----------
    vocab_size : int
    scheme : SamplingScheme with top-p

    Members
    -------
    start : In(1), pulse: all logits are there
    top_k_on, top_p_on, top_k : In, constant while a token is chosen
    start_draw, whole, keep_all, threshold, ties, by_mass : Out, as the members of TokenDraw
    limit, weighted : In, from TokenDraw
    drawn : In(1), ``done`` of TokenDraw
    """

    def __init__(self, vocab_size: int, scheme: SamplingScheme):
        self.scheme = scheme
        self.mass_bits = scheme.mass_bits(vocab_size)
        super().__init__(
            {
                "start": In(1),
                "top_k_on": In(1),
                "top_p_on": In(1),
                "top_k": In(range(vocab_size + 1)),
                "start_draw": Out(1),
                "whole": Out(1),
                "keep_all": Out(1),
                "threshold": Out(scheme.key_bits),
                "ties": Out(self.mass_bits),
                "by_mass": Out(1),
                "limit": In(self.mass_bits),
                "weighted": In(weighted_key_layout(scheme.key_bits, scheme.probability_bits)),
                "drawn": In(1),
            }
        )

    @staticmethod
    def latency(key_latency: int, rounds: int, scheme: SamplingScheme) -> int:
        """Cycles from ``start`` to that of the whole draw, with 0 to 2 rounds."""
        search = KeyHistogram.latency(scheme.key_bits)
        return rounds * (2 * search + TokenDraw.limit_latency(key_latency, scheme))

    def elaborate(self, platform):
        m = Module()
        m.submodules.histogram = histogram = KeyHistogram(
            key_bits=self.scheme.key_bits,
            weight_bits=self.scheme.probability_bits,
            sum_bits=self.mass_bits,
        )
        adding_mass = Signal()
        limited, by_mass = Signal(), Signal()
        whole = Signal()
        # A limit of 0 leaves the first token, as 1 does.
        limit = Cat(self.limit[0] | ~self.limit.any(), self.limit[1:])
        m.d.comb += [
            whole.eq(1),
            histogram.added.eq(self.weighted),
            histogram.goal.eq(Mux(adding_mass, limit, self.top_k)),
            self.whole.eq(whole),
            self.keep_all.eq(~limited),
            self.threshold.eq(histogram.threshold),
            self.ties.eq(histogram.rest),
            self.by_mass.eq(by_mass),
        ]
        with m.If(~adding_mass):
            m.d.comb += histogram.added.weight.eq(1)
        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [adding_mass.eq(~self.top_k_on), limited.eq(0), by_mass.eq(0)]
                with m.If(self.top_k_on | self.top_p_on):
                    m.d.comb += histogram.clear.eq(1)
                    m.next = "CLEAR"
                with m.Else():
                    m.d.comb += self.start_draw.eq(1)
            with m.State("CLEAR"), m.If(histogram.done):
                m.d.comb += self.start_draw.eq(1)
                m.next = "PASS"
            with m.State("PASS"):
                m.d.comb += whole.eq(0)
                with m.If(self.drawn):
                    m.d.comb += histogram.search.eq(1)
                    m.next = "SEARCH"
            with m.State("SEARCH"), m.If(histogram.done):
                m.d.sync += [adding_mass.eq(1), limited.eq(1), by_mass.eq(adding_mass)]
                with m.If(~adding_mass & self.top_p_on):
                    m.d.comb += histogram.clear.eq(1)
                    m.next = "CLEAR"
                with m.Else():
                    m.d.comb += self.start_draw.eq(1)
                    m.next = "IDLE"
        return m
