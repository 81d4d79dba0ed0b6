# amaranth: UnusedElaboratable=no
"""Two products per multiplier: exact for all factors, the DSP48 versions proved equal."""

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Mux
from amaranth.lib import wiring
from amaranth.sim import Simulator

from gateformer.gateware.parts import dsp48
from gateformer.gateware.parts.pair_multiplier import (
    BIAS,
    FACTOR_BITS,
    FIELD_BITS,
    MAX_CHAIN,
    SUM_BITS,
    PairMultiplyAccumulate,
    chain_sums,
)
from tests.support.component_simulation import simulate

from .gate_simulation import GateSimulator
from .test_multiplier import NARROW, WIDE, extremes, prove_equal, same_operand

CYCLES = 400
SIDE_BY_SIDE = 2000


def fields(acc):
    """numpy twin of ``chain_sums``: the low and the high sum of a chain's packed one."""
    acc = acc & (1 << SUM_BITS) - 1
    low = (acc & 2 * BIAS - 1) - BIAS
    high = acc >> FIELD_BITS
    return low, high - ((high & BIAS) << 1)


def test_fields_of_every_product_are_exact():
    """All 2**24 of INT8 and more, but for a high factor of -128: the packed one has 25 bits."""
    low = np.arange(-128, 128)[:, None]
    high = np.arange(-127, 128)[None, :]
    pair = (high << FIELD_BITS) + low
    assert pair.min() >= -(2**24) and pair.max() < 2**24
    for factor in range(-127, 256):
        found_low, found_high = fields(pair * factor + BIAS)
        assert (found_low == low * factor).all()
        assert (found_high == high * factor).all()


def test_fields_of_every_sum_of_a_chain_are_exact():
    """They depend on the two sums alone: here every low one beside the extreme high ones."""
    most = MAX_CHAIN * 127 * 128
    low = np.arange(-most, most + 1)
    for high in (-most, -most + 1, -1, 0, 1, most - 1, most):
        found_low, found_high = fields((high << FIELD_BITS) + low + BIAS)
        assert (found_low == low).all() and (found_high == high).all()
    assert most < BIAS <= most + 127 * 128


@pytest.mark.parametrize("value", [0, BIAS, (5 << FIELD_BITS) + 3, (1 << SUM_BITS) - 1])
def test_chain_sums_are_those_of_the_numpy_twin(value):
    found = []

    async def process(ctx):
        found.extend(ctx.get(part) for part in chain_sums(Const(value, 48)))

    dut = PairMultiplyAccumulate(acc_width=48)
    simulator = Simulator(dut)
    simulator.add_testbench(process)
    simulator.run()
    assert tuple(found) == tuple(int(part) for part in fields(np.int64(value)))


@pytest.mark.parametrize("acc_width", [48, 34])
def test_lane_equals_integers(acc_width):
    """34 bits wrap around."""
    dut = PairMultiplyAccumulate(acc_width=acc_width)
    rng = np.random.default_rng(acc_width)
    low, high = extremes(rng, -128, 127), extremes(rng, -127, 127)
    limit = 2 ** (acc_width - 1)
    addend = extremes(rng, -limit, limit - 1)
    mode = rng.choice(["accumulate", "chain", "merge", ""], CYCLES)
    inputs = {
        "factor": extremes(rng, -127, 255),
        "factor_enable": rng.integers(2, size=CYCLES),
        **{name: mode == name for name in ("accumulate", "chain", "merge")},
        "enable": rng.integers(4, size=CYCLES) > 0,
    }
    acc, factor, history = 0, 0, []
    for i in range(CYCLES):
        now = {name: int(values[i]) for name, values in inputs.items()}
        factor = now["factor"] if now["factor_enable"] else factor
        product = ((int(high[i]) << FIELD_BITS) + int(low[i])) * factor
        if now["enable"]:
            added = int(addend[i]) if now["merge"] else product
            kept = int(addend[i]) if now["chain"] else 0
            acc = added + (acc if now["accumulate"] or now["merge"] else kept)
        history.append((acc + limit) % (2 * limit) - limit)
    lead, late = dut.MEMORY_LEAD, dut.ADDEND_DELAY

    async def process(ctx):
        for cycle in range(CYCLES + lead + late):
            if cycle < CYCLES:
                ctx.set(dut.low, int(low[cycle]))
                ctx.set(dut.high, int(high[cycle]))
            i = cycle - lead
            if 0 <= i < CYCLES:
                for name, values in inputs.items():
                    ctx.set(getattr(dut, name), int(values[i]))
            if 0 <= i - late < CYCLES:
                ctx.set(dut.addend, int(addend[i - late]))
            if i >= dut.LATENCY:
                assert ctx.get(dut.acc) == history[i - dut.LATENCY]
            await ctx.tick()

    simulate(dut, process)


