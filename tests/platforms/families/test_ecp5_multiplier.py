"""The clock that a registered multiplier of an ECP5 allows, of which nextpnr-ecp5 knows nothing."""

import dataclasses
import json

import pytest

from gateformer.platforms.boards.board import board
from gateformer.platforms.families.ecp5 import ECP5, MULTIPLIER_NS, UNTIMED
from gateformer.platforms.place_and_route import run as place_and_route
from gateformer.platforms.place_and_route.placed import CriticalPath, Placed
from gateformer.platforms.place_and_route.reports import read_reports
from gateformer.platforms.place_and_route.toolchain import toolchain
from tests.platforms.place_and_route.fake_nextpnr import (
    install,
    tiny_program,
    ulx3s_project,
    without_synthesis,
)
from tests.platforms.place_and_route.test_placed import ECP5_LOG, ECP5_REPORT

USED = {"lut": 10, "ff": 10, "bram": 0, "dsp": 2}


@pytest.mark.parametrize(
    ("device", "mhz"),
    [
        ("LFE5U-25F-6BG381C", 259),
        ("LFE5U-85F-7CABGA381", 289),
        ("LFE5UM5G-85F-8BG554I", 327),
        ("LFE5U-25F", None),
    ],
)
def test_by_speed_grade(device, mhz):
    assert ECP5.multiplier_mhz(device) == mhz


def test_of_other_boards_there_is_none():
    assert board("ulx3s", "12F").multiplier_mhz == 259
    assert [board(name).multiplier_mhz for name in ("sim", "zybo", "tang-nano-9k")] == [None] * 3


def test_no_higher_clock_is_reported():
    path = CriticalPath("a.Q", "b.D", 2.5)
    placed = Placed("nextpnr-ecp5 1", 400.0, path, USED)
    bounded = placed.with_multipliers(259, "MULT18X18D")
    assert bounded.fmax_mhz == 259
    assert bounded.critical_path == CriticalPath(
        "MULT18X18D input register", "MULT18X18D output register", 3.861
    )
    assert bounded.meets(259) and not bounded.meets(260)
    slow = dataclasses.replace(placed, fmax_mhz=106.7)
    assert slow.with_multipliers(259, "MULT18X18D") == slow
    assert placed.with_multipliers(None, "MULT18X18D") == placed
    without = dataclasses.replace(placed, used={**USED, "dsp": 0})
    assert without.with_multipliers(259, "MULT18X18D") == without
    unknown = dataclasses.replace(placed, used=None)
    assert unknown.with_multipliers(259, "MULT18X18D").fmax_mhz == 259


def test_nor_by_a_run_or_a_report_that_was_put_there(monkeypatch, tmp_path):
    without_synthesis(monkeypatch, tmp_path)
    tools = install(tmp_path / "tools", monkeypatch)
    fmax = {name: {"achieved": 391.0, "constraint": 85} for name in ECP5_REPORT["fmax"]}
    report = json.dumps({**ECP5_REPORT, "fmax": fmax})
    log = ECP5_LOG.replace("99.73 MHz", "391.00 MHz")
    (tools / "top.report.json").write_text(report)
    (tools / "top.tim").write_text(log)
    project = ulx3s_project(tiny_program(), tmp_path / "build")
    assert place_and_route.make_bitstream(project, 85.0).fmax_mhz == 259
    assert read_reports(project).fmax_mhz == 259


def test_the_report_says_what_is_not_timed():
    assert toolchain(board("ulx3s"), "nextpnr").remarks == (UNTIMED,)
    for grade in MULTIPLIER_NS:
        assert f"{ECP5.multiplier_mhz(f'LFE5U-25F-{grade}BG381C')} MHz at speed grade {grade}" in (
            UNTIMED
        )
