"""The report's fields are those of docs/report.md, and the table is made from them."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from gateware.hw_config import HwConfig
from gateware.program import Program
from model.artifact import open_model
from platforms import report
from platforms.board import board

SPEC = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"
USED = {"lut": 1234, "ff": 2345, "bram36": 3.5, "dsp": 12}


def example():
    artifact = open_model(SPEC)
    program = Program(artifact.model, HwConfig(2, 4, 4))
    cycles = report.cycles_section([100, 102, 104, 106, 108, 110], "simulated")
    result = report.build_report(artifact, program, board("zybo"), 125.0, cycles)
    result["resources"] = report.resources_section(USED, board("zybo"), "yosys synth_xilinx")
    result["files"] = ["build/zybo/top.v"]
    return result


def fields(value, prefix=""):
    for name, inner in value.items():
        yield prefix + name
        if isinstance(inner, dict) and name in ("model", "cycles", "timing"):
            yield from fields(inner, f"{prefix}{name}.")


def test_every_field_is_documented():
    text = (Path(__file__).parent.parent / "docs/report.md").read_text()
    for name in fields(example()):
        assert f"`{name}`" in text or name in ("model", "cycles", "timing"), name


def test_speed_is_clock_by_mean_cycles():
    result = example()
    assert result["cycles"]["mean"] == 105
    assert result["tokens_per_second"]["value"] == 125e6 / 105
    assert "simulated" in result["tokens_per_second"]["basis"]


def test_it_is_written_whole(tmp_path):
    path = report.write_report(example(), tmp_path)
    assert json.loads(path.read_text()) == example()
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_the_table_shows_the_report():
    console = Console(file=io.StringIO(), width=120)
    report.print_report(example(), "some text", console)
    shown = console.file.getvalue()
    for expected in (
        "some text",
        "first 100, mean 105.0, last 110",
        "1,234 of 17,600 (7%)",
        "3.5 of 60",
        "12 of 80",
        "1,190,476 at 125 MHz (timing not checked: not placed and routed)",
        "build/zybo/top.v",
    ):
        assert expected in shown
