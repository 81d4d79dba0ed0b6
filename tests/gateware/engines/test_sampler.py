"""The sampler against model.contract.sampling: tokens equal, latencies exact."""

import dataclasses
import gc
import random

import numpy as np
import pytest

from gateformer.gateware.engines.sampler.keys import SamplingKeys
from gateformer.gateware.engines.sampler.sampler import Sampler, sampled_latency
from gateformer.model.contract.sampling import Sampler as Contract
from gateformer.model.contract.sampling import SamplingSettings
from tests.support.component_simulation import simulate


async def reseed(ctx, dut, settings):
    ctx.set(dut.settings, dataclasses.asdict(settings))
    ctx.set(dut.reseed, 1)
    await ctx.tick()
    ctx.set(dut.reseed, 0)
    await ctx.tick().repeat(Sampler.reseed_latency - 1)


async def send_logits(ctx, dut, logits, stalls=None):
    """Drive the logits; returns in the cycle of the last one, before its clock edge."""
    per_beat = getattr(dut, "logits_per_beat", 1)
    beats = range(0, len(logits), per_beat)
    for i in beats:
        values = [int(value) for value in logits[i : i + per_beat]]
        while len(values) < per_beat:  # of no token, and as large as can be
            values.append(2 ** (dut.logit_width - 1) - 1)
        while stalls and stalls.random() < 0.3:
            ctx.set(dut.logit.valid, 0)
            ctx.set(dut.logit.last, stalls.getrandbits(1))
            await ctx.tick()
        ctx.set(dut.logit.valid, 1)
        ctx.set(dut.logit.value, values if per_beat > 1 else values[0])
        ctx.set(dut.logit.last, i == beats[-1])
        if i != beats[-1]:
            await ctx.tick()


async def receive_token(ctx, dut, limit=100_000):
    """(token, cycles since the last logit); returns in the cycle of the token."""
    for latency in range(1, limit):
        await ctx.tick()
        ctx.set(dut.logit.valid, 0)
        if ctx.get(dut.token.valid):
            return ctx.get(dut.token.token), latency
    raise AssertionError("no token")


def expected_latency(dut, settings):
    return dut.greedy_latency if settings.greedy else dut.sampled_latency(bool(settings.top_k))


def check(dut, sequences, stalls=None):
    """``sequences``: (settings, list of logits); tokens and latencies must be the contract's."""

    async def testbench(ctx):
        for settings, tokens in sequences:
            await reseed(ctx, dut, settings)
            contract = Contract(settings)
            for logits in tokens:
                await send_logits(ctx, dut, logits, stalls)
                token, latency = await receive_token(ctx, dut)
                assert token == contract.choose(logits), (settings, logits)
                assert latency == expected_latency(dut, settings)
                # A token is valid for one cycle: none may come before the next logits.
                if stalls and stalls.random() < 0.5:
                    for _ in range(3):
                        await ctx.tick()
                        assert not ctx.get(dut.token.valid)

    simulate(dut, testbench)


def random_settings(rng, vocab_size, logit_width):
    mult = rng.choice([0, 1, 2, 3, rng.randint(1, 255), rng.randint(128, 255), 255])
    # Most often a shift that spreads the keys over their range.
    shift = rng.choice([rng.randint(0, 31), max(min(mult.bit_length() + logit_width - 9, 31), 0)])
    top_k = rng.choice([0, 1, vocab_size, rng.randint(0, vocab_size), min(5, vocab_size)])
    return SamplingSettings(mult, shift, top_k, rng.getrandbits(32))


def random_logits(rng, vocab_size, logit_width):
    low, high = -(2 ** (logit_width - 1)), 2 ** (logit_width - 1) - 1
    kind = rng.choice(["uniform", "ties", "extremes", "equal", "rising", "falling"])
    if kind == "uniform":
        return [rng.randint(low, high) for _ in range(vocab_size)]
    if kind == "ties":
        values = [rng.randint(low, high) for _ in range(3)]
        return [rng.choice(values) for _ in range(vocab_size)]
    if kind == "extremes":
        return [rng.choice([low, high]) for _ in range(vocab_size)]
    if kind == "equal":
        return [rng.randint(low, high)] * vocab_size
    values = sorted(rng.randint(low, high) for _ in range(vocab_size))
    return values if kind == "rising" else values[::-1]


