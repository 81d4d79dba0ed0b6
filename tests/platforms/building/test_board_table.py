"""The README's table of boards, from reports."""

from __future__ import annotations

import copy
import json

import pytest

from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.building.board_table import HEADINGS, markdown, read_reports, row
from gateformer.platforms.building.report import SCHEMA_VERSION
from gateformer.platforms.families.family import SITES_TITLE

USE = {"used": 10_340, "available": 17_600, "unit": "LUT6"}
REPORT = {
    "schema_version": SCHEMA_VERSION,
    "board": {"name": "b", "variant": None, "title": "A board", "device": "xc7z010"},
    "hardware": {"rows": 8, "cols": 64, "packing": "2bit", "lanes_built": 64},
    "cycles": {"mean": 857.04},
    "resources": {
        "synthesized": {
            "lut": USE,
            "sites": {"used": 13_491, "available": 17_600, "unit": SITES_TITLE},
            "bram": {"used": 32.5, "available": 60, "unit": "block memories (36 Kb)"},
            "dsp": {"used": 80, "available": 80, "unit": "DSP48E1"},
            "source": "yosys synth_xilinx",
        },
        "placed": None,
    },
    "timing": {"fmax_mhz": None, "source": "not placed and routed"},
    "tokens_per_second": {"clock_mhz": 125.0, "value": 145_852.4},
}


def test_a_synthesized_board():
    assert row(REPORT) == (
        "A board",
        "xc7z010",
        "8 × 64 2bit, 64 lanes",
        "857.0",
        "125 MHz (assumed)",
        "145,852",
        "10,340 of 17,600 LUT6",
        "13,491 of 17,600",
        "32.5 of 60 (36 Kb)",
        "80 of 80 DSP48E1",
        "synthesized (yosys synth_xilinx)",
    )


def test_a_routed_board():
    report = copy.deepcopy(REPORT)
    report["resources"]["placed"] = {
        **REPORT["resources"]["synthesized"],
        "lut": {**USE, "used": 1},
        "source": "placed and routed: nextpnr-ecp5 0.11.1",
    }
    report["timing"] = {"fmax_mhz": 91.26, "source": "placed and routed: nextpnr-ecp5 0.11.1"}
    cells = dict(zip(HEADINGS, row(report), strict=True))
    assert cells["clock"] == "125 MHz (routed: 91.3)"
    assert cells["LUT"] == "1 of 17,600 LUT6"
    assert cells["how measured"] == "placed and routed: nextpnr-ecp5 0.11.1"


def test_a_family_without_sites_has_a_dash():
    report = copy.deepcopy(REPORT)
    report["resources"]["synthesized"]["sites"] = None
    assert dict(zip(HEADINGS, row(report), strict=True))[SITES_TITLE] == "–"


def test_a_resource_that_was_not_counted_when_placed():
    report = copy.deepcopy(REPORT)
    report["resources"]["placed"] = {
        "lut": None,
        "bram": {**REPORT["resources"]["synthesized"]["bram"], "used": 33},
        "dsp": REPORT["resources"]["synthesized"]["dsp"],
        "source": "placed and routed: nextpnr-xilinx",
    }
    cells = dict(zip(HEADINGS, row(report), strict=True))
    assert cells["LUT"] == "10,340 of 17,600 LUT6, synthesized"
    assert cells["block memories"] == "33 of 60 (36 Kb)"


def test_the_units_are_those_of_a_report():
    """The fixture's, that is."""
    zybo = board("zybo")
    for name, use in REPORT["resources"]["synthesized"].items():
        assert name == "source" or use["unit"] == zybo.family.unit(name)


def test_reports_are_found_and_foreign_ones_left_out(tmp_path):
    for name, change in {
        "b": {},
        "a-25f": {"board": {"name": "a", "variant": "25F", "title": "First", "device": "d"}},
        "old": {"board": {**REPORT["board"], "name": "old"}, "schema_version": 1},
        "sim": {
            "board": {**REPORT["board"], "name": "sim"},
            "resources": {"synthesized": None, "placed": None},
        },
        # another model's, or with sizes that were asked for
        "b-stories-zybo": {},
        # an imported one's, whose core has lanes alone
        "b-mine": {"hardware": {"lanes": 32, "lanes_built": 32}},
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(json.dumps({**REPORT, **change}))
    lines = markdown(read_reports(tmp_path)).splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("| board | device |")
    assert lines[2].startswith("| First | d |") and lines[3].startswith("| A board |")


def test_no_report(tmp_path):
    with pytest.raises(UserError) as error:
        read_reports(tmp_path)
    assert str(error.value) == (
        f"no board's report.json under {tmp_path}; build one, or name some with --build"
    )
