"""The registers of an accelerator with its model in external memory: constants, verification."""

from amaranth.sim import Simulator

from gateformer.gateware.host.host_interface import HostInterface
from gateformer.gateware.host.streamed_registers import STREAMED_REGISTERS
from gateformer.gateware.memory.bus import MemoryShape, Response
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.gateware.streamed.ports import ImageFacts
from tests.support.axi_driver import AxiDriver
from tests.support.host_bench import DIGEST, IMPORTED_CONFIG, FakeCore, Host

SHAPE = MemoryShape(ports=4, data_bytes=8)
IMAGE = ImageFacts(SHAPE, image_bytes=0x12345600, memory_bytes=0x23456800)
ADDRESS = 0x1000_0000
VERIFYING = 200
"""Cycles that the made-up core verifies for: some accesses of the bus."""


def run(scenario):
    """``await scenario(host, dut, core)`` with a core whose image is good."""
    dut = HostInterface(
        IMPORTED_CONFIG,
        HwConfig(1, 1, 6),
        digest=DIGEST,
        build_id=1,
        clock_khz=100_000,
        image=IMAGE,
    )
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    axi = AxiDriver(dut.axi, seed=1, stall=0.3)
    axi.add_to(sim)
    core = FakeCore(dut, 1, 0.3)
    core.verified_at = []
    sim.add_testbench(core.process, background=True)

    async def verifier(ctx):
        left = 0
        async for _, _, asked, base in ctx.tick().sample(dut.verify, dut.base):
            if asked:
                core.verified_at.append(base)
                left = VERIFYING
                ctx.set(dut.verified, 0)
            elif left:
                left -= 1
                ctx.set(dut.verified, left == 0)
            ctx.set(dut.verifying, left > 0)

    async def testbench(ctx):
        await scenario(Host(ctx, axi, STREAMED_REGISTERS), dut, core)

    sim.add_testbench(verifier, background=True)
    sim.add_testbench(testbench)
    sim.run()


async def verify(host, address=ADDRESS):
    await host.write("IMAGE_ADDRESS", value=address)
    await host.control("verify")
    while (await host.read("IMAGE_STATUS"))["verifying"]:
        pass


def test_identification():
    async def scenario(host, dut, core):
        assert await host.value("MAGIC") == 0x33465447
        shape = {"ports": 4, "data_bytes": 8, "burst_beats": 16}
        assert await host.read("MEMORY_SHAPE") == shape
        assert await host.value("IMAGE_BYTES") == IMAGE.image_bytes
        assert await host.value("MEMORY_BYTES") == IMAGE.memory_bytes

    run(scenario)


def test_a_run_needs_a_verified_image():
    async def scenario(host, dut, core):
        await host.configure(count=2)
        await host.push([3])
        await host.control("start")
        assert await host.errors() == {"image_not_verified"}
        await verify(host)
        assert core.verified_at == [ADDRESS // SHAPE.stripe_bytes]
        assert (await host.read("IMAGE_STATUS"))["verified"]
        await host.control("start")
        assert await host.drain() == core.tokens([3], 2)
        await host.until_done()
        assert await host.errors() == set()

    run(scenario)


def test_an_image_at_another_address_was_not_verified():
    async def scenario(host, dut, core):
        await host.push([3])
        await verify(host)
        await host.write("IMAGE_ADDRESS", value=2 * ADDRESS)
        assert not (await host.read("IMAGE_STATUS"))["verified"]
        await host.control("start")
        assert await host.errors() == {"image_not_verified"} and not core.runs
        await host.write("IMAGE_ADDRESS", value=ADDRESS)
        await host.control("start")
        await host.drain()

    run(scenario)


def test_verify_wins_over_start():
    async def scenario(host, dut, core):
        await host.push([3])
        await verify(host)
        await host.write("CONTROL", start=1, verify=1)
        assert await host.errors() == {"image_not_verified"}
        assert len(core.verified_at) == 2 and not core.runs

    run(scenario)


def test_what_the_core_uses_is_locked_while_it_verifies_or_runs():
    async def scenario(host, dut, core):
        await host.write("IMAGE_ADDRESS", value=ADDRESS)
        await host.control("verify")
        await host.write("IMAGE_ADDRESS", value=0)
        await host.control("verify")
        assert await host.errors() == {"settings_locked", "verify_while_busy"}
        assert await host.value("IMAGE_ADDRESS") == ADDRESS
        while (await host.read("IMAGE_STATUS"))["verifying"]:
            pass
        await host.configure(count=40)
        await host.push([3])
        await host.control("start")
        await host.write("IMAGE_ADDRESS", value=0)
        await host.control("verify")
        assert await host.errors() == {"settings_locked", "verify_while_busy"}
        assert await host.drain() == core.tokens([3], 40)
        assert len(core.verified_at) == 1

    run(scenario)


def test_stalls_are_counted_from_start_and_the_fault_is_shown():
    async def scenario(host, dut, core):
        await host.push([3])
        await verify(host)
        host.ctx.set(dut.stalled, 1)
        await host.ctx.tick().repeat(7)
        host.ctx.set(dut.stalled, 0)
        assert await host.value("STALLS_LOW") == 7
        assert await host.value("STALLS_HIGH") == 0
        await host.control("start")
        await host.drain()
        assert await host.value("STALLS_LOW") == 0
        host.ctx.set(dut.fault, Response.DECERR)
        assert (await host.read("IMAGE_STATUS"))["fault"] == 3

    run(scenario)
