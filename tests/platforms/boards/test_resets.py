"""Every reset and clock of a board's top, by simulation with stand-ins for the vendors' blocks.

The system behind is a stand-in, too, that only counts: what is tested is who clocks it, and when it
is held in reset. What the blocks' parameters make of the board's clock is computed from their data
sheets' equations (UG472, UG572, FPGA-TN-02200, UG286), not by the code that chose them.
"""

import functools
from fractions import Fraction
from types import SimpleNamespace

import pytest
from amaranth.hdl import C, Cat, Elaboratable, Fragment, Module, Signal
from amaranth.lib import io
from amaranth.sim import Simulator

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.platforms.boards import console_top, zynq_ps7, zynq_top
from gateformer.platforms.boards.board import board
from gateformer.platforms.boards.ultrascale import ps8
from gateformer.platforms.boards.ultrascale.kv260 import PL_CLK0_MHZ
from gateformer.platforms.families import ecp5_clock, gowin_clock, xilinx_clock

TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"
BOARDS = {
    # another clock than the oscillator's, so that there is a PLL; the pin is high when pressed
    "zybo": (150, None),
    "zybo-z7-20": (100, None),
    "cora-z7": (100, None),
    "kv260": (150, None),
    "arty-a7-35": (75, False),
    "arty-a7-100": (125, False),
    "ulx3s": (90, True),
    "tang-primer-20k": (54, False),
    "tang-nano-9k": (45, False),
}
"""Clock in MHz, and whether the reset button's pin is high when it is pressed (boards' manuals:
Arty A7 reference manual, "reset button"; ULX3S schematic, FIRE1; Sipeed's schematics, keys)."""
NO_PLL = {"BUFG", "BUFG_PS", "PS7", "PS8"}
STAGES = 6
"""Cycles after which a reset must have come, and gone."""


class World:
    """What is around the fabric: pins, PLL and processor."""

    def __init__(self):
        self.locked, self.resets_n = Signal(), Signal(4)
        self.running = Signal(init=1)  # of the PLL's output
        self.pl_clk0 = Signal()
        self.count, self.held = Signal(8), Signal()
        self.blocks = {}

    def instance(self, kind, *args, **ports):
        """Stand-in for a vendor's block; its clock output is its input, whatever the ratio."""
        self.blocks[kind] = ports
        m = Module()
        if kind in ("BUFG", "BUFG_PS"):
            m.d.comb += ports["o_O"].eq(ports["i_I"])
        elif kind == "PS7":
            m.d.comb += ports["o_FCLKRESETN"].eq(self.resets_n)
        elif kind == "PS8":
            # pl_resetn0 is the highest of the GPIOs, pl_resetn1 the one below it
            gpio = Cat(C(0, 92), *reversed(list(self.resets_n)))
            m.d.comb += [ports["o_EMIOGPIOO"].eq(gpio), ports["o_PLCLK"][0].eq(self.pl_clk0)]
        else:
            source, clocks, locked = {
                "MMCME2_BASE": ("i_CLKIN1", ["o_CLKOUT0"], "o_LOCKED"),
                "MMCME4_BASE": ("i_CLKIN1", ["o_CLKOUT0"], "o_LOCKED"),
                "EHXPLLL": ("i_CLKI", ["o_CLKOP", "o_CLKOS"], "o_LOCK"),
                "rPLL": ("i_CLKIN", ["o_CLKOUT"], "o_LOCK"),
            }[kind]
            for clock in clocks:
                if clock in ports:
                    m.d.comb += ports[clock].eq(ports[source] & self.running)
            m.d.comb += ports[locked].eq(self.locked)
        return m

    def system(self, axi=None):
        """Stand-in for the system: counts the cycles in which it is not in reset."""
        world = self

        class System(Elaboratable):
            def __init__(self):
                self.reset, self.busy, self.context_full = world.held, Signal(), Signal()
                self.rx, self.tx, self.axi = Signal(), Signal(), axi

            def elaborate(self, platform):
                m = Module()
                with m.If(~self.reset):
                    m.d.sync += world.count.eq(world.count + 1)
                return m

        return System()


