"""Registers of many streams on one bus: each at its place, with its own reset."""

from amaranth.sim import Simulator

from gateformer.gateware.host.host_interface import HostInterface
from gateformer.gateware.host.interleaved_registers import (
    FURTHER_INTERLEAVED_REGISTERS,
    INTERLEAVED_REGISTERS,
)
from gateformer.gateware.host.register import ADDRESS_WIDTH
from gateformer.gateware.host.streamed_registers import STREAM_BYTES
from gateformer.gateware.plan.hw_config import HwConfig
from tests.support.axi_driver import OKAY, SLVERR, AxiDriver
from tests.support.host_bench import CONFIG, DIGEST

STREAMS = 8
SEED, COUNT, TOP_K = 0x0AC, 0x0A0, 0x0A8


def run(scenario):
    """Run ``await scenario(ctx, host interface, axi)``."""
    hw = HwConfig(2, 4, 6, streams=4, cores=2)
    dut = HostInterface(CONFIG, hw, digest=DIGEST, build_id=0xB1D, clock_khz=150_000)
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    axi = AxiDriver(dut.axi, stall=0.0)
    axi.add_to(simulator)

    async def testbench(ctx):
        await scenario(ctx, dut, axi)

    simulator.add_testbench(testbench)
    simulator.run()
    return dut


def test_every_place_of_a_register_answers_and_no_other():
    registers = {entry.offset: entry for entry in INTERLEAVED_REGISTERS}
    for stream in range(1, STREAMS):
        for entry in FURTHER_INTERLEAVED_REGISTERS:
            registers[entry.offset + stream * STREAM_BYTES] = entry
    # of the streams in the middle, and of where there is none, a part
    ends = {place for place in registers if place < STREAM_BYTES or place >= 7 * STREAM_BYTES}
    places = sorted({*ends, *range(0, 2**ADDRESS_WIDTH, 100)})

    async def scenario(ctx, dut, axi):
        constants = dut.identification.constants
        for place in places:
            entry = registers.get(place)
            word, answer = await axi.read(ctx, place)
            readable = entry is not None and entry.access.readable
            assert answer == (OKAY if readable else SLVERR), hex(place)
            expected = constants.get(entry.name) if readable else 0
            assert word == (entry.reset if expected is None else expected), hex(place)
            answer = await axi.write(ctx, place, 0)
            writable = entry is not None and entry.access.writable
            assert answer == (OKAY if writable else SLVERR), hex(place)

    run(scenario)


def test_a_reset_is_of_all_streams_and_over_before_an_access():
    async def scenario(ctx, dut, axi):
        for last in (STREAMS - 1, 0, 4):
            for stream in range(STREAMS):
                assert await axi.write(ctx, stream * STREAM_BYTES + SEED, 7 + stream) == OKAY
                assert await axi.write(ctx, stream * STREAM_BYTES + COUNT, 3) == OKAY
            ctx.set(dut.reset, 1)
            await ctx.tick().repeat(2)
            ctx.set(dut.reset, 0)
            await axi.write(ctx, last * STREAM_BYTES + TOP_K, 5)
            for stream in range(STREAMS):
                base = stream * STREAM_BYTES
                assert await axi.read(ctx, base + SEED) == (0, OKAY)
                assert await axi.read(ctx, base + COUNT) == (1, OKAY)
                assert await axi.read(ctx, base + TOP_K) == (5 * (stream == last), OKAY)

    run(scenario)
