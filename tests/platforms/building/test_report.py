"""The report's fields are those of docs/report.md, and the table is made from them."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.platforms.boards.board import board
from gateformer.platforms.building import report
from gateformer.platforms.building.report_table import print_report
from gateformer.platforms.place_and_route.placed import CriticalPath, Placed
from gateformer.platforms.place_and_route.toolchain import toolchain

DOCUMENT = Path(__file__).parents[3] / "docs/report.md"
SPEC = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"
USED = {"lut": 1234, "ff": 2345, "bram": 3.5, "dsp": 12}
SITES = {"sites": 2345, "carry": 250}
PLACED = Placed(
    "nextpnr-ecp5 0.11.1",
    fmax_mhz=130.5,
    critical_path=CriticalPath("core.a.Q", "core.b.DI", 7.663),
    used={"lut": 1300, "ff": 2346, "bram": 3.5, "dsp": 12},
    versions={"nextpnr-ecp5": "0.11.1", "ecppack": None},
)


PROGRAM = Program(open_model(SPEC).model, HwConfig(2, 4, 4))


def example():
    artifact = open_model(SPEC)
    cycles = report.cycles_section([100, 102, 104, 106, 108, 110], report.SIMULATED)
    result = report.build_report(artifact, PROGRAM, board("zybo"), 125.0, cycles)
    result["resources"]["synthesized"] = report.resources_section(
        {**USED, **SITES}, board("zybo"), "yosys synth_xilinx"
    )
    result["files"] = ["build/zybo/top.v"]
    return result


def fields(value, prefix=""):
    for name, inner in value.items():
        yield prefix + name
        if isinstance(inner, dict) and name in ("model", "cycles", "timing", "resources"):
            yield from fields(inner, f"{prefix}{name}.")


def shown(result) -> str:
    console = Console(file=io.StringIO(), width=140)
    print_report(result, "some text", console)
    return console.file.getvalue()


def test_every_field_is_documented():
    text = DOCUMENT.read_text()
    inner = ("model", "cycles", "timing", "resources")
    for name in fields(example()):
        parts = name.split(".")
        documented = f"`{name}`" in text or all(f"`{part}`" in text for part in parts[2:])
        assert name in inner or documented, name
    assert f"`schema_version` is {report.SCHEMA_VERSION}" in text


def test_sampling_adds_the_same_everywhere():
    last = PROGRAM.model.config.ctx_len - 1
    added = report.sampling_cycles(PROGRAM)
    sampled = PROGRAM.cycles(last, sampled=True), PROGRAM.cycles(last, sampled=True, top_k=True)
    assert [count - PROGRAM.cycles(last) for count in sampled] == list(added.values())
    assert 0 < added["temperature"] < added["top_k"]


def test_speed_is_clock_by_mean_cycles():
    result = example()
    assert result["cycles"]["mean"] == 105
    speed = result["tokens_per_second"]
    assert speed["value"] == 125e6 / 105
    assert speed["basis"] == "simulated cycles (mean over the context) x assumed clock"


def test_units_are_the_family_s():
    resources = example()["resources"]["synthesized"]
    assert resources["bram"] == {
        "used": 3.5,
        "available": 60,
        "unit": "block memories (36 Kb)",
    }
    ulx3s = report.resources_section(USED, board("ulx3s"), "yosys")
    assert [ulx3s[name]["unit"] for name in USED] == [
        *("LUT4", "flip-flops", "block memories (18 Kb)", "MULT18X18D"),
    ]


def test_sites_and_carries_are_the_device_s_luts():
    resources = example()["resources"]["synthesized"]
    assert resources["sites"] == {
        "used": 2345,
        "available": 17_600,
        "unit": "LUT sites (CARRY4 takes four)",
    }
    assert resources["carry"] == {"used": 250, "available": 4_400, "unit": "CARRY4"}
    ulx3s = report.resources_section(USED, board("ulx3s"), "yosys")
    assert ulx3s["sites"] is None and ulx3s["carry"] is None


def test_a_family_that_does_not_count_sites_has_no_row_of_them():
    result = example()
    result["resources"]["synthesized"].update(sites=None, carry=None)
    assert "LUT sites" not in shown(result)


def test_place_and_route_is_added():
    result = example()
    report.add_placed(result, PLACED, board("zybo"), 125.0)
    assert result["timing"] == {
        "fmax_mhz": 130.5,
        "source": "placed and routed: nextpnr-ecp5 0.11.1",
        "critical_path": {"start": "core.a.Q", "end": "core.b.DI", "delay_ns": 7.663},
    }
    assert result["resources"]["synthesized"]["lut"]["used"] == 1234
    assert result["resources"]["placed"]["lut"]["used"] == 1300
    assert result["resources"]["placed"]["source"] == result["timing"]["source"]
    assert result["tokens_per_second"]["value"] == 125e6 / 105
    assert result["tokens_per_second"]["basis"].endswith("x routed clock")


@pytest.mark.parametrize("mhz", [131.0, 200.0])
def test_a_clock_that_was_not_met_is_not_called_routed(mhz):
    result = example()
    report.add_placed(result, PLACED, board("zybo"), mhz)
    assert result["tokens_per_second"]["basis"].endswith("x missed clock")


def test_a_clock_with_another_violation_is_not_called_routed():
    result = example()
    placed = dataclasses.replace(PLACED, violation="hold slack -0.02 ns of clk")
    report.add_placed(result, placed, board("zybo"), 125.0)
    assert result["tokens_per_second"]["basis"].endswith("x missed clock")


def test_the_tools_that_took_part():
    result = example()
    assert set(result["tools"]) == {*report.TOOLS, "c++"}
    assert re.search(r"\d+\.\d+", result["tools"]["c++"])
    report.add_placed(result, PLACED, board("zybo"), 125.0)
    assert result["tools"]["nextpnr-ecp5"] == "0.11.1" and result["tools"]["ecppack"] is None


@pytest.mark.parametrize("name", ["zybo", "ulx3s", "tang-primer-20k"])
def test_tools_and_units_are_documented(name):
    text = DOCUMENT.read_text()
    target = board(name)
    tools = {tool for chain in target.toolchains for tool in toolchain(target, chain).tools}
    units = {target.family.unit(unit) for unit in ("lut", "ff", "bram")}
    for word in (*report.TOOLS, "c++", *tools, *units):
        assert f"`{word}`" in text, word


def test_of_several_streams_the_speed_of_one_text_says_so():
    together = {"count": 2, "cycles_per_token": 80.0, "tokens_per_second": 1.5e6}
    text = shown({**example(), "streams": {**together, "source": "simulated"}})
    assert "80.0 cycles per greedy token of all together" in text
    assert "greedy tokens per second of one text alone" in text


def test_what_was_not_counted_when_placed_is_shown_as_synthesized():
    result = example()
    used = {name: used for name, used in PLACED.used.items() if name != "lut"}
    placed = dataclasses.replace(PLACED, tool="nextpnr-xilinx", used=used)
    report.add_placed(result, placed, board("zybo"), 125.0)
    assert result["resources"]["placed"]["lut"] is None
    text = shown(result)
    assert re.search(r"LUT6 \(yosys synth_xilinx\) +│ 1,234 of 17,600", text)
    assert re.search(r"flip-flops \(placed and routed: nextpnr-xilinx\) +│ 2,346 of 35,200", text)


def test_it_is_written_whole(tmp_path):
    path = report.write_report(example(), tmp_path)
    assert json.loads(path.read_text()) == example()
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_the_table_shows_the_report():
    text = shown(example())
    for expected in (
        "some text",
        "cycles per greedy token (simulated)",
        "first 100, mean 105.0, last 110",
        "{temperature} with a temperature, {top_k} with top-k, too".format(
            **report.sampling_cycles(PROGRAM)
        ),
        "LUT6 (yosys synth_xilinx)",
        "1,234 of 17,600 (7%)",
        "3.5 of 60",
        "12 of 80",
        "LUT sites (CARRY4 takes four) (yosys synth_xilinx)",
        "2,345 of 17,600 (13%)",
        "greedy tokens per second (simulated cycles x assumed clock)",
        "1,190,476 at 125 MHz (assumed: not placed and routed)",
        "build/zybo/top.v",
    ):
        assert expected in text


def test_the_table_shows_what_was_placed():
    result = example()
    report.add_placed(result, PLACED, board("zybo"), 125.0)
    text = shown(result)
    for expected in (
        "1,300 of 17,600 (7%)",
        "core.a.Q to core.b.DI, 7.7 ns",
        "tokens per second (simulated cycles x routed clock)",
        "1,190,476 at 125 MHz (routed up to 130.5 MHz)",
    ):
        assert expected in text


def test_without_synthesis_the_table_says_so():
    result = example()
    result["resources"]["synthesized"] = None
    assert re.search(r"│ resources +│ not synthesized +│", shown(result))


def test_cycles_beyond_those_that_are_simulated_are_predicted(monkeypatch):
    program = Program(open_model(SPEC).model, HwConfig(rows=2, cols=4, lanes=4))
    predicted = program.cycles_by_position()
    monkeypatch.setattr(report, "measure_cycles", lambda program, _: predicted[:4])
    cycles = report.counted_cycles(program, simulator=None)
    assert cycles["by_position"] == predicted
    assert cycles["mean"] == sum(predicted) / len(predicted)
    assert cycles["source"] == "simulated at the first 4 positions, then predicted"
    monkeypatch.setattr(report, "measure_cycles", lambda program, _: predicted)
    assert report.counted_cycles(program, simulator=None)["source"] == report.SIMULATED
