"""Reports of place and route are read as what they are.

The texts for Vivado and nextpnr-xilinx were written for this test in the layout of real reports,
with made-up figures: neither tool ran. Those for nextpnr-ecp5 are shortened from a real run.
"""

import json
from pathlib import Path

import pytest

from gateformer.platforms.families.ecp5 import ECP5
from gateformer.platforms.families.xc7 import XC7
from gateformer.platforms.place_and_route import nextpnr_report as placed_nextpnr
from gateformer.platforms.place_and_route import vivado_report as placed_vivado
from gateformer.platforms.place_and_route.placed import CriticalPath, NotAReport, Placed

ECP5_LOG = """\
Info: Logic utilisation before packing:
Info:     Total LUT4s:      3199/24288    13%

Info: Device utilisation:
Info: \t          TRELLIS_IO:       4/    197     2%
Info: \t              DP16KD:       7/     56    12%
Info: \t          MULT18X18D:      10/     28    35%
Info: \t          TRELLIS_FF:    2347/  24288     9%
Info: \t        TRELLIS_COMB:    3389/  24288    13%
Info: \t        TRELLIS_RAMW:      51/   3036     1%

Info: Max frequency for clock '$glbnet$clk$TRELLIS_IO_IN': 97.56 MHz (PASS at 85.00 MHz)
Info: Routing..
Info: Max frequency for clock '$glbnet$clk$TRELLIS_IO_IN': 99.73 MHz (PASS at 85.00 MHz)

Info: Program finished normally.
"""
CLOCK = "$glbnet$clk$TRELLIS_IO_IN"
ECP5_REPORT = {
    "critical_paths": [
        {
            "from": f"posedge {CLOCK}",
            "to": f"posedge {CLOCK}",
            "path": [
                {
                    "type": "clk-to-q",
                    "delay": 5.609000205993652,
                    "from": {"cell": "core.exp2.0.0", "loc": [35, 25], "port": "DOA6"},
                    "to": {"cell": "core.exp2.0.0", "loc": [35, 25], "port": "DOA6"},
                },
                {
                    "type": "routing",
                    "delay": 4.418,
                    "net": "core.table",
                    "from": {"cell": "core.exp2.0.0", "loc": [35, 25], "port": "DOA6"},
                    "to": {"cell": "core.mass_TRELLIS_FF_Q_10", "loc": [35, 4], "port": "DI"},
                },
            ],
        },
        {"from": "<async>", "to": f"posedge {CLOCK}", "path": []},
    ],
    "fmax": {CLOCK: {"achieved": 99.73072052001953, "constraint": 85}},
    "utilization": {"TRELLIS_COMB": {"available": 24288, "used": 3389}},
}
XILINX_LOG = """\
Info: Device utilisation:
Info: \t         SLICE_LUTX:  8372/ 35200    23%
Info: \t          SLICE_FFX:  9909/ 35200    28%
Info: \t             CARRY4:   512/  4400    11%
Info: \t           RAMB18E1:    33/   120    27%
Info: \t       RAMBFIFO36E1:     0/    60     0%
Info: \t           RAMB36E1:    16/    60    26%
Info: \t            DSP48E1:    80/    80   100%

Info: Max frequency for clock 'sync_clk': 117.30 MHz (FAIL at 125.00 MHz)
Info: Max frequency for clock 'sync_clk': 131.25 MHz (PASS at 125.00 MHz)
"""
TIMING_RPT = (Path(__file__).parent / "data/vivado_timing.rpt").read_text()
UTILIZATION_RPT = """\
1. Slice Logic
--------------

+----------------------------+------+-------+------------+-----------+-------+
|          Site Type         | Used | Fixed | Prohibited | Available | Util% |
+----------------------------+------+-------+------------+-----------+-------+
| Slice LUTs                 | 9876 |     0 |          0 |     17600 | 56.11 |
|   LUT as Logic             | 9100 |     0 |          0 |     17600 | 51.70 |
| Slice Registers            | 9777 |     0 |          0 |     35200 | 27.78 |
+----------------------------+------+-------+------------+-----------+-------+

3. Memory
---------

| Block RAM Tile    | 32.5 |     0 |          0 |        60 | 54.17 |
|   RAMB36/FIFO*    |   16 |     0 |          0 |        60 | 26.67 |

4. DSP
------

| DSPs           |   80 |     0 |          0 |        80 | 100.00 |
|   DSP48E1 only |   80 |       |            |           |        |
"""


def read_nextpnr(directory, family, tool):
    log, report = (directory / name for name in ("top.tim", "top.report.json"))
    return placed_nextpnr.read_nextpnr(log, report if report.exists() else None, family, tool)