class Pins:
    """A platform of simulated pins, with the facts of a real one, and files that nobody reads."""

    def __init__(self, real, world):
        self.ports, self.add_file = {}, lambda name, text: None
        self._pl_clk0 = world.pl_clk0
        for name in ("default_clk", "lights", "reset_button", "held_high"):
            if hasattr(real, name):
                setattr(self, name, getattr(real, name))
        self._real = real

    @property
    def clock(self):
        """The board's clock, or that from its processor."""
        return self._pl_clk0 if self.default_clk is None else self.ports[self.default_clk, 0].i

    @property
    def clock_mhz(self):
        if self.default_clk is None:
            return Fraction(PL_CLK0_MHZ)
        return Fraction(self._real.default_clk_frequency) / 10**6

    def request(self, name, number=0, *, dir):
        inverted = False
        if (name, number) == getattr(self, "reset_button", None):
            inverted = self._real.lookup(name, number).ios[0].invert
        port = functools.partial(io.SimulationPort, width=1, invert=inverted)
        pins = SimpleNamespace(rx=port("i"), tx=port("o"), r=port("o"), g=port("o"), b=port("o"))
        if name not in ("uart", "rgb_led"):
            is_input = name == self.default_clk or (name, number) == getattr(
                self, "reset_button", None
            )
            pins = port("i" if is_input else "o")
        self.ports[name, number] = pins
        return pins


@pytest.fixture(scope="module")
def program():
    return Program(random_model(TINY), HwConfig(1, 1, 1))


@pytest.fixture
def made(program, monkeypatch):
    """Function of a board's name, and a clock: its top, its platform and the world around."""

    def make(name, mhz=None):
        world = World()
        for module in (xilinx_clock, ecp5_clock, gowin_clock, zynq_ps7, ps8):
            monkeypatch.setattr(module, "Instance", world.instance)
        monkeypatch.setattr(console_top, "ConsoleSystem", lambda *_, **__: world.system())
        monkeypatch.setattr(zynq_top, "ZynqSystem", lambda *_, **__: world.system())
        monkeypatch.setattr(zynq_top.wiring, "connect", lambda *_: None)
        target = board(name)
        top = target.build_top(program, float(mhz or BOARDS[name][0]))
        return top, Pins(target.build_platform(target.toolchains[0]), world), world

    return make


def simulate(top, platform, scenario):
    """``scenario(ctx, cycles)``, with ``await cycles(n)`` cycles of the clock pin."""
    simulator = Simulator(Fragment.get(top, platform))

    async def testbench(ctx):
        clock = platform.clock

        async def cycles(count):
            for _ in range(count):
                for level in (1, 0):
                    ctx.set(clock, level)
                    await ctx.delay(1e-8)

        await scenario(ctx, cycles)

    simulator.add_testbench(testbench)
    simulator.run()


def sources(name, platform, world):
    """(signal, value that releases, value that resets) of all that may hold the system."""
    yield world.locked, 1, 0
    if BOARDS[name][1] is None:
        yield world.resets_n[0], 1, 0
    else:
        pressed = int(BOARDS[name][1])
        yield platform.ports[platform.reset_button].i, 1 - pressed, pressed


@pytest.mark.parametrize("name", BOARDS)
def test_the_system_runs_if_and_only_if_everything_lets_it(made, name):
    top, platform, world = made(name)

    async def scenario(ctx, cycles):
        async def runs():
            await cycles(STAGES)
            before = ctx.get(world.count)
            await cycles(8)
            return (ctx.get(world.count) - before) % 256

        parts = list(sources(name, platform, world))
        for signal, _, reset in parts:
            ctx.set(signal, reset)
        assert await runs() == 0
        # others of the processor's resets are nobody's business here
        ctx.set(world.resets_n[1:], 0)
        for signal, release, _ in parts:
            ctx.set(signal, release)
        assert await runs() == 8
        for signal, release, reset in parts:
            ctx.set(signal, reset)
            assert await runs() == 0
            ctx.set(signal, release)
            assert await runs() == 8
        ctx.set(world.running, 0)
        assert await runs() == 0  # the clock is the PLL's

    simulate(top, platform, scenario)


