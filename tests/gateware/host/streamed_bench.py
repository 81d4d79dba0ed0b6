"""The registers of a model in external memory in front of a made-up core of several streams."""

import dataclasses

from amaranth.sim import Simulator

from gateformer.gateware.core.ports import stream_port
from gateformer.gateware.host.host_interface import HostInterface
from gateformer.gateware.host.streamed_registers import (
    FURTHER_STREAM_REGISTERS,
    STREAM_BYTES,
    STREAMED_REGISTERS,
)
from gateformer.gateware.memory.bus import MemoryShape
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.gateware.streamed.ports import ImageFacts
from tests.support.axi_driver import AxiDriver
from tests.support.host_bench import DIGEST, IMPORTED_CONFIG, FakeCore, Host

SHAPE = MemoryShape(ports=4, data_bytes=8)
IMAGE = ImageFacts(SHAPE, image_bytes=0x12345600, memory_bytes=0x23456800)
ADDRESS = 0x1000_0000
VERIFYING = 200
"""Cycles that the made-up core verifies for: some accesses of the bus."""


def registers_of(stream: int) -> list:
    """The registers of a stream, where they are."""
    declared = FURTHER_STREAM_REGISTERS if stream else STREAMED_REGISTERS
    return [
        dataclasses.replace(entry, offset=entry.offset + stream * STREAM_BYTES)
        for entry in declared
    ]


class Ports:
    """A stream's ports by the names of a core with one."""

    def __init__(self, dut, stream):
        self._dut, self._stream = dut, stream

    def __getattr__(self, name):
        return getattr(self._dut, stream_port(name, self._stream))


@dataclasses.dataclass
class Bench:
    """``hosts``, ``cores``: of each stream; ``verified_at``: what ``base`` was at each verify."""

    dut: HostInterface
    axi: AxiDriver
    cores: list[FakeCore]
    hosts: list[Host] = dataclasses.field(default_factory=list)
    verified_at: list[int] = dataclasses.field(default_factory=list)


def run(scenario, streams=1):
    """``await scenario(bench)``; the image is good."""
    dut = HostInterface(
        IMPORTED_CONFIG,
        HwConfig(1, 1, 6),
        digest=DIGEST,
        build_id=1,
        clock_khz=100_000,
        image=dataclasses.replace(IMAGE, streams=streams),
    )
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    axi = AxiDriver(dut.axi, seed=1, stall=0.3)
    axi.add_to(sim)
    cores = [FakeCore(Ports(dut, stream), 1 + stream, 0.3) for stream in range(streams)]
    bench = Bench(dut, axi, cores)
    for core in cores:
        sim.add_testbench(core.process, background=True)

    async def verifier(ctx):
        left = 0
        busy = [core.host.busy for core in cores]
        async for _, _, asked, base, *running in ctx.tick().sample(dut.verify, dut.base, *busy):
            if asked:
                assert not any(running) and not left, "asked to verify while busy or verifying"
                bench.verified_at.append(base)
                left = VERIFYING
                ctx.set(dut.verified, 0)
            elif left:
                left -= 1
                ctx.set(dut.verified, left == 0)
            ctx.set(dut.verifying, left > 0)

    async def testbench(ctx):
        bench.hosts = [Host(ctx, axi, registers_of(stream)) for stream in range(streams)]
        await scenario(bench)

    sim.add_testbench(verifier, background=True)
    sim.add_testbench(testbench)
    sim.run()


async def verify(host, address=ADDRESS):
    await host.write("IMAGE_ADDRESS", value=address)
    await host.control("verify")
    while (await host.read("IMAGE_STATUS"))["verifying"]:
        pass
