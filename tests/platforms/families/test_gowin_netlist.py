"""The netlist that nextpnr-himbaechel-gowin gets: the same circuit, of cells that it times."""

import itertools
import json

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Array, Module, Signal

from gateformer.model.support.errors import ToolError
from gateformer.platforms.boards.board import board
from gateformer.platforms.families.gowin import GOWIN, UNTIMED
from gateformer.platforms.families.gowin_netlist import flip_flops_behind_nothing, timed_netlist
from gateformer.platforms.place_and_route.toolchain import toolchain
from gateformer.platforms.support import yosys
from gateformer.platforms.synthesis.synthesis import synthesize_rtlil

SIDE = """\
read_verilog +/gowin/cells_sim.v
read_json both.json
hierarchy -top {side}
proc
flatten
opt_clean
design -stash {side}
"""
PROOF = f"""\
{SIDE.format(side="gold")}{SIDE.format(side="gate")}
design -copy-from gold gold
design -copy-from gate gate
equiv_make gold gate equiv
hierarchy -top equiv
async2sync
equiv_simple -short
equiv_status -assert
"""


def prove_equal(gold: str, gate: str, directory) -> str:
    """Log of yosys; ToolError if the proof fails."""
    modules = {name: top(text) for name, text in (("gold", gold), ("gate", gate))}
    (directory / "both.json").write_text(json.dumps({"modules": modules}))
    return yosys.run(PROOF, directory)


@pytest.fixture(scope="module")
def netlist():
    """Text of a netlist with everything that is changed: a multiplexer of many words, LUTs of every
    size, delays, one LUT for two flip-flops, an adder and its register."""
    m = Module()
    data, select, enable = Signal(4), Signal(5), Signal()
    words = [Signal(2, name=f"word{i}") for i in range(32)]
    chosen, total, twice, other = Signal(2), Signal(4), Signal(), Signal()
    m.d.sync += words[0].eq(data[:2])
    m.d.sync += [after.eq(before) for before, after in itertools.pairwise(words)]
    m.d.sync += chosen.eq(Array(words)[select] ^ (data[2] & enable))
    m.d.sync += total.eq(total + data)
    with m.If(enable):
        m.d.sync += twice.eq(data[0] ^ data[1])
    m.d.sync += other.eq(data[0] ^ data[1])
    ports = [data, select, enable, chosen, total, twice, other]
    text = rtlil.convert(m, name="top", ports=ports, emit_src=False)
    return synthesize_rtlil(text, GOWIN).netlist.read_text()


def top(text):
    return json.loads(text)["modules"]["top"]


def types(text):
    return {cell["type"] for cell in top(text)["cells"].values()}


def test_synthesis_makes_no_wide_multiplexers(netlist):
    assert {"LUT2", "LUT3", "LUT4", "ALU"} <= types(netlist)
    assert not [kind for kind in types(netlist) if kind.startswith("MUX2_LUT")]


def test_every_lut_is_one_that_is_timed(netlist):
    assert types(netlist) & {"LUT1", "LUT2", "LUT3"}
    assert {kind for kind in types(timed_netlist(netlist)) if kind.startswith("LUT")} == {"LUT4"}
    for cell in top(timed_netlist(netlist))["cells"].values():
        assert cell["type"] != "LUT4" or len(cell["parameters"]["INIT"]) == 16


def test_every_flip_flop_is_behind_a_lut_of_its_own_or_an_adder_bit(netlist):
    before, after = top(netlist), top(timed_netlist(netlist))
    added = len(after["cells"]) - len(before["cells"])
    assert added == len(flip_flops_behind_nothing(before)) > 30
    assert flip_flops_behind_nothing(after) == []
    drivers = {
        bit: cell["type"]
        for cell in after["cells"].values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "output"
        for bit in bits
    }
    data = [
        cell["connections"]["D"][0]
        for cell in after["cells"].values()
        if cell["type"].startswith("DFF")
    ]
    behind_luts = [net for net in data if drivers[net] == "LUT4"]
    assert {drivers[net] for net in data} == {"LUT4", "ALU"}
    assert len(behind_luts) == len(set(behind_luts))


def test_it_is_the_same_circuit(netlist, tmp_path):
    log = prove_equal(netlist, timed_netlist(netlist), tmp_path)
    assert "Equivalence successfully proven!" in log


def test_the_proof_finds_a_wrong_lut(netlist, tmp_path):
    changed = json.loads(timed_netlist(netlist))
    cell = next(c for n, c in changed["modules"]["top"]["cells"].items() if n.endswith("$pass"))
    cell["parameters"]["INIT"] = cell["parameters"]["INIT"][::-1]
    with pytest.raises(ToolError, match="unproven"):
        prove_equal(netlist, json.dumps(changed), tmp_path)


def test_it_is_done_once(netlist):
    once = timed_netlist(netlist)
    assert json.loads(timed_netlist(once)) == json.loads(once)


@pytest.mark.parametrize("name", ["tang-primer-20k", "tang-nano-9k"])
def test_the_report_says_what_is_not_timed(name):
    assert toolchain(board(name), "nextpnr").remarks == (UNTIMED,)
    for what in ("multiplier", "second port", "data input of a LUT memory", "adder bit"):
        assert what in UNTIMED
