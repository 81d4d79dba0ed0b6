"""ProcessingSystem: all pins of the primitive, and what its ports into memory ask for and get."""

from types import SimpleNamespace

import pytest
from amaranth.hdl import Const, Module, Signal, Value
from amaranth.sim import Simulator

from gateformer.platforms.boards import zynq_ps7
from gateformer.platforms.boards.zynq_ps7 import ProcessingSystem
from tests.support.yosys_primitive import xilinx_ports

PORTS = xilinx_ports("PS7")
HP_PORTS = {0: (), 1: (0,), 2: (0, 2), 4: (0, 1, 2, 3)}
"""UG585: HP0 and HP1 share a port of the memory controller, HP2 and HP3 another."""


def pins_of(monkeypatch, hp_ports) -> dict[str, tuple[str, Value]]:
    """(direction, value) of each connected pin of PS7."""
    found = {}

    def instance(kind, *args, **ports):
        found.update(ports)
        return Module()

    monkeypatch.setattr(zynq_ps7, "Instance", instance)
    ProcessingSystem(hp_ports).elaborate(None)
    ways = {"i": "input", "o": "output"}
    return {
        name[2:]: (ways[name[0]], Value.cast(value))
        for name, value in found.items()
        if name[0] in ways
    }


@pytest.mark.parametrize("hp_ports", HP_PORTS)
def test_every_pin_is_the_primitives(monkeypatch, hp_ports):
    pins = pins_of(monkeypatch, hp_ports)
    for name, (way, value) in pins.items():
        assert (name, way, len(value)) == (name, *PORTS[name])
    inputs = {name for name, (way, _) in PORTS.items() if way == "input"}
    assert inputs == {name for name, (way, _) in pins.items() if way == "input"}


@pytest.mark.parametrize("hp_ports", HP_PORTS)
def test_memory_ports_have_axi3_s_constants(monkeypatch, hp_ports):
    pins = pins_of(monkeypatch, hp_ports)
    for port in range(4):
        prefix = f"SAXIHP{port}"
        used = port in HP_PORTS[hp_ports]
        assert (repr(pins[prefix + "ACLK"][1]) == "(clk sync)") == used
        assert (prefix + "RDATA" in pins) == used
        if not used:
            assert pins[prefix + "ARVALID"][1].value == 0
            continue
        assert pins[prefix + "WID"][1].value == 0
        for channel in ("AR", "AW"):
            values = (pins[prefix + channel + name][1] for name in ("ID", "LOCK", "PROT", "QOS"))
            assert [isinstance(value, Const) and value.value for value in values] == [0] * 4
            assert pins[prefix + channel + "CACHE"][1].value == 0b0011


def test_what_a_memory_port_asks_for_and_gets(monkeypatch):
    pins = SimpleNamespace()

    def instance(kind, *args, **ports):
        m = Module()
        for name, value in ports.items():
            if name[:2] in ("i_", "o_"):
                value = Value.cast(value)
                pin = Signal(len(value), name=name[2:])
                setattr(pins, name[2:], pin)
                m.d.comb += pin.eq(value) if name[0] == "i" else value.eq(pin)
        return m

    monkeypatch.setattr(zynq_ps7, "Instance", instance)
    dut = ProcessingSystem(2)

    async def testbench(ctx):
        read, write = dut.read1, dut.write1
        for port, value in ((read.araddr, 0x3FFF_FF80), (read.arlen, 15), (read.arsize, 3)):
            ctx.set(port, value)
        ctx.set(read.arvalid, 1)
        ctx.set(pins.SAXIHP2RDATA, (1 << 64) - 2)
        ctx.set(pins.SAXIHP2RVALID, 1)
        ctx.set(pins.SAXIHP2RRESP, 2)
        ctx.set(pins.SAXIHP2BRESP, 3)
        ctx.set(write.wdata, 1 << 63)
        ctx.set(write.wstrb, 0x81)
        ctx.set(write.awaddr, 8)
        await ctx.delay(1e-9)
        asked = [ctx.get(getattr(pins, f"SAXIHP2AR{n}")) for n in ("ADDR", "LEN", "SIZE", "VALID")]
        assert asked == [0x3FFF_FF80, 15, 3, 1]
        assert (ctx.get(read.rdata), ctx.get(read.rvalid)) == ((1 << 64) - 2, 1)
        assert ctx.get(read.rresp).value == 2 and ctx.get(write.bresp).value == 3
        assert (ctx.get(pins.SAXIHP2WDATA), ctx.get(pins.SAXIHP2WSTRB)) == (1 << 63, 0x81)
        assert ctx.get(pins.SAXIHP2AWADDR) == 8
        assert ctx.get(pins.SAXIHP0ARVALID) == 0  # the other port is another one

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    simulator.run()
