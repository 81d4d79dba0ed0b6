"""The registers of an accelerator with its model in external memory: constants, verification."""

from gateformer.gateware.memory.bus import Response

from . import streamed_bench
from .streamed_bench import ADDRESS, IMAGE, SHAPE, verify


def run(scenario):
    """``await scenario(host, dut, core)`` with one stream, and a core whose image is good."""

    async def of_one(bench):
        bench.cores[0].verified_at = bench.verified_at
        await scenario(bench.hosts[0], bench.dut, bench.cores[0])

    streamed_bench.run(of_one)


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
