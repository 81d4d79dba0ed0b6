"""ProcessingSystem8: all pins of the primitive, memory ports' constants, lanes of a word."""

from types import SimpleNamespace

import pytest
from amaranth.hdl import Const, Module, Signal, Value
from amaranth.sim import Simulator

from gateformer.platforms.boards.ultrascale import ps8
from gateformer.platforms.boards.ultrascale.ps8 import ProcessingSystem8
from tests.support.yosys_primitive import xilinx_ports

PADS = "PSS_ALTO_CORE_PAD"
"""Dedicated pins, which no design connects."""


PORTS = xilinx_ports("PS8")


@pytest.fixture
def instances(monkeypatch):
    """Ports of the primitives of what is elaborated, by their kind."""
    found = {}

    def instance(kind, *args, **ports):
        found[kind] = ports
        return Module()

    monkeypatch.setattr(ps8, "Instance", instance)
    return found


def pins_of(instances, hp_ports) -> dict[str, tuple[str, Value]]:
    """(direction, value) of each connected pin of PS8."""
    component = ProcessingSystem8(hp_ports)
    component.elaborate(None)
    ways = {"i": "input", "o": "output"}
    return {
        name[2:]: (ways[name[0]], Value.cast(value))
        for name, value in instances["PS8"].items()
        if name[0] in ways
    }


@pytest.mark.parametrize("hp_ports", range(5))
def test_every_pin_is_the_primitives(instances, hp_ports):
    pins = pins_of(instances, hp_ports)
    for name, (way, value) in pins.items():
        assert (name, way, len(value)) == (name, *PORTS[name])
    inputs = {name for name, (way, _) in PORTS.items() if way == "input"}
    assert {name for name in inputs if not name.startswith(PADS)} == {
        name for name, (way, _) in pins.items() if way == "input"
    }


def constant(value: Value) -> int | None:
    return value.value if isinstance(value, Const) else None


def test_unused_inputs_are_at_rest(instances):
    """0, as Vivado's wrapper has them, but what is active low and the ends of Ethernet's frames."""
    pins = pins_of(instances, 0)
    tied = {name: constant(v) for name, (way, v) in pins.items() if constant(v) is not None}
    high = {name for name, value in tied.items() if value != 0}
    frames = {f"EMIOENET{i}TX{end}" for i in range(4) for end in ("REOP", "RSOP")}
    protected = {"EMIOSDIO0WP", "EMIOSDIO1WP", "EMIOSPI0SSIN", "EMIOSPI1SSIN"}
    interrupts = {f"N{kind}{i}LPDRPU" for kind in ("FIQ", "IRQ") for i in range(2)}
    assert high == frames | protected | interrupts
    for port in range(7):
        assert tied[f"SAXIGP{port}RCLK"] == tied[f"SAXIGP{port}WCLK"] == 0


@pytest.mark.parametrize("hp_ports", [1, 2, 4])
def test_memory_ports_have_axi4_s_constants(instances, hp_ports):
    pins = pins_of(instances, hp_ports)
    for port in range(4):
        prefix = f"SAXIGP{2 + port}"
        clocks = [repr(pins[prefix + clock][1]) for clock in ("RCLK", "WCLK")]
        assert (clocks == ["(clk sync)"] * 2) == (port < hp_ports)
        if port >= hp_ports:
            assert constant(pins[prefix + "ARVALID"][1]) == 0
            assert prefix + "RDATA" not in pins
            continue
        for channel in ("AR", "AW"):
            fixed = {
                name: constant(pins[prefix + channel + name][1])
                for name in ("ID", "LOCK", "CACHE", "PROT", "QOS", "USER")
            }
            expected = {"ID": 0, "LOCK": 0, "CACHE": 0b0011, "PROT": 0, "QOS": 0, "USER": 0}
            assert fixed == expected


