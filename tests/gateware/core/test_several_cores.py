"""Two cores side by side in Amaranth's simulator: every token, each in the predicted cycle."""

import random

import pytest
from amaranth.sim import Simulator

from gateformer.gateware.compiler.several_cores import transfers
from gateformer.gateware.core.ports import stream_port
from gateformer.gateware.core.several_cores import SeveralCores
from gateformer.gateware.plan.hw_config import HwConfig

from .interleaved_bench import drawn_request, program_of

SPEC = "n_layers=1,d_model=4,n_heads=1,d_ff=4,ctx_len=4,vocab_size=7"


@pytest.mark.parametrize("streams", [1, 2])
def test_tokens_and_cycles(streams):
    program, rng = (
        program_of(SPEC, HwConfig(2, 4, 4, streams=streams, cores=2), 2),
        random.Random(5),
    )
    core = SeveralCores(program)
    requests = [
        drawn_request(rng, program.model, start=rng.randrange(40)) for _ in range(2 * streams)
    ]
    tokens, cycles = [[] for _ in requests], [[] for _ in requests]

    def drive(stream: int, request):
        def of(name: str):
            return getattr(core, stream_port(name, stream))

        async def feed(ctx):
            for name, value in vars(request.settings).items():
                ctx.set(getattr(of("settings"), name), value)
            ctx.set(of("settings").count, request.count)
            ctx.set(of("output").ready, 1)
            for _ in range(request.start):
                await ctx.tick()
            ctx.set(of("start"), 1)
            await ctx.tick()
            ctx.set(of("start"), 0)
            for i, token in enumerate(request.prompt):
                payload = {"token": token, "last": i == len(request.prompt) - 1}
                ctx.set(of("prompt").payload, payload)
                ctx.set(of("prompt").valid, 1)
                await ctx.tick().until(of("prompt").ready)
                ctx.set(of("prompt").valid, 0)

        async def take(ctx):
            output, cycle, last = of("output"), 0, False
            while not last:
                _, _, valid, payload = await ctx.tick().sample(output.valid, output.payload)
                if valid:
                    tokens[stream].append(payload.token)
                    cycles[stream].append(cycle)
                    last = payload.last
                cycle += 1

        return feed, take

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    for stream, request in enumerate(requests):
        for testbench in drive(stream, request):
            simulator.add_testbench(testbench)
    simulator.run()
    assert tokens == [request.expected(program.model) for request in requests]
    predicted = transfers(program, {n: each.sequence for n, each in enumerate(requests)})
    assert cycles == list(predicted.values())
