"""The AXI4-Lite slave: every transaction once, protocol kept under any stalls."""

import random

import pytest
from amaranth.hdl import Cat, Module
from amaranth.sim import Simulator

from gateformer.gateware.host.axi_lite import AxiLiteSlave
from gateformer.gateware.parts.delay import delayed
from tests.support.axi_driver import OKAY, SLVERR, AxiDriver
from tests.support.axi_rules import AxiRules

WIDTH = 8
BAD = 0x80
"""Addresses with this bit are refused by the test's bus."""


def build(late=False):
    """Slave with a bus that reads its own address and refuses the upper half."""
    m = Module()
    m.submodules.slave = slave = AxiLiteSlave(WIDTH, late_answers=late)
    bus = slave.bus
    answers = {
        "read_data": Cat(bus.read_address, bus.read_address, bus.read),
        "read_error": bus.read_address[-1],
        "write_error": bus.write_address[-1] & bus.write,
    }
    for name, value in answers.items():
        m.d.comb += getattr(bus, name).eq(delayed(m, value, int(late), name=name))
    sim = Simulator(m)
    sim.add_clock(1e-6)
    return slave, sim


def expected_read(address):
    word = address >> 2
    return word | word << 6 | 1 << 12, SLVERR if address & BAD else OKAY


@pytest.mark.parametrize(
    ("stall", "late"), [(0.0, False), (0.3, False), (0.8, False), (0.0, True), (0.3, True)]
)
def test_every_transaction_reaches_the_bus_once(stall, late):
    slave, sim = build(late)
    driver = AxiDriver(slave.axi, seed=int(stall * 10), stall=stall)
    driver.add_to(sim)
    rng = random.Random(stall)
    writes_seen, reads_seen = [], []

    async def watch(ctx):
        bus = slave.bus
        write = (bus.write_address, bus.write_data, bus.write_strobe)
        async for _, _, wrote, read, read_address, *values in ctx.tick().sample(
            bus.write, bus.read, bus.read_address, *write
        ):
            if wrote:
                writes_seen.append(tuple(values))
            if read:
                reads_seen.append(read_address)

    async def testbench(ctx):
        expected_writes, expected_reads, pending = [], [], []
        for _ in range(150):
            address = rng.getrandbits(WIDTH)
            if rng.random() < 0.5:
                data, strobe = rng.getrandbits(32), rng.getrandbits(4)
                pending.append(("write", driver.start_write(address, data, strobe), address))
                expected_writes.append((address >> 2, data, strobe))
            else:
                pending.append(("read", driver.start_read(address), address))
                expected_reads.append(address >> 2)
            if rng.random() < 0.3:
                await ctx.tick().repeat(rng.randint(1, 20))
        for kind, number, address in pending:
            if kind == "write":
                response = await driver.finish_write(ctx, number)
                assert response == (SLVERR if address & BAD else OKAY)
            else:
                assert await driver.finish_read(ctx, number) == expected_read(address)
        assert writes_seen == expected_writes
        assert reads_seen == expected_reads

    sim.add_testbench(watch, background=True)
    sim.add_testbench(testbench)
    sim.run()


@pytest.mark.parametrize("order", ["address first", "data first", "together"])
def test_write_channels_in_any_order(order):
    slave, sim = build()
    axi = slave.axi

    async def offer(ctx, valid, ready):
        ctx.set(valid, 1)
        await ctx.tick().until(ready)
        ctx.set(valid, 0)

    async def testbench(ctx):
        ctx.set(axi.awaddr, 0x14)
        ctx.set(axi.wdata, 0xCAFEF00D)
        ctx.set(axi.wstrb, 0b0110)
        channels = [(axi.awvalid, axi.awready), (axi.wvalid, axi.wready)]
        if order == "together":
            ctx.set(axi.awvalid, 1)
            ctx.set(axi.wvalid, 1)
            await ctx.tick()
            ctx.set(axi.awvalid, 0)
            ctx.set(axi.wvalid, 0)
        else:
            first, second = channels if order == "address first" else channels[::-1]
            await offer(ctx, *first)
            for _ in range(5):
                assert not ctx.get(slave.bus.write)
                assert not ctx.get(axi.bvalid)
                await ctx.tick()
            await offer(ctx, *second)
        # address and data are there a cycle before the access
        assert not ctx.get(slave.bus.write)
        assert ctx.get(slave.bus.write_address) == 0x14 >> 2
        assert ctx.get(slave.bus.write_data) == 0xCAFEF00D
        await ctx.tick()
        assert ctx.get(slave.bus.write)
        assert ctx.get(slave.bus.write_address) == 0x14 >> 2
        assert ctx.get(slave.bus.write_data) == 0xCAFEF00D
        assert ctx.get(slave.bus.write_strobe) == 0b0110
        await ctx.tick()
        # BVALID does not wait for BREADY
        for _ in range(5):
            assert ctx.get(axi.bvalid)
            assert not ctx.get(slave.bus.write)
            await ctx.tick()
        ctx.set(axi.bready, 1)
        await ctx.tick()
        assert not ctx.get(axi.bvalid)

    sim.add_testbench(AxiRules().watch(axi), background=True)
    sim.add_testbench(testbench)
    sim.run()


def test_no_output_depends_on_an_input_within_the_cycle():
    slave, sim = build()
    axi = slave.axi
    outputs = (axi.awready, axi.wready, axi.bvalid, axi.arready, axi.rvalid)
    inputs = (axi.awvalid, axi.wvalid, axi.bready, axi.arvalid, axi.rready)
    rng = random.Random(1)

    async def testbench(ctx):
        for _ in range(100):
            seen = set()
            for _ in range(4):
                for signal in inputs:
                    ctx.set(signal, rng.getrandbits(1))
                seen.add(tuple(ctx.get(signal) for signal in outputs))
            assert len(seen) == 1
            await ctx.tick()

    sim.add_testbench(testbench)
    sim.run()


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_address_width_is_checked():
    with pytest.raises(ValueError, match=r"^address_width must be at least 3, not 2$"):
        AxiLiteSlave(2)
    with pytest.raises(TypeError, match=r"^address_width must be an integer, not '12'$"):
        AxiLiteSlave("12")