def read_vivado(directory):
    utilization = directory / "top_utilization_place.rpt"
    return placed_vivado.read_vivado(
        directory / "top_timing.rpt", utilization if utilization.exists() else None
    )


def test_nextpnr(tmp_path):
    (tmp_path / "top.tim").write_text(ECP5_LOG)
    (tmp_path / "top.report.json").write_text(json.dumps(ECP5_REPORT))
    assert read_nextpnr(tmp_path, ECP5, "nextpnr-ecp5 0.11.1") == Placed(
        "nextpnr-ecp5 0.11.1",
        99.73072052001953,
        CriticalPath("core.exp2.0.0.DOA6", "core.mass_TRELLIS_FF_Q_10.DI", 10.027),
        {"lut": 3389, "ff": 2347, "bram": 7, "dsp": 10},
        versions={"nextpnr-ecp5": "0.11.1"},
    )


def test_the_log_alone_tells_the_frequency_after_routing(tmp_path):
    (tmp_path / "top.tim").write_text(XILINX_LOG)
    assert read_nextpnr(tmp_path, XC7, "nextpnr-xilinx") == Placed(
        "nextpnr-xilinx",
        131.25,
        None,
        # SLICE_LUTX are no LUTs in the sense of the data sheet
        {"ff": 9909, "bram": 32.5, "dsp": 80},
        versions={"nextpnr-xilinx": None},
    )


def test_the_longer_names_of_older_versions(tmp_path):
    text = XILINX_LOG
    for name in ("RAMB18E1", "RAMB36E1", "DSP48E1"):
        text = text.replace(f"{name}: ", f"{name}_{name}: ")
    (tmp_path / "top.tim").write_text(text)
    assert read_nextpnr(tmp_path, XC7, "x").used == {"ff": 9909, "bram": 32.5, "dsp": 80}


def test_of_several_clocks_the_slowest_counts(tmp_path):
    (tmp_path / "top.tim").write_text(
        "Info: Max frequency for clock 'a': 300.00 MHz (PASS at 25.00 MHz)\n"
        "Info: Max frequency for clock 'b': 91.50 MHz (PASS at 85.00 MHz)\n"
    )
    assert read_nextpnr(tmp_path, ECP5, "x").fmax_mhz == 91.5


@pytest.mark.parametrize("report", ["{", "[]", '{"fmax": {"a": 3}}', '{"fmax": []}'])
def test_what_is_no_report_of_nextpnr(tmp_path, report):
    (tmp_path / "top.tim").write_text(ECP5_LOG)
    (tmp_path / "top.report.json").write_text(report)
    with pytest.raises(NotAReport, match=r"top\.report\.json is not a report of nextpnr"):
        read_nextpnr(tmp_path, ECP5, "x")


def test_a_log_that_broke_off(tmp_path):
    (tmp_path / "top.tim").write_text("Info: Packing IOs..\n")
    with pytest.raises(NotAReport, match=r"top\.tim tells no frequency"):
        read_nextpnr(tmp_path, ECP5, "x")


def test_a_report_of_another_run_than_the_log(tmp_path):
    (tmp_path / "top.tim").write_text(ECP5_LOG)
    report = {**ECP5_REPORT, "fmax": {CLOCK: {"achieved": 81.3, "constraint": 85}}}
    (tmp_path / "top.report.json").write_text(json.dumps(report))
    with pytest.raises(NotAReport, match=r"report\.json is of another run than .*top\.tim"):
        read_nextpnr(tmp_path, ECP5, "x")


def test_a_run_that_failed_after_placement(tmp_path):
    text = ECP5_LOG.replace("Info: Program finished normally.", "ERROR: Failed to route net 'a'")
    (tmp_path / "top.tim").write_text(text)
    with pytest.raises(NotAReport, match=r"top\.tim is of a run that failed"):
        read_nextpnr(tmp_path, ECP5, "x")


def test_a_missed_clock_is_no_failure(tmp_path):
    text = XILINX_LOG.replace("Info: Max frequency for clock 'sync_clk': 131.25 MHz (PASS", "")
    text += "ERROR: Max frequency for clock 'sync_clk': 121.25 MHz (FAIL at 125.00 MHz)\n"
    (tmp_path / "top.tim").write_text(text)
    assert read_nextpnr(tmp_path, XC7, "x").fmax_mhz == 121.25


HOLD = """\
Info: 2 Hold/min time violations (showing 10 worst paths):

{word}: Hold/min time violation for clock 'posedge clk':
Info:       type curr  total name
Info:   clk-to-q  0.20  0.20 Source core.address_DFF_Q_2.Q
Info:    routing  0.55  0.75 Net core.address[2] (16,25) -> (16,27)
Info:                          Sink core.weights.0.10.ADB6
Info:       hold -0.12  {slack} Source core.weights.0.10.ADB6
Info: 0.08 ns logic, 0.55 ns routing

"""


