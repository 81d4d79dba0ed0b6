"""Stages, elements and control sets of small netlists with known depths."""

from __future__ import annotations

import json
import math

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from hypothesis import given
from hypothesis import strategies as st

from gateformer.platforms.support import yosys
from gateformer.platforms.synthesis.paths.analysis import analyze
from gateformer.platforms.synthesis.paths.cells import ECP5, XC7
from gateformer.platforms.synthesis.paths.depth import check, distinct, longest_topological_path
from gateformer.platforms.synthesis.paths.traversal import CombinationalLoopError

from .mapped_netlist import Netlist, block_memory, carry4, dsp, worst


@pytest.mark.parametrize("stages", [0, 1, 5, 6])
def test_a_chain_of_luts(stages):
    netlist = Netlist()
    netlist.register("first", "last")
    for index in range(stages):
        netlist.lut(f"n{index + 1}", f"n{index}" if index else "first")
    netlist.register("last", f"n{stages}" if stages else "first")
    report = netlist.analyze()
    path = next(path for path in report.paths if path.end == "last")
    assert (path.stages, path.start, path.elements) == (stages, "first", 0)
    assert path.cells == tuple(("LUT1", f"n{index + 1}") for index in range(stages))
    too_deep = f"last: {stages} stages from first, not 5 or fewer"
    assert check(report) == ([too_deep] if stages == 6 else [])
    assert report.histogram == ({0: 2} if stages == 0 else {0: 1, stages: 1})


def test_the_estimate_adds_the_documented_figures():
    netlist = Netlist()
    netlist.register("q", "d")
    netlist.lut("d", "q", "d2")
    netlist.lut("d2", "q")
    # q has two sinks and d2 one; d stays in its slice with the LUT that drives it
    expected = XC7.register + XC7.route(2) + 2 * XC7.lut + XC7.route(1) + XC7.register_setup
    assert math.isclose(worst(netlist).estimated_ns, expected)


@given(st.lists(st.sets(st.integers(0, 40), min_size=1, max_size=6), min_size=1, max_size=40))
def test_depth_of_a_random_graph_is_the_longest_way(sources):
    netlist, depth = Netlist(), {"n0": 0}
    netlist.register("n0", "n0")
    for index, inputs in enumerate(sources, start=1):
        inputs = sorted({f"n{source % index}" for source in inputs})
        netlist.lut(f"n{index}", *inputs)
        netlist.register(f"q{index}", f"n{index}")
        depth[f"n{index}"] = 1 + max(depth[net] for net in inputs)
    found = {path.end: path.stages for path in netlist.analyze().paths}
    assert found == {"n0": 0} | {f"q{i}": depth[f"n{i}"] for i in range(1, len(sources) + 1)}


def test_a_carry_chain_is_one_stage_however_long():
    netlist = Netlist()
    netlist.register("a", "0")
    netlist.lut("s", "a")
    for index in range(3):
        carry_in = f"c{index - 1}" if index else "0"
        select = ["s" if index == 0 else "0", "0", "0", "0"]
        names = [[f"{letter}{index}.{bit}" for bit in range(3)] for letter in "oc"]
        carry4(netlist, carry_in, select, [*names[0], f"o{index}"], [*names[1], f"c{index}"])
    netlist.register("sum", "o2")
    path = worst(netlist)
    assert (path.stages, path.carry_bits, path.end) == (2, 12, "sum")
    assert [kind for kind, _ in path.cells] == ["LUT1", "CARRY4", "CARRY4", "CARRY4"]
    # a carry that leaves for a LUT and comes back begins a new stage each time
    netlist.lut("again", "c2")
    carry4(netlist, "0", ["0"] * 4, ["x"] * 4, ["k0", "k1", "k2", "k3"], start="again")
    netlist.register("carry", "k3")
    assert (worst(netlist).stages, worst(netlist).end) == (4, "carry")


@pytest.mark.parametrize("kind", ["MUXF7", "MUXF8"])
def test_wide_multiplexers_and_inverters_are_no_stage(kind):
    netlist = Netlist()
    netlist.register("a", "0")
    netlist.lut("l", "a")
    netlist.add(kind, outputs=("O",), I0="l", I1="0", S="a", O="m")
    netlist.add("INV", outputs=("O",), I="m", O="n")
    netlist.register("b", "n")
    assert worst(netlist).stages == 1