@pytest.mark.parametrize(
    ("vocab_size", "scan_width"),
    [
        (1, 8),
        (2, 1),
        (3, 8),
        (7, 3),
        (8, 8),
        (9, 8),
        (17, 5),
        (64, 16),
        (65, 8),
        (128, 8),
        (300, 7),
    ],
)
@pytest.mark.parametrize("logits_per_beat", [1, 2])
def test_tokens_and_latencies_are_the_contract(vocab_size, scan_width, logits_per_beat):
    rng = random.Random(vocab_size * 100 + scan_width)
    logit_width = rng.choice([1, 2, 8, 21, 24])
    dut = Sampler(
        vocab_size=vocab_size,
        logit_width=logit_width,
        scan_width=scan_width,
        logits_per_beat=logits_per_beat,
    )
    sequences = [
        (
            random_settings(rng, vocab_size, logit_width),
            [random_logits(rng, vocab_size, logit_width) for _ in range(2)],
        )
        for _ in range(2 + 600 // (vocab_size + 30))
    ]
    check(dut, sequences, stalls=rng)


def test_every_shift_and_factor_rounds_as_the_contract():
    """Distances around halves and around saturation, one per cycle."""
    rng = random.Random(5)
    dut = SamplingKeys(21)
    maximum = 2**20 - 1

    async def testbench(ctx):
        for shift in range(32):
            for mult in (1, 2, 3, 127, 255, rng.randint(4, 126), rng.randint(128, 254)):
                unit = 2**shift / mult
                near = [unit / 2, 3 * unit / 2, 510.5 * unit, 511 * unit, 512 * unit, 0, 2**21 - 1]
                distances = [min(max(int(d) + i, 0), 2**21 - 1) for d in near for i in (-1, 0, 1)]
                logits = [maximum - distance for distance in distances]
                expected = Contract(SamplingSettings(mult, shift)).keys([maximum, *logits])[1:]
                ctx.set(dut.maximum, maximum)
                ctx.set(dut.mult, mult)
                ctx.set(dut.shift, shift)
                keys = []
                for i in range(len(logits) + dut.latency):
                    ctx.set(dut.logit.valid, i < len(logits))
                    ctx.set(dut.logit.last, i == len(logits) - 1)
                    ctx.set(dut.logit.value, logits[i % len(logits)])
                    assert ctx.get(dut.key.valid) == (i >= dut.latency)
                    if ctx.get(dut.key.valid):
                        keys.append(ctx.get(dut.key.value))
                    await ctx.tick()
                assert keys == expected.tolist(), (mult, shift)

    simulate(dut, testbench)


def test_tokens_follow_the_distribution():
    logits = [0, -40, -80, -300]
    settings = SamplingSettings(64, 6, 3, 11)
    dut = Sampler(vocab_size=4, logit_width=10)
    contract = Contract(settings)
    drawn = [contract.choose(logits) for _ in range(40)]
    assert set(drawn) == {0, 1, 2}  # the case is worth testing: all that stay are drawn
    check(dut, [(settings, [logits] * 40)])


@pytest.mark.parametrize("logits_per_beat", [1, 2])
def test_logits_may_come_in_the_cycle_of_the_token(logits_per_beat):
    rng = random.Random(3)
    for settings in (SamplingSettings(), SamplingSettings(200, 4, 2, 9)):
        dut = Sampler(vocab_size=5, logit_width=9, logits_per_beat=logits_per_beat)
        check(dut, [(settings, [random_logits(rng, 5, 9) for _ in range(6)])], stalls=None)


@pytest.mark.parametrize("logits_per_beat", [1, 2])
@pytest.mark.parametrize("wait", [1, 3, 20, 40, 60, 75, 90])
def test_reseed_forgets_a_token_under_way(wait, logits_per_beat):
    settings = SamplingSettings(200, 6, 3, 77)
    logits = [5, -80, 3, 100, 5, 99, 20]
    dut = Sampler(vocab_size=7, logit_width=9, logits_per_beat=logits_per_beat)

    async def testbench(ctx):
        await reseed(ctx, dut, settings)
        await send_logits(ctx, dut, logits)
        await ctx.tick()
        await send_logits(ctx, dut, logits[:3])  # also half a set of logits
        await ctx.tick()
        ctx.set(dut.logit.valid, 0)
        await ctx.tick().repeat(wait)
        await reseed(ctx, dut, settings)
        contract = Contract(settings)
        for _ in range(3):
            await send_logits(ctx, dut, logits)
            token, latency = await receive_token(ctx, dut)
            assert (token, latency) == (contract.choose(logits), dut.sampled_latency(True))

    simulate(dut, testbench)


@pytest.mark.parametrize("seed", [0, 1, 0x9E3779B9, 2**32 - 1])
def test_reseed_latency_is_enough(seed):
    """``logit.last`` in exactly the promised cycle still gets the right random number."""
    settings = SamplingSettings(8, 4, 0, seed)
    dut = Sampler(vocab_size=12, logit_width=6)
    logits = list(np.arange(12) % 5)

    async def testbench(ctx):
        await reseed(ctx, dut, settings)
        contract = Contract(settings)
        for _ in range(4):
            await send_logits(ctx, dut, logits)
            token, _ = await receive_token(ctx, dut)
            assert token == contract.choose(logits)

    simulate(dut, testbench)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
@pytest.mark.parametrize("name", ["vocab_size", "logit_width", "scan_width"])
def test_sizes_are_checked(name):
    sizes = {"vocab_size": 4, "logit_width": 8, "scan_width": 2}
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, not 0$"):
        Sampler(**{**sizes, name: 0})
    with pytest.raises(TypeError, match=f"^{name} must be an integer, not 1.5$"):
        Sampler(**{**sizes, name: 1.5})
    gc.collect()  # so that the warnings come where they are ignored


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_logits_per_beat_are_checked():
    with pytest.raises(ValueError, match=r"^logits_per_beat must be 1 or 2, not 3$"):
        Sampler(vocab_size=4, logit_width=8, logits_per_beat=3)
    gc.collect()


def test_latency_of_the_reference_size():
    assert Sampler.greedy_latency <= 3
    assert sampled_latency(128, top_k_on=True) <= 3 * 128 + 255
    assert sampled_latency(128, top_k_on=False) <= 2 * 128 + 85
