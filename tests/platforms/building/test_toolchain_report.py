"""What report.json and the table say of openXC7, and what a netlist that breaks its rules does."""

import dataclasses
import io
import json
import types

import pytest
from rich.console import Console

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.memory.bus import MemoryShape
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.building import board_flow, report
from gateformer.platforms.building.report_table import print_report
from gateformer.platforms.building.toolchain_report import (
    can_be_placed,
    refuse_if_rules_are_broken,
    toolchain_section,
)
from gateformer.platforms.families.family import Resources
from gateformer.platforms.place_and_route import project as projects
from gateformer.platforms.place_and_route import toolchain
from gateformer.platforms.place_and_route.project import Project
from gateformer.platforms.place_and_route.toolchain_board import for_toolchain
from gateformer.platforms.synthesis.synthesis import Synthesis
from tests.platforms.synthesis.mapped_netlist import Netlist

from .test_report import example

TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"
CORE = Program(open_model(TINY).model, HwConfig(2, 4, 4))
IMPORTED = "random:positions=rotary,gated=1,vocab_size=11,d_model=8,n_heads=2,d_ff=12,ctx_len=6"
TEXT = types.SimpleNamespace(print=lambda *_: "text")
"""What a build is given to print."""


def section(directory, *tied) -> dict:
    netlist = Netlist()
    netlist.lut("x", "a")
    for port in tied:
        netlist.add("DSP48E1", f"mult_{port}", ("P",), P="p", **{port: ["0"]})
    (directory / "top.json").write_text(json.dumps(netlist.json()))
    target = for_toolchain(board("zybo"), "openxc7")
    return toolchain_section(Project(directory, target, "openxc7", []))


def table(found) -> str:
    result = {**example(), "toolchain": found}
    console = Console(file=io.StringIO(), width=400)
    print_report(result, None, console)
    return console.file.getvalue()


def test_a_good_netlist(tmp_path):
    found = section(tmp_path)
    assert json.loads(json.dumps(found))["rules"]["violations"] == []
    assert found["name"] == "openxc7" and can_be_placed(found)
    refuse_if_rules_are_broken(found, CORE)
    text = table(found)
    assert "0 violations; 0 of 40 usable DSP48E1 (device: 80)" in text
    # what its report does not say, and what the clock is
    assert "times neither multipliers, block memories, the processor nor the ports" in text
    assert "takes 0.1 ns for a flip-flop" in text
    assert "the clock is assumed" in text and "status 1 before it writes frames" in text


def test_a_smaller_core_of_an_imported_model_is_made_by_options_of_its_own(tmp_path):
    found, model = section(tmp_path, "PCIN"), open_model(IMPORTED, imported=True).model
    for core, advice in (
        (DecoderProgram(model, HwConfig(1, 1, 4)), "fewer --lanes"),
        (StreamedProgram(model, MemoryShape(2, 8, 4)), "fewer --ports or --streams"),
    ):
        with pytest.raises(UserError, match=rf"\(all in report\.json\); try {advice}$"):
            refuse_if_rules_are_broken(found, core)


def test_a_netlist_that_breaks_a_rule(tmp_path):
    found = section(tmp_path, "ACIN", "PCIN")
    assert not can_be_placed(found)
    assert len(found["rules"]["violations"]) == 8
    assert "8 violations; 2 of 40 usable DSP48E1" in table(found)
    with pytest.raises(UserError) as caught:
        refuse_if_rules_are_broken(found, CORE)
    assert str(caught.value) == (
        "openxc7 cannot place and route this netlist: mult_ACIN: cascade input ACIN tied to a "
        "constant, and 7 more (all in report.json); try smaller --rows, --cols or --lanes"
    )


@pytest.mark.parametrize("tied", [(), ("PCIN",)])
def test_no_tool_runs_for_a_netlist_that_breaks_a_rule(tmp_path, monkeypatch, tied):
    """But the report is written, with what is wrong."""
    section(tmp_path, *tied)
    runs = []
    monkeypatch.setattr(
        projects,
        "build_plan",
        lambda *_: types.SimpleNamespace(files={"top.il": "", "build_top.sh": ""}),
    )
    monkeypatch.setattr(projects, "synthesize_top", lambda *_: Synthesis(tmp_path))
    monkeypatch.setattr(toolchain.Toolchain, "missing", lambda _: [])
    monkeypatch.setattr(board_flow, "make_bitstream", lambda *_: runs.append("run"))
    monkeypatch.setattr(board_flow, "synthesize", lambda *_: Resources(1, 1, 1, 1, {}))
    monkeypatch.setattr(board_flow, "core_simulator", lambda program: None)
    cycles = report.cycles_section([100] * 6, report.SIMULATED)
    monkeypatch.setattr(report, "counted_cycles", lambda *_: cycles)
    target = dataclasses.replace(
        for_toolchain(board("zybo"), "openxc7"),
        build_top=lambda *_, **__: types.SimpleNamespace(build_id=1, clock_mhz=50.0),
    )
    artifact, core = open_model(TINY), CORE
    arguments = types.SimpleNamespace(toolchain=None, baud=None, program=False, no_synthesis=False)
    output = Console(file=io.StringIO(), width=300)
    directory = tmp_path / "build"
    given = (artifact, core, target, 50.0, directory, arguments, output, TEXT)
    if tied:
        with pytest.raises(UserError, match=r"^openxc7 cannot place and route this netlist: mult_"):
            board_flow.build_board(*given)
    else:
        board_flow.build_board(*given)
    written = json.loads((directory / "report.json").read_text())
    assert bool(written["toolchain"]["rules"]["violations"]) == bool(tied) != bool(runs)


def test_vivado_has_nothing_to_say(tmp_path):
    target = for_toolchain(board("zybo"), "vivado")
    found = toolchain_section(Project(tmp_path, target, "vivado", []))
    assert found == {"name": "vivado", "remarks": [], "rules": None}
    assert table(found) == table(None)
    refuse_if_rules_are_broken(found, CORE)
