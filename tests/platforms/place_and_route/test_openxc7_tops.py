"""Whole tops, mapped for openXC7, keep to its rules."""

import copy
import json

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.random_model import random_model
from gateformer.platforms.boards.board import board
from gateformer.platforms.place_and_route import openxc7_rules
from gateformer.platforms.place_and_route.openxc7_rules import (
    check,
)
from gateformer.platforms.place_and_route.toolchain_board import for_toolchain
from gateformer.platforms.sizes.search import choose, search
from gateformer.platforms.synthesis.paths import depth as path_depth
from gateformer.platforms.synthesis.synthesis import synthesize_top

TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"
LIMITS = openxc7_rules.LIMITS


@pytest.fixture(scope="module")
def mapped():
    """Netlist of a tiny model's Arty, as it is built for openXC7."""
    target = for_toolchain(board("arty-a7-35"), "openxc7")
    program = Program(random_model(TINY), HwConfig(2, 4, 4))
    top = target.build_top(program, target.default_clock_mhz, name="tiny")
    return json.loads(synthesize_top(top, target).netlist.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("zybo", marks=pytest.mark.full_size), "arty-a7-35"])
def test_a_whole_top_keeps_to_the_rules(name):
    target = for_toolchain(board(name), "openxc7")
    program = Program(random_model(TINY), HwConfig(2, 4, 4))
    top = target.build_top(program, target.default_clock_mhz, **target.top_options("tiny"))
    netlist = json.loads(synthesize_top(top, target).netlist.read_text(encoding="utf-8"))
    report = openxc7_rules.check_board(netlist, target)
    assert report.violations == ()
    assert report.used["DSP48E1"] == 8


@pytest.mark.full_size
@pytest.mark.slow
@pytest.mark.parametrize("name", ["zybo", "zybo-z7-20", "arty-a7-35"])
def test_the_chosen_sizes_keep_to_the_rules(name):
    """And to the limits of a path, which nextpnr-xilinx's own report leaves out."""
    target = for_toolchain(board(name), "openxc7")
    artifact = open_model("shakespeare-115k")
    chosen = choose(search(artifact.model, target))
    program = Program(artifact.model, chosen.hw)
    top = target.build_top(program, target.default_clock_mhz, **target.top_options(artifact.name))
    netlist = json.loads(synthesize_top(top, target).netlist.read_text(encoding="utf-8"))
    report = openxc7_rules.check_board(netlist, target)
    assert report.violations == ()
    assert report.used["DSP48E1"] == chosen.need.dsp
    for resource, predicted in (("CARRY4", chosen.need.carry), ("LUT sites", chosen.need.sites)):
        assert abs(predicted / report.used[resource] - 1) <= 0.05
    assert path_depth.check(path_depth.analyze(netlist)) == []


@pytest.mark.slow
def test_the_netlist_for_vivado_breaks_them():
    target = for_toolchain(board("arty-a7-35"), "vivado")
    program = Program(random_model(TINY), HwConfig(2, 4, 4))
    top = target.build_top(program, target.default_clock_mhz, name="tiny")
    netlist = json.loads(synthesize_top(top, target).netlist.read_text(encoding="utf-8"))
    found = check(netlist, target.budget, LIMITS).violations
    assert sum("of INMODE" in line for line in found) == 8
    assert not any("cascade" in line for line in found)


@pytest.mark.slow
def test_a_whole_top_that_was_broken(mapped):
    broken = copy.deepcopy(mapped)
    cells = broken["modules"]["top"]["cells"]
    name, cell = next((n, c) for n, c in cells.items() if c["type"] == "DSP48E1")
    cell["connections"]["INMODE"][1] = "0"
    report = openxc7_rules.check_board(broken, for_toolchain(board("arty-a7-35"), "openxc7"))
    assert report.violations == (f"{name}: 1 constant or open bits of INMODE",)
