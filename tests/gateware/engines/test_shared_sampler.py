"""One sampler for several streams: each has the tokens of a sampler of its own."""

import random

import pytest

from gateformer.gateware.engines.sampler.sampler import Sampler
from gateformer.gateware.engines.sampler.shared_sampler import SharedSampler
from gateformer.gateware.parts.elaboration import may_stay_unused
from gateformer.model.contract.sampling import SEED_MASK, SamplingSettings
from gateformer.model.contract.sampling import Sampler as Reference
from tests.support.component_simulation import simulate

LOGIT_WIDTH, TOKENS = 12, 24


@pytest.mark.parametrize(("streams", "vocab_size"), [(2, 11), (3, 11), (3, 2)])
def test_tokens_of_streams_in_any_order(streams, vocab_size):
    rng = random.Random(streams)
    sizes = Sampler(vocab_size=vocab_size, logit_width=LOGIT_WIDTH)
    may_stay_unused(sizes)
    dut = SharedSampler(sizes, streams)
    settings = [
        SamplingSettings(
            temperature_mult=1 + rng.randrange(255) if stream < 2 else 0,
            temperature_shift=rng.randrange(4, 12),
            top_k=rng.choice((0, vocab_size // 2)),
            # that of the first one's generator would be all zeros, of the second one's a single one
            seed=(SEED_MASK, SEED_MASK ^ 1 << 1 + rng.randrange(31), rng.getrandbits(32))[stream],
        )
        for stream in range(streams)
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
            logits = [rng.randrange(-500, 501) for _ in range(vocab_size)]
            for number, logit in enumerate(logits):
                last = number == vocab_size - 1
                ctx.set(dut.logit, {"valid": 1, "value": logit, "last": last})
                await ctx.tick()
            ctx.set(dut.logit.valid, 0)
            while not ctx.get(dut.token.valid):
                await ctx.tick()
            assert ctx.get(dut.token.token) == references[stream].choose(logits)

    simulate(dut, bench)
