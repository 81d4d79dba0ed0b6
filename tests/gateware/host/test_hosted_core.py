"""Tokens through the registers of the core equal the reference's."""

import random

import pytest
from amaranth.sim import Simulator

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.host.hosted_core import HostedCore
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from tests.support.axi_driver import AxiDriver
from tests.support.host_bench import Host

MODEL = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"


async def generate(host, prompt, count, settings):
    """One run over AXI; the tokens that it put out."""
    await host.configure(
        mult=settings.temperature_mult,
        shift=settings.temperature_shift,
        top_k=settings.top_k,
        seed=settings.seed,
        count=count,
    )
    await host.push(prompt)
    await host.control("start")
    tokens = []
    for _ in range(1000):
        entry = await host.read("OUTPUT")
        if entry["valid"]:
            tokens.append(entry["token"])
        if entry["last"]:
            break
        await host.ctx.tick().repeat(20)
    await host.until_done()
    assert await host.value("TOKENS_GENERATED") == len(tokens)
    assert await host.errors() == set()
    return tokens


def test_tokens_equal_the_reference():
    model = random_model(MODEL)
    sampled = SamplingSettings.from_user(
        temperature=1.2,
        top_k=5,
        seed=7,
        logit_scale=model.logit_scale,
        vocab_size=model.config.vocab_size,
    )
    runs = (([3, 9], 3, sampled, 0), ([10], 9, SamplingSettings(), 1))
    system = HostedCore(Program(model, HwConfig(2, 4, 4)), build_id=0xB1D, clock_khz=125_000)
    lights = set()

    async def bench(ctx):
        host = Host(ctx, axi)
        assert await host.value("BUILD_ID") == 0xB1D
        assert await host.value("CLOCK_KHZ") == 125_000
        for prompt, count, settings, context_full in runs:
            tokens = await generate(host, prompt, count, settings)
            assert tokens == list(Reference(model).generate(prompt, count, settings))
            assert (await host.read("STATUS"))["context_full"] == context_full
            assert ctx.get(system.context_full) == context_full

    async def watch(ctx):
        async for _, _, busy in ctx.tick().sample(system.busy):
            lights.add(busy)

    simulator = Simulator(system)
    simulator.add_clock(8e-9)
    axi = AxiDriver(system.axi, stall=0.1)
    axi.add_to(simulator)
    simulator.add_testbench(watch, background=True)
    simulator.add_testbench(bench)
    simulator.run()
    assert lights == {0, 1}


@pytest.mark.parametrize(("seed", "streams"), [(0, 1), (1, 2)])
def test_a_reset_during_generation_leaves_nothing(seed, streams):
    """Whenever it comes: the next run's tokens are the reference's."""
    rng = random.Random(seed)
    model = random_model(MODEL)
    program = Program(model, HwConfig(2, 4, 4, streams=streams))
    system = HostedCore(program, build_id=0, clock_khz=1)

    async def bench(ctx):
        host = Host(ctx, axi)
        await host.configure(mult=5, shift=2, top_k=3, seed=9, count=3)
        await host.push([1, 2, 3])
        await host.control("start")
        await ctx.tick().repeat(rng.choice((rng.randrange(40), rng.randrange(2500))))
        ctx.set(system.reset, 1)
        await ctx.tick().repeat(rng.randint(2, 4))
        ctx.set(system.reset, 0)
        assert not ctx.get(system.busy)
        assert not any((await host.read("STATUS")).values())
        assert await host.value("GENERATE_COUNT") == 1
        assert not (await host.read("OUTPUT"))["valid"]
        tokens = await generate(host, [4, 5], 2, SamplingSettings())
        assert tokens == list(Reference(model).generate([4, 5], 2, SamplingSettings()))

    simulator = Simulator(system)
    simulator.add_clock(8e-9)
    axi = AxiDriver(system.axi, seed=seed, stall=0.1)
    axi.add_to(simulator)
    simulator.add_testbench(bench)
    simulator.run()
