"""A user's board file: what is derived and what can be stated."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.platforms.boards.board import board
from gateformer.platforms.boards.target import PROCESSOR, UART, Processor
from gateformer.platforms.building import flow
from gateformer.platforms.building.command import parser
from gateformer.platforms.families.family import Budget
from gateformer.platforms.sizes import fit
from tests.support.own_boards import (
    CORA,
    NEXYS,
    SUBCLASS,
    TINY,
    ULX3S,
    complaint,
    described,
    write_board,
)


@pytest.fixture(autouse=True)
def beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_everything_is_derived():
    target = described(NEXYS)
    assert (target.name, target.title, target.label) == ("mine", "Nexys4DDRPlatform", "mine")
    assert (target.device, target.family.name) == ("xc7a100tcsg324-1", "xc7")
    assert target.budget == Budget(63_400, 126_800, 135, 240)
    assert (target.console, target.default_clock_mhz) == (UART, 100.0)
    assert target.toolchains == ("vivado", "openxc7")
    platform = target.build_platform("vivado")
    assert (platform.uart, platform.reset_button) == (("uart", 0), ("rst", 0))
    assert platform.lights == (
        *(("busy", "led", 0), ("context_full", "led", 1), ("heartbeat", "led", 2)),
    )


def test_everything_is_stated():
    target = described(
        f"""{ULX3S}
class Mine(ULX3S_25F_Platform):
    title = "my board"
    core_mhz = 62.5
    lights = (("heartbeat", "led", 7),)
    reset_button = ("button_fire", 0)
    held_high = (("led", 6),)
    programmer = ("openFPGALoader", "-b", "ulx3s", "{{file}}")
"""
    )
    assert (target.title, target.default_clock_mhz) == ("my board", 62.5)
    platform = target.build_platform("nextpnr")
    assert platform.lights == (("heartbeat", "led", 7),)
    assert (platform.reset_button, platform.held_high) == (("button_fire", 0), (("led", 6),))
    (programmer,) = target.programmers
    assert programmer.command == "openFPGALoader"
    assert programmer.arguments(Path("a/top.bit")) == ["-b", "ulx3s", "a/top.bit"]


def test_lights_share_no_pin_with_the_serial_port():
    """The Colorlight's only LED and button are its serial port."""
    target = board(write_board(Path.cwd(), "Colorlight_5A75B_R70Platform"))
    assert target.build_platform("nextpnr").lights == ()


@pytest.mark.parametrize(
    ("name", "lights"),
    [
        ("EBAZ4205Platform", [("busy", "led", 0), ("heartbeat", "led", 1)]),
        (
            "ECPIX585Platform",
            [
                (light, "rgb_led", 0, c)
                for light, c in (("busy", "g"), ("context_full", "r"), ("heartbeat", "b"))
            ],
        ),
    ],
)
def test_fewer_lights(name, lights):
    target = board(write_board(Path.cwd(), name))
    assert list(target.build_platform(target.toolchains[0]).lights) == lights


def test_a_zynq_without_a_serial_port_of_the_fabric_has_its_processor():
    target = described(f"{CORA}class Mine(CoraZ7_10Platform):\n    processor = (50_000_000, 0)\n")
    assert (target.console, target.processor) == (PROCESSOR, Processor(50_000_000, 0))
    assert described(CORA).processor is None


def test_a_zynqs_memory_is_for_models_that_its_block_memories_do_not_hold():
    target = described(f"{CORA}class Mine(CoraZ7_10Platform):\n    ddr = (16, 1050)\n")
    assert target.memory.title == "DDR, 16 bits at 1,050 MT/s"
    assert target.memory.bytes_per_s == 2.1e9 and target.memory.shape.word_bytes == 32
    assert described(CORA).memory is None
    assert board(write_board(Path.cwd(), "EBAZ4205Platform")).console == UART


def test_a_device_that_the_table_lacks():
    text = (
        SUBCLASS
        + 'device = "xc7v585t"\n    budget = dict(lut=364_200, ff=728_400, bram=795, dsp=1_260)\n'
    )
    assert described(text).budget == Budget(364_200, 728_400, 795, 1_260)


@pytest.mark.parametrize(
    ("oscillator", "mhz"),
    # 90 MHz is made from 48 and 12 MHz; from 30.72 MHz the PLL comes within 0.1 %
    [("48e6", 90.0), ("12e6", 90.0), ("30.72e6", 90.0)],
)
def test_the_core_s_clock_can_be_made(oscillator, mhz):
    target = described(
        f"""{ULX3S}from amaranth.build import *
class Mine(ULX3S_25F_Platform):
    resources = [
        *(r for r in ULX3S_25F_Platform.resources if r.name != "clk25"),
        Resource("clk25", 0, Pins("G2", dir="i"), Clock({oscillator}), Attrs(IO_TYPE="LVCMOS33")),
    ]
"""
    )
    assert target.default_clock_mhz == pytest.approx(mhz, rel=1e-3)


def test_one_of_several_classes():
    text = f"{SUBCLASS}title = 'a'\nclass Other(Nexys4DDRPlatform):\n    title = 'b'\n"
    target = described(text, "mine.py:Other")
    assert (target.name, target.title, target.argument) == ("mine-other", "b", "mine.py:Other")
    assert complaint(text) == (
        "mine.py has several platform classes, Mine, Other; choose one, as in mine.py:Mine"
    )
    assert complaint(text, "mine.py:Third") == (
        "mine.py has no platform class 'Third'; it has Mine, Other"
    )


def test_the_file_imports_from_beside_it():
    Path("pins.py").write_text("TITLE = 'from beside'\n")
    text = f"import pins\n{SUBCLASS}title = pins.TITLE\n"
    assert described(text).title == "from beside"
    assert not list(Path.cwd().glob("**/__pycache__/mine*"))


def test_the_file_is_part_of_the_build_id():
    program = Program(random_model(TINY), HwConfig(2, 4, 4))

    def build_id(text):
        return described(text).build_top(program, 100.0).build_id

    plain = build_id(SUBCLASS + "a = 1\n")
    assert build_id(SUBCLASS + "a = 1  # a comment\n") == plain
    assert build_id(SUBCLASS + "a = 2\n") != plain


def test_the_list_shows_it_alone(monkeypatch):
    Path("mine.py").write_text(NEXYS)
    output = Console(file=io.StringIO(), width=300)
    monkeypatch.setattr(flow, "shipped_models", lambda: ())
    monkeypatch.setattr(flow, "output_console", lambda *_: output)
    flow.build(parser().parse_args(["--list", "mine.py"]))
    assert "xc7a100tcsg324-1" in output.file.getvalue()
    assert "ulx3s" not in output.file.getvalue()


def test_the_fit_takes_it(monkeypatch, capsys):
    Path("mine.py").write_text(NEXYS)
    monkeypatch.setattr(sys, "argv", ["fit", TINY, "--no-picture", "--board", "mine.py"])
    fit.main()
    shown = capsys.readouterr().out
    assert "on Nexys4DDRPlatform" in shown and "sizes that fit" in shown
