"""The sampler's random numbers: xorshift32, as in :func:`model.contract.sampling.xorshift32`."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.sampling import DISCARDED, SEED_MASK

STATE_BITS = 32


def xorshift32(state):
    """The generator's next state as an expression of ``state`` (a 32-bit value)."""
    state = (state ^ (state << 13))[:STATE_BITS]
    state = state ^ (state >> 17)
    return (state ^ (state << 5))[:STATE_BITS]


class RandomGenerator(wiring.Component):
    """xorshift32 with seeding, equal to ``model.contract.sampling.initial_state`` and
    ``xorshift32``.

    One number per cycle at most. ``state`` follows ``advance`` by one cycle. After ``reseed`` it
    runs through the discarded numbers by itself: ``reseed_latency`` cycles after the pulse,
    ``state`` is ``initial_state(seed)``; ``advance`` must be low until then. Undefined before
    the first ``reseed``.

    Source: Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003.

    Attributes
    ----------
    reseed_latency : int
        Cycles from ``reseed`` to the seeded ``state``.

    Members
    -------
    reseed : In(1), pulse
    seed : In(32), read in the cycle of ``reseed``
    advance : In(1)
    state : Out(32), the random number
    """

    reseed: In(1)
    seed: In(STATE_BITS)
    advance: In(1)
    state: Out(STATE_BITS)

    reseed_latency = DISCARDED + 1

    def elaborate(self, platform):
        m = Module()
        state = Signal(STATE_BITS, init=1, reset_less=True)
        discarding = Signal(range(DISCARDED + 1))
        seeded = self.seed ^ SEED_MASK
        m.d.comb += self.state.eq(state)
        with m.If(self.reseed):
            m.d.sync += [
                state.eq(Cat(seeded[0] | (self.seed == SEED_MASK), seeded[1:])),
                discarding.eq(DISCARDED),
            ]
        with m.Elif(discarding.any() | self.advance):
            m.d.sync += [
                state.eq(xorshift32(state)),
                discarding.eq(Mux(discarding.any(), discarding - 1, 0)),
            ]
        return m