@pytest.mark.parametrize("number", [-1, 5, "2"])
def test_refused_numbers_of_memory_ports(number):
    with pytest.raises(ValueError, match=f"^hp_ports must be 0 to 4, not {number!r}$"):
        ProcessingSystem8(number)


class Around:
    """A simulated PS8 whose pins the test sees by their names."""

    def __init__(self, hp_ports, monkeypatch):
        self.pins = SimpleNamespace()
        monkeypatch.setattr(ps8, "Instance", self._instance)
        self.dut = ProcessingSystem8(hp_ports)

    def _instance(self, kind, *args, **ports):
        m = Module()
        if kind != "PS8":
            return m
        for name, value in ports.items():
            if name[:2] not in ("i_", "o_"):
                continue
            value = Value.cast(value)
            pin = Signal(len(value), name=name[2:])
            setattr(self.pins, name[2:], pin)
            m.d.comb += pin.eq(value) if name[0] == "i" else value.eq(pin)
        return m

    def run(self, testbench):
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-8)
        simulator.add_testbench(testbench)
        simulator.run()


@pytest.mark.parametrize("lane", range(4))
def test_a_word_is_on_any_lane(monkeypatch, lane):
    """On the lowest of 32 data lines; on that of its address where the port is set to 64 or 128."""
    around = Around(0, monkeypatch)

    async def testbench(ctx):
        pins, axi = around.pins, around.dut.axi
        for strobe in (0b1111, 0b0001, 0b1000):
            # with 32 data lines the upper strobes mean nothing
            noise = 0xFFF0 if lane == 0 else 0
            ctx.set(pins.MAXIGP2WDATA, 0xDEAD_BEEF << 32 * lane)
            ctx.set(pins.MAXIGP2WSTRB, strobe << 4 * lane | noise)
            await ctx.delay(1e-9)
            assert (ctx.get(axi.wdata), ctx.get(axi.wstrb)) == (0xDEAD_BEEF, strobe)
        ctx.set(axi.rdata, 0x0123_4567)
        await ctx.delay(1e-9)
        assert ctx.get(pins.MAXIGP2RDATA) >> 32 * lane & 0xFFFF_FFFF == 0x0123_4567

    around.run(testbench)


def test_what_a_memory_port_asks_for_and_gets(monkeypatch):
    around = Around(2, monkeypatch)

    async def testbench(ctx):
        pins, read, write = around.pins, around.dut.read1, around.dut.write1
        ctx.set(read.araddr, 0x7FFF_FF00)
        ctx.set(read.arlen, 15)
        ctx.set(read.arsize, 4)
        ctx.set(read.arvalid, 1)
        ctx.set(pins.SAXIGP3RDATA, (1 << 128) - 2)
        ctx.set(pins.SAXIGP3RVALID, 1)
        ctx.set(pins.SAXIGP3RLAST, 1)
        ctx.set(pins.SAXIGP3RRESP, 2)
        ctx.set(write.wdata, 1 << 127)
        ctx.set(write.wstrb, 0x8001)
        ctx.set(write.awaddr, 16)
        ctx.set(pins.SAXIGP3BRESP, 3)
        await ctx.delay(1e-9)
        asked = [ctx.get(getattr(pins, f"SAXIGP3AR{n}")) for n in ("ADDR", "LEN", "SIZE", "VALID")]
        assert asked == [0x7FFF_FF00, 15, 4, 1]
        assert ctx.get(read.rdata) == (1 << 128) - 2
        assert (ctx.get(read.rvalid), ctx.get(read.rlast)) == (1, 1)
        assert ctx.get(read.rresp).value == 2 and ctx.get(write.bresp).value == 3
        assert ctx.get(pins.SAXIGP3WDATA) == 1 << 127 and ctx.get(pins.SAXIGP3WSTRB) == 0x8001
        assert ctx.get(pins.SAXIGP3AWADDR) == 16
        assert ctx.get(pins.SAXIGP2ARVALID) == 0  # the other port is another one

    around.run(testbench)