def test_lut_memory_reads_are_combinational_and_its_writes_are_ends():
    netlist = Netlist()
    netlist.register("address", "0")
    netlist.lut("data", "address")
    addresses = {f"ADDR{side}": ["address" if side == "A" else "0"] for side in "ABCD"}
    pins = {"DIA": ["data", "0"], "WE": "1", "WCLK": "clk", "DOA": ["read", "r1"]}
    netlist.add("RAM32M", "memory", ("DOA",), **addresses, **pins)
    netlist.register("q", "read")
    paths = {path.end: (path.stages, path.start) for path in netlist.analyze().paths}
    assert paths == {"q": (1, "address"), "memory.DIA[0]": (1, "address")}


def test_a_shift_register_starts_and_ends_paths():
    netlist = Netlist()
    netlist.register("tap", "0")
    address = {"A0": "tap", "A1": "0", "A2": "0", "A3": "0"}
    netlist.add("SRL16E", outputs=("Q",), D="tap", Q="late", CE="1", CLK="clk", **address)
    netlist.lut("l", "late")
    netlist.register("q", "l")
    paths = {path.end: (path.stages, path.start) for path in netlist.analyze().paths}
    assert paths == {"q": (2, "tap"), "late": (0, "tap")}


def test_a_memory_without_output_register_may_drive_registers_alone():
    netlist = Netlist()
    block_memory(netlist, "word")
    netlist.register("q", "word")
    report = netlist.analyze()
    assert [(u.name, u.stages, u.drives) for u in report.unregistered] == [
        ("memory.DOA", 0, ("FDRE.D",))
    ]
    assert check(report) == []
    netlist.lut("l", "word")
    netlist.register("q2", "l")
    assert check(netlist.analyze()) == [
        "memory.DOA (RAMB18E1): no output register, and it drives FDRE.D, LUT1.I0, "
        "not registers alone"
    ]


@pytest.mark.parametrize(("registered", "ns"), [(False, 2.45), (True, 0.88)])
def test_a_memory_output_starts_a_path_as_one_element(registered, ns):
    netlist = Netlist()
    block_memory(netlist, "word", registered)
    netlist.register("q", "word")
    path = worst(netlist)
    assert (path.elements, path.start) == (1, "memory.DOA")
    assert math.isclose(path.estimated_ns, ns + XC7.route(1) + XC7.register_setup)
    assert len(netlist.analyze().unregistered) == (not registered)


@pytest.mark.parametrize(
    ("registers", "elements"),
    [({}, 2), ({"AREG": "1"}, 1), ({"MREG": "1"}, 1), ({"PREG": "1"}, 1)],
)
def test_memory_and_combinational_multiplier_on_one_path(registers, elements):
    netlist = Netlist()
    block_memory(netlist, "word", registered=True)
    dsp(netlist, "word", "product", **registers)
    netlist.register("q", "product")
    report = netlist.analyze()
    assert max(path.elements for path in report.paths) == elements
    line = "q: 2 block-memory or multiplier outputs on the path from memory.DOA, not 1"
    assert check(report) == ([line] if elements == 2 else [])


def test_ends_at_a_multiplier_are_its_registered_inputs():
    netlist = Netlist()
    netlist.register("a", "0")
    dsp(netlist, "a", "product", AREG="1", MREG="1", PREG="1")
    netlist.register("q", "product")
    paths = {path.end: (path.start, path.elements) for path in netlist.analyze().paths}
    assert paths == {"multiplier.A[0]": ("a", 0), "q": ("multiplier.P", 1)}
    assert netlist.analyze().unregistered == ()


def test_ecp5_primitives():
    netlist = Netlist()
    netlist.trellis_register("a", "0")
    netlist.add("LUT4", outputs=("Z",), A="a", B="0", C="0", D="0", Z="l")
    netlist.add("PFUMX", outputs=("Z",), ALUT="l", BLUT="0", C0="a", Z="m")
    for index in range(3):
        pins = {"CIN": f"c{index - 1}" if index else "0", "COUT": f"c{index}"}
        pins |= {"A0": "0" if index else "m", "S0": f"s{index}.0", "S1": f"s{index}.1"}
        netlist.add("CCU2C", outputs=("S0", "S1", "COUT"), **pins)
    pins = {"RAD": ["s2.1", "0"], "WCK": "clk", "WRE": "1", "WAD": ["0"], "DI": ["0"]}
    netlist.add("TRELLIS_DPR16X4", outputs=("DO",), DO=["read"], **pins)
    netlist.trellis_register("q", "read")
    assert (worst(netlist).end, worst(netlist).stages) == ("q", 3)


