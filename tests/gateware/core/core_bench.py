"""Runs a core in Amaranth's simulator with stalls on both streams, recording every tap."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
from amaranth.sim import Simulator

from gateformer.gateware.host.any_core import AnyProgram, build_core, tap_ports
from gateformer.model.contract.sampling import SamplingSettings


@dataclasses.dataclass
class Run:
    """What a core did: tokens, cycle of each token's transfer, tap records, flags."""

    tokens: list[int]
    cycles: list[int]
    records: dict[str, np.ndarray]
    context_full: bool


def run_core(
    program: AnyProgram,
    prompt: list[int],
    count: int,
    settings: SamplingSettings = SamplingSettings(),  # noqa: B008 (frozen)
    *,
    stall: float = 0.0,
    seed: int = 0,
) -> Run:
    """Generate ``count`` tokens; each stream stalls in a cycle with probability ``stall``."""
    core = build_core(program, taps=True)
    ports = tap_ports(program)
    raw: dict[str, list[int]] = {port.name: [] for port in ports}
    rng = random.Random(seed)
    result = Run([], [], {}, False)

    def watch(port):
        valid = getattr(core.taps, f"{port.name}_valid")
        data = getattr(core.taps, f"{port.name}_data")

        async def record(ctx):
            async for _, reset, is_valid, value in ctx.tick().sample(valid, data):
                if is_valid and not reset:
                    raw[port.name].append(value)

        return record

    async def drive(ctx):
        for name, value in vars(settings).items():
            ctx.set(getattr(core.settings, name), value)
        ctx.set(core.settings.count, count)
        ctx.set(core.start, 1)
        await ctx.tick()
        ctx.set(core.start, 0)
        for i, token in enumerate(prompt):
            while rng.random() < stall:
                await ctx.tick()
            ctx.set(core.prompt.payload, {"token": token, "last": i == len(prompt) - 1})
            ctx.set(core.prompt.valid, 1)
            await ctx.tick().until(core.prompt.ready)
            ctx.set(core.prompt.valid, 0)

    async def collect(ctx):
        cycle = 0
        async for _, _, valid, ready, payload in ctx.tick().sample(
            core.output.valid, core.output.ready, core.output.payload
        ):
            cycle += 1
            if valid and ready:
                result.tokens.append(payload.token)
                result.cycles.append(cycle)
                if payload.last:
                    break
            ctx.set(core.output.ready, rng.random() >= stall)
        await ctx.tick()
        result.context_full = bool(ctx.get(core.context_full))
        assert not ctx.get(core.busy)

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive, background=True)
    for port in ports:
        simulator.add_testbench(watch(port), background=True)
    simulator.add_testbench(collect)
    simulator.run()
    for port in ports:
        chunks = -(-port.count * port.width // 32)
        words = [[v >> (32 * i) & 0xFFFFFFFF for i in range(chunks)] for v in raw[port.name]]
        result.records[port.name] = port.unpack(
            np.array(words, np.uint32).reshape(len(words), chunks)
        )
    return result
