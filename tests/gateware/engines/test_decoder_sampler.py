"""The sampler of contract version 2 against model.contract.decoder.sampling."""

import random

import numpy as np
import pytest
from amaranth.hdl import Module, Signal

from gateformer.gateware.engines.sampler.draw import key_probability, probability_latency
from gateformer.gateware.engines.sampler.keys import SamplingKeys
from gateformer.gateware.engines.sampler.sampler import Sampler, sampled_latency
from gateformer.gateware.engines.sampler.scheme import VERSION_1, VERSION_2
from gateformer.model.contract.arith import EXP2, round_shift
from gateformer.model.contract.choices import Bits
from gateformer.model.contract.decoder.arith import exp2
from gateformer.model.contract.decoder.sampling import TOP_P_ONE, DecoderSampler, DecoderSettings

from .test_sampler import random_logits, reseed, send_logits, simulate

FAR = 2 ** (VERSION_2.key_bits - 1)


LOGIT_BITS = Bits().logit


def decoder_sampler(vocab_size, logit_width=LOGIT_BITS):
    return Sampler(vocab_size=vocab_size, logit_width=logit_width, scheme=VERSION_2)


def expected_latency(dut, settings):
    if settings.greedy:
        return dut.greedy_latency
    return dut.sampled_latency(bool(settings.top_k), settings.top_p < TOP_P_ONE)


def check(dut, sequences):
    """``sequences``: (settings, list of logits); tokens and latencies must be the contract's."""
    m = Module()
    m.submodules.dut = dut
    cycle = Signal(32)
    m.d.sync += cycle.eq(cycle + 1)

    async def testbench(ctx):
        for settings, tokens in sequences:
            await reseed(ctx, dut, settings)
            contract = DecoderSampler(settings)
            for logits in tokens:
                await send_logits(ctx, dut, logits)
                last = ctx.get(cycle)
                await ctx.tick()
                ctx.set(dut.logit.valid, 0)
                *_, token = await ctx.tick().sample(dut.token.token).until(dut.token.valid)
                assert token == contract.choose(logits), (settings, logits)
                assert ctx.get(cycle) - 1 - last == expected_latency(dut, settings)

    simulate(m, testbench)


def spread_logits(rng, settings, vocab_size):
    """Logits whose keys reach from 0 to somewhat beyond the last one that counts; some equal."""
    unit = 2**settings.temperature_shift / max(settings.temperature_mult, 1)
    reach = rng.choice([20, 300, FAR + 300])
    maximum = rng.randint(-(2**31), 2**31 - 1)
    distances = [0] + [int(rng.randint(0, reach) * unit) for _ in range(vocab_size - 1)]
    logits = [max(maximum - distance, -(2**31)) for distance in distances]
    logits = [rng.choice(logits) if rng.random() < 0.3 else logit for logit in logits]
    rng.shuffle(logits)
    return logits


def some_logits(rng, settings, vocab_size):
    if rng.random() < 0.4:
        return random_logits(rng, vocab_size, LOGIT_BITS)
    return spread_logits(rng, settings, vocab_size)


