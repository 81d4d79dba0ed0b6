"""One sampler for several streams: each has the tokens of a sampler of its own."""

import random

import pytest

from gateformer.gateware.engines.sampler.sampler import Sampler
from gateformer.gateware.engines.sampler.shared_sampler import SharedSampler
from gateformer.gateware.parts.elaboration import may_stay_unused
from gateformer.model.contract.sampling import Sampler as Reference
from gateformer.model.contract.sampling import SamplingSettings
from tests.support.component_simulation import simulate

VOCAB_SIZE, LOGIT_WIDTH, TOKENS = 11, 12, 24


@pytest.mark.parametrize("streams", [2, 3])
def test_tokens_of_streams_in_any_order(streams):
    rng = random.Random(streams)
    sizes = Sampler(vocab_size=VOCAB_SIZE, logit_width=LOGIT_WIDTH)
    may_stay_unused(sizes)
    dut = SharedSampler(sizes, streams)
    settings = [
        SamplingSettings(
            temperature_mult=rng.choice((0, 1 + rng.randrange(255))),
            temperature_shift=rng.randrange(4, 12),
            top_k=rng.choice((0, 3)),
            seed=rng.getrandbits(32),
        )
        for _ in range(streams)
    ]
    references = [Reference(each) for each in settings]
    fresh = [True] * streams

    async def bench(ctx):
        for port, given in zip(dut.settings, settings, strict=True):
            for name, value in vars(given).items():
                ctx.set(getattr(port, name), value)
        for _ in range(TOKENS):
            stream = rng.randrange(streams)
            if not fresh[stream] and rng.random() < 0.2:  # a new sequence
                references[stream], fresh[stream] = Reference(settings[stream]), True
            ctx.set(dut.stream, stream)
            ctx.set(dut.take, 1)
            ctx.set(dut.seed, fresh[stream])
            fresh[stream] = False
            await ctx.tick()
            ctx.set(dut.take, 0)
            await ctx.tick().repeat(Sampler.reseed_latency)
            logits = [rng.randrange(-500, 501) for _ in range(VOCAB_SIZE)]
            for number, logit in enumerate(logits):
                last = number == VOCAB_SIZE - 1
                ctx.set(dut.logit, {"valid": 1, "value": logit, "last": last})
                await ctx.tick()
            ctx.set(dut.logit.valid, 0)
            while not ctx.get(dut.token.valid):
                await ctx.tick()
            assert ctx.get(dut.token.token) == references[stream].choose(logits)

    simulate(dut, bench)
