"""Runs an interleaved core in Amaranth's simulator: streams that come, go and stall."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
from amaranth.sim import Simulator

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.turns import Sequence
from gateformer.gateware.core.interleaved_core import InterleavedCore
from gateformer.gateware.core.interleaved_taps import records_of_sequence, records_of_streams
from gateformer.gateware.core.ports import stream_port
from gateformer.gateware.core.taps import check_taps, tap_ports
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings

RESET_LATENCY = 3
"""Cycles from the abort of the last stream that is busy until nothing is left of it."""
AFTER_ABORT = 40
"""Cycles from an abort to the next start of its stream, at most."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What a stream does from cycle ``start`` on; it is aborted ``abort`` cycles after its start,
    and started again, anew, if that is not None."""

    start: int
    prompt: list[int]
    count: int
    settings: SamplingSettings
    abort: int | None = None

    def expected(self, model) -> list[int]:
        return list(Reference(model).generate(self.prompt, self.count, self.settings))

    @property
    def sequence(self) -> Sequence:
        sampled = self.settings.temperature_mult > 0
        return Sequence(
            self.start,
            len(self.prompt),
            self.count,
            sampled=sampled,
            top_k=sampled and self.settings.top_k > 0,
        )


@dataclasses.dataclass
class Part:
    """What was seen between two resets of the whole core: turns, and of each tap port its words."""

    issued: list[tuple[int, int, int, int]]
    raw: dict[str, list[int]]

    def records(self, ports) -> dict[str, np.ndarray]:
        """As of :class:`gateware.core.taps.TapReader`."""
        found = {}
        for port in ports:
            chunks = -(-port.count * port.width // 32)
            values = self.raw[port.name]
            words = [[value >> (32 * i) & 0xFFFFFFFF for i in range(chunks)] for value in values]
            found[port.name] = port.unpack(np.array(words, np.uint32).reshape(len(words), chunks))
        return found


@dataclasses.dataclass
class Run:
    """Of each stream: its tokens and the cycles of their transfers, from its last start on."""

    tokens: list[list[int]]
    cycles: list[list[int]]
    parts: list[Part]


def drawn_request(rng: random.Random, model, *, start: int = 0, abort: bool = False) -> Request:
    """A request of any length and settings."""
    cfg = model.config
    length = rng.randint(1, rng.choice((1, cfg.ctx_len)))
    prompt = [rng.randrange(cfg.vocab_size) for _ in range(length)]
    settings = SamplingSettings()
    if rng.random() < 0.6:
        settings = SamplingSettings.from_user(
            temperature=rng.choice((0.7, 1.2)),
            top_k=rng.randint(0, cfg.vocab_size),
            seed=rng.getrandbits(32),
            logit_scale=model.logit_scale,
            vocab_size=cfg.vocab_size,
        )
    count = rng.choice((cfg.ctx_len + 5, rng.randint(1, cfg.ctx_len)))
    return Request(start, prompt, count, settings, rng.randint(1, 900) if abort else None)


def run_streams(
    program: Program, requests: list[Request], *, stall: float = 0.0, seed: int = 0
) -> Run:
    """All streams to their ends; prompts and outputs stall in a cycle with that probability."""
    core = InterleavedCore(program, taps=True)
    ports = tap_ports(program)
    run = Run([[] for _ in requests], [[] for _ in requests], [])
    rng = random.Random(seed)

    def of(name: str, stream: int):
        return getattr(core, stream_port(name, stream))

    def begin_part() -> Part:
        run.parts.append(Part([], {port.name: [] for port in ports}))
        return run.parts[-1]

    async def watch(ctx):
        part, until = begin_part(), -1
        names = [(of("abort", stream), of("busy", stream)) for stream in range(len(requests))]
        sampled = [core.issued_valid, core.issued, *(signal for pair in names for signal in pair)]
        for port in ports:
            sampled += [getattr(core.taps, f"{port.name}_{kind}") for kind in ("valid", "data")]
        async for _, _, is_issued, issued, *others in ctx.tick().sample(*sampled):
            flags, values = others[: 2 * len(requests)], others[2 * len(requests) :]
            aborts, busy = flags[::2], flags[1::2]
            if is_issued:
                part.issued.append((issued.stream, issued.slot, issued.place, issued.position))
            for port, valid, value in zip(ports, values[::2], values[1::2], strict=True):
                if valid:
                    part.raw[port.name].append(value)
            until -= 1
            if until == 0:
                part = begin_part()
            if any(aborts) and not any(b and not a for a, b in zip(aborts, busy, strict=True)):
                until = RESET_LATENCY

    async def start(ctx, stream: int):
        ctx.set(of("start", stream), 1)
        await ctx.tick()
        ctx.set(of("start", stream), 0)

    def drive(stream: int, request: Request):
        async def feed(ctx):
            settings = of("settings", stream)
            for name, value in vars(request.settings).items():
                ctx.set(getattr(settings, name), value)
            ctx.set(settings.count, request.count)
            for _ in range(request.start):
                await ctx.tick()
            await start(ctx, stream)
            if request.abort is not None:
                await stop(ctx)
            for i, token in enumerate(request.prompt):
                while rng.random() < stall:
                    await ctx.tick()
                await offer(ctx, token, i == len(request.prompt) - 1)

        async def offer(ctx, token: int, last: bool):
            prompt = of("prompt", stream)
            ctx.set(prompt.payload, {"token": token, "last": last})
            ctx.set(prompt.valid, 1)
            await ctx.tick().until(prompt.ready)
            ctx.set(prompt.valid, 0)

        async def stop(ctx):
            # of a prompt that goes on, or of one token, which is taken long before
            for token in request.prompt[:-1]:
                await offer(ctx, token, False)
            if len(request.prompt) == 1:
                await offer(ctx, request.prompt[-1], True)
            for _ in range(request.abort):
                await ctx.tick()
            ctx.set(of("abort", stream), 1)
            await ctx.tick()
            ctx.set(of("abort", stream), 0)
            for _ in range(rng.randint(1, AFTER_ABORT)):
                await ctx.tick()
            assert not ctx.get(of("busy", stream))
            run.tokens[stream].clear()
            run.cycles[stream].clear()
            await start(ctx, stream)

        return feed

    def collect(stream: int, request: Request):
        async def take(ctx):
            output, cycle = of("output", stream), 0
            ctx.set(output.ready, 1)
            aborted = request.abort is None
            async for _, _, valid, ready, payload, abort in ctx.tick().sample(
                output.valid, output.ready, output.payload, of("abort", stream)
            ):
                aborted |= abort
                if valid and ready:
                    run.tokens[stream].append(payload.token)
                    run.cycles[stream].append(cycle)
                    if payload.last and aborted:
                        break
                cycle += 1
                ctx.set(output.ready, rng.random() >= stall)
            await ctx.tick()
            assert not ctx.get(of("busy", stream))

        return take

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(watch, background=True)
    for stream, request in enumerate(requests):
        simulator.add_testbench(drive(stream, request), background=True)
        simulator.add_testbench(collect(stream, request))
    simulator.run()
    return run


def check_run(program: Program, requests: list[Request], run: Run) -> int:
    """Compare every token, and every tap of what no abort cut short; number of integers."""
    model, compared = program.model, 0
    ports, found = tap_ports(program), [[] for _ in range(program.streams)]
    for number, part in enumerate(run.parts, 1):
        records = part.records(ports)
        reset = number < len(run.parts)
        for all_of, of_part in zip(
            found, records_of_streams(program, part.issued, records, reset=reset), strict=True
        ):
            all_of.extend(of_part)
    for stream, request in enumerate(requests):
        expected = request.expected(model)
        assert run.tokens[stream] == expected, (stream, run.tokens[stream], expected)
        fed = (request.prompt + expected)[: len(request.prompt) + len(expected) - 1]
        programs = found[stream][-len(fed) :]
        assert [position for position, _ in programs] == list(range(len(fed)))
        records = records_of_sequence(programs)
        compared += check_taps(program, records, fed, len(request.prompt))
    return compared


def program_of(spec: str, hw, seed: int) -> Program:
    return Program(random_model(f"random:{spec},seed={seed}"), hw)