@pytest.mark.parametrize("vocab_size", [1, 2, 9, 33, 130])
def test_tokens_and_latencies_are_the_contract(vocab_size):
    rng = random.Random(vocab_size)
    sequences = []
    for _ in range(4 + 600 // (vocab_size + 30)):
        temperature = rng.choice([0, 10 ** rng.uniform(-12, 12), rng.uniform(0.5, 1.5)])
        settings = DecoderSettings.from_user(
            temperature=temperature,
            top_k=0,
            seed=rng.getrandbits(32),
            logit_scale=2.0 ** rng.randint(-30, 0),
            vocab_size=vocab_size,
        )
        sequences.append((settings, [some_logits(rng, settings, vocab_size) for _ in range(3)]))
    check(decoder_sampler(vocab_size), sequences)


@pytest.mark.parametrize("top_k", [0, 1, 17, 70])
@pytest.mark.slow_but("0")
def test_top_k_and_top_p_are_the_contract(top_k):
    vocab_size = 70
    rng = random.Random(100 + top_k)
    sequences = []
    for top_p in (1, TOP_P_ONE - 1, rng.randint(1, TOP_P_ONE), 60000, TOP_P_ONE):
        shift = rng.randint(8, 20)
        settings = DecoderSettings(rng.randint(1, 65535), shift, top_k, rng.getrandbits(32), top_p)
        tokens = 2 if top_p == 60000 else 1
        sequences.append(
            (settings, [some_logits(rng, settings, vocab_size) for _ in range(tokens)])
        )
    check(decoder_sampler(vocab_size), sequences)


@pytest.mark.parametrize("vocab_size", [1, 5])
@pytest.mark.slow_but("1")
def test_top_k_and_top_p_of_small_vocabularies(vocab_size):
    rng = random.Random(vocab_size)
    settings = DecoderSettings(40000, 10, vocab_size, 5, 60000)
    logits = [some_logits(rng, settings, vocab_size) for _ in range(2)]
    check(decoder_sampler(vocab_size), [(settings, logits)])


@pytest.mark.parametrize(
    ("logits", "top_k", "top_p", "stay"),
    [
        ([-256] * 4 + [0], 4, TOP_P_ONE, {4, 0, 1, 2}),
        # p is 32767 and 16384: of 98303, one half is exactly what the first two have
        ([-256, 0, -256, -256, -256], 0, TOP_P_ONE // 2, {0, 1}),
        ([-256, 0, -256, -256, -256], 0, TOP_P_ONE // 2 + 1, {0, 1, 2}),
        ([-256, 0, 0, -256, -256], 0, 1, {1}),
        # both cut the same ties
        ([0, -256, -256, -256, -256], 3, 60000, {0, 1, 2}),
        ([0, -256, -256, -256, -256], 3, 40000, {0, 1}),
        ([0, -256, -256, -256, -256], 3, TOP_P_ONE // 2, {0}),
    ],
)
@pytest.mark.slow_but("logits0-*", "logits3-*")
def test_ties_are_cut_in_their_middle(logits, top_k, top_p, stay):
    settings = DecoderSettings(1, 0, top_k, 7, top_p)
    contract = DecoderSampler(settings)
    assert {contract.choose(logits) for _ in range(40)} == stay
    check(decoder_sampler(len(logits), 12), [(settings, [logits] * 2)])


def test_every_shift_and_factor_rounds_as_the_contract():
    """Distances around halves and around the last key that counts, one per cycle."""
    rng = random.Random(5)
    dut = SamplingKeys(LOGIT_BITS, VERSION_2)
    most, largest = 2**31 - 1, 2**VERSION_2.key_bits - 1

    async def testbench(ctx):
        ctx.set(dut.maximum, most)
        for shift in range(DecoderSettings.MAX_SHIFT + 1):
            for mult in (1, 0x5555, 65535, rng.randint(2, 65534)):
                unit = 2**shift / mult
                near = [unit / 2, 3 * unit / 2, (FAR - 0.5) * unit, largest * unit, 0, 2**32 - 1]
                distances = [min(max(int(d) + i, 0), 2**32 - 1) for d in near for i in (-1, 0, 1)]
                expected = [
                    min(int(round_shift(np.array(d * mult), shift)), largest) for d in distances
                ]
                ctx.set(dut.mult, mult)
                ctx.set(dut.shift, shift)
                keys = []
                for i in range(len(distances) + dut.latency):
                    ctx.set(dut.logit.valid, i < len(distances))
                    ctx.set(dut.logit.value, most - distances[i % len(distances)])
                    assert ctx.get(dut.key.valid) == (i >= dut.latency)
                    if i >= dut.latency:
                        keys.append(ctx.get(dut.key.value))
                    await ctx.tick()
                assert keys == expected, (mult, shift)

    simulate(dut, testbench)


@pytest.mark.parametrize(("scheme", "expected"), [(VERSION_1, EXP2), (VERSION_2, exp2)])
def test_the_probability_of_every_key_is_the_contract(scheme, expected):
    m = Module()
    key = Signal(scheme.key_bits)
    probability = Signal(scheme.probability_bits)
    m.d.comb += probability.eq(key_probability(m, scheme, key))
    latency = probability_latency(scheme)

    async def testbench(ctx):
        found = []
        for value in range(2**scheme.key_bits + latency):
            ctx.set(key, value % 2**scheme.key_bits)
            found.append(ctx.get(probability))
            await ctx.tick()
        assert found[latency:] == expected(np.arange(2**scheme.key_bits)).tolist()

    simulate(m, testbench)


def test_keys_that_a_histogram_does_not_count_are_never_drawn():
    assert exp2(FAR) == 0
    assert exp2(FAR - 1) > 0


@pytest.mark.slow
def test_logits_may_come_in_the_cycle_of_the_token():
    rng = random.Random(3)
    dut = decoder_sampler(5, 9)
    settings = DecoderSettings(200, 1, 3, 9, 60000)

    async def testbench(ctx):
        await reseed(ctx, dut, settings)
        contract = DecoderSampler(settings)
        for _ in range(3):
            logits = random_logits(rng, 5, 9)
            await send_logits(ctx, dut, logits)
            await ctx.tick()
            ctx.set(dut.logit.valid, 0)
            await ctx.tick().repeat(expected_latency(dut, settings) - 1)
            assert ctx.get(dut.token.valid)
            assert ctx.get(dut.token.token) == contract.choose(logits)

    simulate(dut, testbench)


@pytest.mark.parametrize("wait", [3, FAR, FAR + 40, 2 * FAR, 2 * FAR + 70])
@pytest.mark.slow_but("3", "8262")
def test_reseed_forgets_a_token_under_way(wait):
    settings = DecoderSettings(200, 6, 3, 77, 50000)
    logits = [5, -80, 3, 100, 5, 99, 20]
    dut = decoder_sampler(7, 9)

    async def testbench(ctx):
        await reseed(ctx, dut, settings)
        await send_logits(ctx, dut, logits)
        await ctx.tick()
        ctx.set(dut.logit.valid, 0)
        await ctx.tick().repeat(wait)
        await reseed(ctx, dut, settings)
        await send_logits(ctx, dut, logits)
        await ctx.tick()
        ctx.set(dut.logit.valid, 0)
        await ctx.tick().repeat(expected_latency(dut, settings) - 1)
        assert ctx.get(dut.token.valid)
        assert ctx.get(dut.token.token) == DecoderSampler(settings).choose(logits)

    simulate(dut, testbench)


@pytest.mark.parametrize(
    ("top_k_on", "top_p_on", "cycles"),
    [(False, False, 98377), (True, False, 155777), (False, True, 155777), (True, True, 213177)],
)
def test_latency_of_a_large_vocabulary(top_k_on, top_p_on, cycles):
    """As the sampler's docstring says."""
    assert sampled_latency(49152, top_k_on, top_p_on=top_p_on, scheme=VERSION_2) == cycles