@pytest.mark.parametrize(
    ("slacks", "violation"),
    [
        (["0.63"], None),
        (["0.63", "-0.05"], "hold slack -0.05 ns, clock 'posedge clk'"),
        (["0.00"], "hold slack 0 ns, clock 'posedge clk'"),
    ],
)
def test_a_hold_time_counts_by_the_slack_that_nextpnr_prints(tmp_path, slacks, violation):
    """For Gowin's block memories it warns of times that are kept: nextpnr's issue 1803."""
    text = "".join(HOLD.format(word="Warning", slack=slack) for slack in slacks)
    (tmp_path / "top.tim").write_text(text + ECP5_LOG)
    placed = read_nextpnr(tmp_path, ECP5, "x")
    assert placed.violation == violation
    assert placed.meets(90.0) == (violation is None)


def test_a_hold_time_that_stopped_nextpnr(tmp_path):
    (tmp_path / "top.tim").write_text(HOLD.format(word="ERROR", slack="0.63") + ECP5_LOG)
    with pytest.raises(NotAReport, match=r"top\.tim is of a run that failed"):
        read_nextpnr(tmp_path, ECP5, "x")


def test_vivado(tmp_path):
    (tmp_path / "top_timing.rpt").write_text(TIMING_RPT)
    (tmp_path / "top_utilization_place.rpt").write_text(UTILIZATION_RPT)
    placed = read_vivado(tmp_path)
    assert placed.tool == "Vivado v.2023.2"
    assert placed.fmax_mhz == pytest.approx(1000 / (6.667 - 0.350))
    assert placed.used == {"lut": 9876, "ff": 9777, "bram": 32.5, "dsp": 80}
    assert placed.critical_path == CriticalPath(
        "system/core/array/memory_reg_0/CLKBWRCLK", "system/core/engine/total_reg[17]/D", 6.102
    )


def changed(old, new):
    assert TIMING_RPT.count(old) == 1 and len(old) == len(new)
    return TIMING_RPT.replace(old, new)


def test_vivado_with_a_violated_generated_clock(tmp_path):
    """Its row is indented; that of its source has pulse widths only, which are no setup slack."""
    old = "  pll_clock         0.350        0.000                      0"
    new = "  pll_clock       -45.561   -15428.046                    445"
    (tmp_path / "top_timing.rpt").write_text(changed(old, new))
    placed = read_vivado(tmp_path)
    assert placed.fmax_mhz == pytest.approx(1000 / (6.667 + 45.561))
    assert not placed.meets(125.0) and placed.violation is None
    assert placed.used is None


def test_vivado_with_a_second_clock(tmp_path):
    """The slowest counts, and the critical path is that clock's, not the first in the report."""
    rows = TIMING_RPT.split("| Intra Clock Table")[1].splitlines()
    row = next(line for line in rows if line.startswith("clk125_0__io "))
    slow = "     -1.000       -2.000                      2                    9"
    assert row[12 : 12 + len(slow)].isspace()
    text = changed(row, row[:12] + slow + row[12 + len(slow) :])
    path = (
        text.split("Max Delay Paths")[1]
        .replace("pll_clock", "clk125_0__io")
        .replace("6.102ns", "8.800ns")
    )
    (tmp_path / "top_timing.rpt").write_text(f"{text}\nMax Delay Paths{path}")
    placed = read_vivado(tmp_path)
    assert placed.fmax_mhz == pytest.approx(1000 / 9)
    assert placed.critical_path.delay_ns == 8.8


@pytest.mark.parametrize(
    ("old", "new", "violation"),
    [
        (
            "      31711        0.017 ",
            "      31711       -0.017 ",
            "hold slack -0.017 ns of pll_clock",
        ),
        (
            "      2.000        0.000 ",
            "     -0.155       -0.155 ",
            "pulse width slack -0.155 ns of ",
        ),
    ],
)
def test_vivado_with_another_violation(tmp_path, old, new, violation):
    head, table = TIMING_RPT.split("| Intra Clock Table")
    (tmp_path / "top_timing.rpt").write_text(f"{head}| Intra Clock Table{table.replace(old, new)}")
    placed = read_vivado(tmp_path)
    assert placed.violation.startswith(violation)
    assert placed.fmax_mhz > 125 and not placed.meets(125.0)


def test_what_is_no_report_of_vivado(tmp_path):
    (tmp_path / "top_timing.rpt").write_text("nothing\n")
    with pytest.raises(NotAReport, match="is not a timing summary of Vivado"):
        read_vivado(tmp_path)
