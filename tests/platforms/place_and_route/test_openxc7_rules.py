"""The rules of openXC7: a netlist that keeps to them, and for each rule one that breaks it."""

import json

import pytest

from gateformer.gateware.parts import dsp48
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.families.family import Budget
from gateformer.platforms.place_and_route import openxc7_rules
from gateformer.platforms.place_and_route.openxc7_rules import (
    CASCADES,
    CONTROLS,
    LONGEST_CHAIN,
    check,
)
from gateformer.platforms.place_and_route.toolchain import toolchain
from gateformer.platforms.place_and_route.toolchain_board import for_toolchain
from tests.platforms.synthesis.mapped_netlist import Netlist, carry4
from tests.support.user_error import message

TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"
BUDGET = Budget(lut=400, ff=800, bram=2, dsp=4)
LIMITS = openxc7_rules.LIMITS
"""Of BUDGET: 2 DSP48E1, 36 CARRY4, 260 LUT sites."""


def multiplier(netlist, name="mult", **changes):
    """A DSP48E1 whose control pins come from two registers; ``changes`` of its pins."""
    for level in ("zero", "one"):
        netlist.register(f"{name}_{level}", f"{name}_{level}")
    pins = {port: [f"{name}_zero"] * width for port, width in CONTROLS.items()}
    pins |= {"A": ["a", "0"], "B": ["b"], "C": ["0"], "CLK": "clk", "P": [f"{name}_p"]}
    pins |= {"PCOUT": [f"{name}_pcout"]}
    pins |= changes
    pins = {port: nets for port, nets in pins.items() if nets is not None}
    netlist.add("DSP48E1", name, ("P", "PCOUT"), **pins)


def memory(netlist, kind="RAMB36E1", parameters=None, **pins):
    widths = {
        f"{way}_WIDTH_{side}": format(36, "032b") for way in ("READ", "WRITE") for side in "AB"
    }
    widths |= {f"RAM_EXTENSION_{side}": "NONE" for side in "AB"}
    netlist.add(kind, "memory", ("DOADO",), widths | (parameters or {}), DOADO=["m"], **pins)


def chain(netlist, length, name="carry", fed_out=False):
    carry_in = "0"
    for i in range(length):
        carries = [f"{name}{i}_{bit}" for bit in range(4)]
        carry4(
            netlist, carry_in, ["s", "0", "0", "0"], [f"{name}o{i}_{b}" for b in range(4)], carries
        )
        carry_in = carries[3]
    if fed_out:
        netlist.register(f"{name}_q", carries[1])


def good() -> Netlist:
    netlist = Netlist()
    netlist.port("clk", "input")
    multiplier(netlist)
    memory(netlist, CASCADEINA="0", CASCADEINB="1")
    memory(netlist, "RAMB18E1", {"READ_WIDTH_A": format(9, "032b")})
    chain(netlist, LONGEST_CHAIN)
    netlist.add("MMCME2_BASE", "mmcm", ("CLKOUT0",), CLKIN1="clk", CLKOUT0="fast")
    netlist.register("q", "d", enable="e", reset="r")
    netlist.lut("d", "q", "m")
    return netlist


def violations(netlist) -> list[str]:
    return list(check(netlist.json(), BUDGET, LIMITS).violations)


def test_a_netlist_that_keeps_to_the_rules():
    report = check(good().json(), BUDGET, LIMITS)
    assert report.violations == ()
    assert report.used == {"DSP48E1": 1, "CARRY4": 25, "LUT sites": 101}
    assert report.usable == {"DSP48E1": 2, "CARRY4": 36, "LUT sites": 260}
    assert report.available == {"DSP48E1": 4, "CARRY4": 100, "LUT sites": 400}
    assert (report.longest_chain, report.control_sets, report.resets) == (25, 2, 1)
    assert report.summary().startswith("1 of 2 usable DSP48E1 (device: 4), 25 of 36 usable CARRY4")


@pytest.mark.parametrize("port", CASCADES)
def test_cascade_inputs(port):
    netlist = good()
    multiplier(netlist, "tied", **{port: ["0"]})
    assert violations(netlist) == [f"tied: cascade input {port} tied to a constant"]
    netlist = good()
    multiplier(netlist, "strange", **{port: ["q"]})
    assert violations(netlist) == [f"strange: cascade input {port} not driven by a DSP48E1"]


@pytest.mark.parametrize("constant", ["0", "1", "x", "nothing drives this"])
@pytest.mark.parametrize("port", CONTROLS)
def test_control_pins(port, constant):
    netlist = good()
    multiplier(netlist, "bad", **{port: [constant, *["mult_one"] * (CONTROLS[port] - 1)]})
    assert violations(netlist) == [f"bad: 1 constant or open bits of {port}"]


@pytest.mark.parametrize("port", CONTROLS)
def test_control_pins_left_out(port):
    netlist = good()
    multiplier(netlist, "bad", **{port: None})
    assert violations(netlist) == [f"bad: {CONTROLS[port]} constant or open bits of {port}"]


def test_only_the_lower_multiplier_of_a_tile_is_reached():
    netlist = good()
    multiplier(netlist, "second")
    assert violations(netlist) == []
    multiplier(netlist, "third")
    assert violations(netlist) == ["3 DSP48E1, not 2 or fewer"]


def test_a_cascade_takes_both_multipliers_of_a_tile():
    netlist = good()
    multiplier(netlist, "lower")
    multiplier(netlist, "upper", PCIN=["lower_pcout"])
    assert check(netlist.json(), BUDGET, LIMITS).used["DSP48E1"] == 2
    assert violations(netlist) == []
    multiplier(netlist, "next", PCIN=["upper_pcout"])
    assert violations(netlist) == ["3 DSP48E1, not 2 or fewer"]