class BoundedLane(wiring.Component):
    """A lane whose high factor is never -128 (a DSP48E2's pre-adder has room for it), and whose
    modes come one at a time.
    """

    def __init__(self, dsp, merges=True):
        self._lane = PairMultiplyAccumulate(acc_width=36, dsp=dsp, merges=merges)
        super().__init__(self._lane.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.lane = lane = self._lane
        merge = getattr(self, "merge", 0)
        for name, member in lane.signature.members.items():
            if member.flow is wiring.In:
                m.d.comb += getattr(lane, name).eq(getattr(self, name))
        m.d.comb += [
            lane.high.eq(Mux(self.high == -128, 0, self.high)),
            lane.accumulate.eq(self.accumulate & ~self.chain & ~merge),
            lane.chain.eq(self.chain & ~merge),
            self.acc.eq(lane.acc),
        ]
        return m


@pytest.mark.parametrize("merges", [True, False])
@pytest.mark.parametrize("dsp", dsp48.FAMILIES)
@pytest.mark.slow_but("dsp48e1-True", "dsp48e2-True")
def test_dsp48_lane_is_proved_equal(tmp_path, dsp, merges):
    """By induction over all inputs, after yosys packed registers into the DSP block."""
    generic, vendor = (BoundedLane(family, merges) for family in ("generic", dsp))
    lemma = "".join(
        same_operand(f"gate.lane.dsp.{name}", width, f"gold.lane.product_{kind}_1", bits)
        for kind, (name, width), bits in (
            ("wide", WIDE[dsp], dsp48.A_BITS),
            ("narrow", NARROW[dsp], FACTOR_BITS),
        )
    )
    status, log = prove_equal(tmp_path, generic, vendor, dsp, lemma=lemma)
    assert status == 0, log[-3000:]
    assert log.count("Induction step proven: SUCCESS!") == 3


def test_lane_of_ecp5_is_equal(tmp_path):
    """A block beside a carry chain, cycle by cycle, in many simulations side by side."""
    generic = GateSimulator(BoundedLane("generic"), [], tmp_path, SIDE_BY_SIDE)
    models = ["ecp5_carry.v", "ecp5_multiplier.v"]
    vendor = GateSimulator(BoundedLane("mult18x18d"), models, tmp_path, SIDE_BY_SIDE)
    rng = np.random.default_rng(5)
    for _ in range(60):
        inputs = {
            "low": extremes(rng, -128, 127, SIDE_BY_SIDE),
            "high": extremes(rng, -127, 127, SIDE_BY_SIDE),
            "factor": extremes(rng, -256, 255, SIDE_BY_SIDE),
            "addend": extremes(rng, -(2**35), 2**35 - 1, SIDE_BY_SIDE),
            **{
                name: rng.integers(2, size=SIDE_BY_SIDE)
                for name in ("factor_enable", "accumulate", "chain", "merge", "enable")
            },
        }
        found = []
        for simulator in (generic, vendor):
            simulator.set(**inputs)
            simulator.settle()
            found.append(simulator.get("acc"))
            simulator.tick()
        assert (found[0] == found[1]).all()
    assert len(np.unique(found[0])) > SIDE_BY_SIDE // 2


@pytest.mark.parametrize("family", [dsp48.E1, dsp48.E2])
def test_proof_finds_an_addend_a_cycle_late(tmp_path, family):
    generic, vendor = (BoundedLane(dsp) for dsp in ("generic", family))
    mutation = ("parameter \\CREG 0", "parameter \\CREG 1")
    status, log = prove_equal(tmp_path, generic, vendor, family, mutation=mutation)
    assert status != 0
    assert "proof did fail" in log


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"acc_width": 33}, ValueError, "acc_width must be 34 to 48, not 33"),
        ({"acc_width": 49}, ValueError, "acc_width must be 34 to 48, not 49"),
        ({"acc_width": "40"}, TypeError, "acc_width must be an integer, not '40'"),
        ({"acc_width": 40, "dsp": None}, TypeError, "dsp must be a string, not None"),
    ],
)
def test_refused_arguments(arguments, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        PairMultiplyAccumulate(**arguments)