def test_ecp5_memory_through_a_multiplier():
    netlist = Netlist()
    netlist.add("DP16KD", "memory", ("DOA3",), CLKA="clk", ADA0="0", DOA3="word")
    netlist.add("MULT18X18D", "multiplier", ("P0",), A0="word", B0="0", P0="product")
    netlist.trellis_register("q", "product")
    report = netlist.analyze()
    (path,) = report.paths
    assert (path.elements, path.stages, path.start) == (2, 0, "memory.DOA")
    nets = 2 * ECP5.route(1)
    assert math.isclose(path.estimated_ns, ECP5.memory + ECP5.multiplier_through + nets)
    assert [line.split(":")[0] for line in check(report)] == ["q", "memory.DOA (DP16KD)"]


def test_a_loop_is_named():
    netlist = Netlist()
    netlist.lut("there", "back", "input")
    netlist.lut("back", "there")
    netlist.lut("behind", "back")
    with pytest.raises(CombinationalLoopError, match=r"^combinational loop through (.*)$") as error:
        netlist.analyze()
    assert set(str(error.value).split("through ")[1].split(", ")) == {"there", "back"}


def test_an_unknown_primitive_is_an_error():
    netlist = Netlist()
    netlist.add("URAM288", D="a")
    with pytest.raises(ValueError, match=r"^no timing known for URAM288; flatten the design or"):
        netlist.analyze()


def test_control_sets_and_resets():
    netlist = Netlist()
    netlist.add("BUFG", outputs=("O",), I="reset_pin", O="global_reset")
    for index in range(3):
        netlist.register(f"g{index}", "0", reset="global_reset")
        netlist.register(f"f{index}", "0", reset="fabric_reset", enable="enable")
    netlist.register("set", "0", reset="fabric_reset", enable="enable", kind="FDSE")
    netlist.register("async", "0", reset="fabric_reset", enable="enable", kind="FDCE")
    report = netlist.analyze()
    assert report.control_sets == 3
    assert report.resets == (("fabric_reset", 5), ("global_reset", 3))
    assert report.fabric_resets == (("fabric_reset", 5),)
    assert report.enables == (("enable", 5),)
    assert check(report, max_reset_fanout=4, max_control_sets=2) == [
        "reset fabric_reset: 5 pins from the fabric, not 4 or fewer",
        "3 control sets, not 2 or fewer",
    ]


def test_names_are_the_designers():
    netlist = Netlist()
    netlist.port("data", "input", "$in0", "$in1")
    netlist.lut("lane_0.sum_LUT2_I0_O", "$in1")
    netlist.register("$abc$1", "lane_0.sum_LUT2_I0_O")
    design = netlist.json()
    nets = design["modules"]["top"]["netnames"]
    bit = nets["$abc$1"]["bits"][0]
    nets["lane_0.sum"] = {"hide_name": 0, "bits": ["x", "x", "x", bit]}
    (path,) = analyze(design).paths
    assert (path.start, path.end) == ("input data[1]", "lane_0.sum[3]")
    assert path.cells == (("LUT1", "lane_0.sum~"),)


def test_bits_lanes_and_controls_of_a_block_are_one_row():
    netlist = Netlist()
    netlist.lut("enable", "state")
    netlist.register("state", "0")
    for lane in range(4):
        netlist.register(f"lane_{lane}.sum", "0", enable="enable")
        netlist.register(f"lane_{lane}.total", "0", enable="enable")
    rows = distinct(netlist.analyze().paths)
    assert [(path.end.split(".")[-1], alike) for path, alike in rows] == [("CE", 8)]


@pytest.fixture(scope="module")
def adders():
    """A registered 16-bit sum, mapped to both families by yosys."""
    m = Module()
    data, a, b, total = (Signal(16, name=name) for name in ("data", "a", "b", "total"))
    m.d.sync += [a.eq(data), b.eq(a), total.eq(a + b)]
    return rtlil.convert(m, name="top", ports=[data, total], emit_src=False)


@pytest.mark.parametrize(
    ("synthesis", "stages", "cells"),
    [
        ("synth_xilinx -family xc7 -flatten", 2, ["LUT2", *["CARRY4"] * 4]),
        ("synth_ecp5", 1, ["CCU2C"] * 8),
    ],
)
def test_a_synthesized_adder(adders, tmp_path, synthesis, stages, cells):
    (tmp_path / "top.il").write_text(adders)
    yosys.run(f"read_rtlil top.il\n{synthesis} -top top\nwrite_json top.json\n", tmp_path)
    netlist = json.loads((tmp_path / "top.json").read_text())
    report = analyze(netlist)
    path = next(path for path in report.paths if path.end.startswith("total["))
    assert (path.stages, path.elements) == (stages, 0)
    assert [kind for kind, _ in path.cells] == cells
    assert path.start[:2] in ("a[", "b[")
    assert check(report) == []
    assert longest_topological_path(netlist) == len(cells)