def test_carry_chains():
    netlist = good()
    chain(netlist, 11, "second")
    assert violations(netlist) == []
    chain(netlist, 1, "third")
    assert violations(netlist) == ["37 CARRY4, not 36 or fewer"]


def test_a_carry_that_logic_uses_costs_another_carry4():
    netlist = good()
    chain(netlist, 11, "second", fed_out=True)
    assert violations(netlist) == ["37 CARRY4, not 36 or fewer"]


def test_a_chain_higher_than_the_rows_without_a_gap():
    netlist = Netlist()
    chain(netlist, LONGEST_CHAIN + 1)
    assert violations(netlist) == ["cell0: carry chain of 26 CARRY4, not 25 or fewer"]


def test_lut_sites():
    """Four for every CARRY4; a LUT is free that drives one carry's S and nothing else."""
    netlist = Netlist()
    chain(netlist, 1)
    netlist.lut("s", "a", "b")
    used = check(netlist.json(), BUDGET, LIMITS).used
    assert used["LUT sites"] == 4
    netlist.register("q", "s")
    assert check(netlist.json(), BUDGET, LIMITS).used["LUT sites"] == 5
    netlist.add("RAM32M", "ram", ("DOA",), DOA="o")
    netlist.add("SRL16E", "srl", ("Q",), Q="p", D="o")
    assert check(netlist.json(), BUDGET, LIMITS).used["LUT sites"] == 10
    for i in range(251):
        netlist.lut(f"l{i}", "a")
    assert violations(netlist) == ["261 LUT sites, not 260 or fewer"]


@pytest.mark.parametrize("kind", ["RAM64X1S", "$scopeinfo", "CFGLUT5"])
def test_primitives_that_are_not_packed(kind):
    netlist = good()
    netlist.add(kind, "strange")
    assert violations(netlist) == [f"strange: nextpnr-xilinx does not pack {kind}"]


@pytest.mark.parametrize("way", ["READ", "WRITE"])
@pytest.mark.parametrize("width", openxc7_rules.PARITY_LOST)
def test_widths_of_block_memories(way, width):
    netlist = good()
    memory(netlist, parameters={f"{way}_WIDTH_B": format(width, "032b")})
    assert violations(netlist) == [f"memory: {way}_WIDTH_B={width}"]


def test_cascades_of_block_memories():
    netlist = good()
    memory(netlist, parameters={"RAM_EXTENSION_A": "LOWER"}, CASCADEINA="q")
    assert violations(netlist) == [
        "memory: cascade input CASCADEINA in use",
        "memory: RAM_EXTENSION_A=LOWER",
    ]


@pytest.mark.parametrize("port", ["RST", "PWRDWN"])
def test_tied_pins_of_a_clock_generator(port):
    netlist = good()
    netlist.add("MMCME2_BASE", "mmcm2", ("CLKOUT0",), CLKOUT0="c", **{port: "0"})
    assert violations(netlist) == [f"mmcm2: {port} tied to a constant"]


def test_no_netlist():
    with pytest.raises(ValueError, match=r"^no module top in the netlist$"):
        check({"modules": {}}, BUDGET, LIMITS)


def test_a_board_for_openxc7():
    zybo = for_toolchain(board("zybo"), "openxc7")
    chain_of_tools = toolchain(zybo, "openxc7")
    assert zybo.toolchains == ("openxc7",)
    assert zybo.dsp == dsp48.DRIVEN
    assert zybo.limits == chain_of_tools.limits
    assert zybo.default_clock_mhz == chain_of_tools.clock_mhz == 50
    assert "-nodsp" in zybo.family.synthesis
    vivado = for_toolchain(board("zybo"), "vivado")
    assert (vivado.family, vivado.limits) == (board("zybo").family, {})
    assert vivado.default_clock_mhz == 125
    assert for_toolchain(board("sim")) is board("sim")


def test_the_command(tmp_path, monkeypatch, capsys):
    path = tmp_path / "top.json"
    netlist = good()
    path.write_text(json.dumps(netlist.json()))
    monkeypatch.setattr("sys.argv", ["openxc7_rules", str(path), "--board", "zybo"])
    assert openxc7_rules.main() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 violations"
    multiplier(netlist, "bad", ACIN=["0"])
    path.write_text(json.dumps(netlist.json()))
    assert openxc7_rules.main() == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "bad: cascade input ACIN tied to a constant",
        "1 violation",
    ]
    made = "; make it with gateformer build zybo --toolchain openxc7"
    for content in (b"{", b"\xff\xfe"):
        path.write_bytes(content)
        assert message(openxc7_rules.main) == f"{path} is no JSON of yosys{made}"
    for content in ("[]", "{}", '{"modules": {"top": 1}}'):
        path.write_text(content)
        assert message(openxc7_rules.main) == (
            f"{path} is not a netlist of yosys with a module top{made}"
        )
    monkeypatch.setattr("sys.argv", ["openxc7_rules", str(path), "--board", "ulx3s"])
    with pytest.raises(UserError, match=r"^ulx3s has no device of the 7 series$"):
        openxc7_rules.main()
    monkeypatch.setattr("sys.argv", ["openxc7_rules", str(path)])
    path.unlink()
    with pytest.raises(UserError, match=r"there is no .*; make it with gateformer build zybo"):
        openxc7_rules.main()