@pytest.mark.parametrize("name", BOARDS)
def test_a_reset_comes_at_once_and_goes_with_the_clock(made, name):
    """Without a clock it is caught; it is released through the synchronizer, some cycles later."""
    top, platform, world = made(name)

    async def scenario(ctx, cycles):
        parts = list(sources(name, platform, world))
        for signal, release, _ in parts:
            ctx.set(signal, release)
        await cycles(20)
        assert ctx.get(world.held) == 0
        signal, release, reset = parts[0]
        ctx.set(signal, reset)
        await ctx.delay(1e-7)
        ctx.set(signal, release)  # gone before any edge
        await ctx.delay(1e-7)
        seen = []
        for _ in range(10):
            await cycles(1)
            seen.append(ctx.get(world.held))
        assert 1 in seen and seen[-1] == 0
        # two stages of the synchronizer and those behind it, from the start of the release
        assert seen.index(1) >= 1 and sum(seen) >= 2

    simulate(top, platform, scenario)


def made_mhz(kind, ports, source_mhz):
    """Frequency of the block's output, by its data sheet."""
    if kind in ("MMCME2_BASE", "MMCME4_BASE"):
        assert float(ports["p_CLKIN1_PERIOD"]) == pytest.approx(1000 / float(source_mhz))
        ratio = Fraction(ports["p_CLKFBOUT_MULT_F"]) / ports["p_DIVCLK_DIVIDE"]
        return source_mhz * ratio / Fraction(ports["p_CLKOUT0_DIVIDE_F"])
    if kind == "rPLL":
        assert float(ports["p_FCLKIN"]) == pytest.approx(float(source_mhz))
        return source_mhz * (ports["p_FBDIV_SEL"] + 1) / (ports["p_IDIV_SEL"] + 1)
    # CLKOP is fed back, so that it runs at the compared frequency times CLKFB_DIV
    assert ports["p_FEEDBK_PATH"] == "CLKOP" and ports["i_CLKFB"] is ports["o_CLKOP"]
    feedback = source_mhz * ports["p_CLKFB_DIV"] / ports["p_CLKI_DIV"]
    if "o_CLKOS" not in ports:
        return feedback
    return feedback * ports["p_CLKOP_DIV"] / ports["p_CLKOS_DIV"]


@pytest.mark.parametrize("name", BOARDS)
def test_the_pll_makes_the_clock_from_the_boards(made, name):
    top, platform, world = made(name)
    simulate(top, platform, lambda ctx, cycles: cycles(1))
    (kind,) = world.blocks.keys() - NO_PLL
    mhz = made_mhz(kind, world.blocks[kind], platform.clock_mhz)
    assert mhz == top.clock_mhz == BOARDS[name][0]


@pytest.mark.parametrize("name", ["zybo", "kv260", "arty-a7-35", "ulx3s", "tang-primer-20k"])
def test_the_boards_own_clock_takes_no_pll(made, name):
    _, platform, _ = made(name)
    top, platform, world = made(name, platform.clock_mhz)

    async def scenario(ctx, cycles):
        for signal, release, _ in sources(name, platform, world):
            ctx.set(signal, release)
        await cycles(20)
        before = ctx.get(world.count)
        await cycles(8)
        assert ctx.get(world.count) - before == 8  # nothing waits for a lock

    simulate(top, platform, scenario)
    assert not world.blocks.keys() - NO_PLL


@pytest.mark.parametrize("name", [name for name, (_, button) in BOARDS.items() if button is None])
def test_the_processors_port_has_the_systems_clock(made, name):
    top, platform, world = made(name)
    simulate(top, platform, lambda ctx, cycles: cycles(1))
    if name == "kv260":
        clock = world.blocks["PS8"]["i_MAXIGP2ACLK"]
    else:
        clock = world.blocks["PS7"]["i_MAXIGP0ACLK"]
    assert repr(clock) == "(clk sync)"
