"""Reports of place and route are read as what they are.

The texts for Vivado and nextpnr-xilinx were written for this test in the documented formats, with
made-up figures: neither tool ran. Those for nextpnr-ecp5 are shortened from a real run.
"""

import json

import pytest

from platforms.ecp5 import ECP5
from platforms.placed import (
    CriticalPath,
    NotAReport,
    Placed,
    read_nextpnr,
    read_vivado,
)
from platforms.xc7 import XC7

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
Info: \t  RAMB18E1_RAMB18E1:    33/   120    27%
Info: \t  RAMB36E1_RAMB36E1:    16/    60    26%
Info: \t    DSP48E1_DSP48E1:    80/    80   100%

Info: Max frequency for clock 'sync_clk': 117.30 MHz (FAIL at 125.00 MHz)
Info: Max frequency for clock 'sync_clk': 131.25 MHz (PASS at 125.00 MHz)
"""
TIMING_RPT = """\
Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
------------------------------------------------------------------------------------------
| Tool Version      : Vivado v.2023.2 (lin64) Build 4029153 Fri Oct 13 20:13:54 MDT 2023
| Date              : Mon Jan  1 12:00:00 2024
| Command           : report_timing_summary -datasheet -max_paths 10 -file top_timing.rpt
| Design            : top
| Device            : 7z010-clg400
| Speed File        : -1  PRODUCTION 1.12 2019-11-22
------------------------------------------------------------------------------------------

Timing Summary Report

------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)
    -------      -------  ---------------------  -------------------      -------      -------
      0.350        0.000                      0                31711        0.017        0.000


All user specified timing constraints are met.


------------------------------------------------------------------------------------------------
| Clock Summary
| -------------
------------------------------------------------------------------------------------------------

Clock          Waveform(ns)       Period(ns)      Frequency(MHz)
-----          ------------       ----------      --------------
clk125_0__io   {0.000 4.000}      8.000           125.000
  mmcm_fb      {0.000 4.000}      8.000           125.000
  pll_clock    {0.000 3.333}      6.667           150.000


------------------------------------------------------------------------------------------------
| Intra Clock Table
| -----------------
------------------------------------------------------------------------------------------------

Clock             WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)
-----             -------      -------  ---------------------  -------------------      -------
clk125_0__io
  mmcm_fb
pll_clock           0.350        0.000                      0                31711        0.017


------------------------------------------------------------------------------------------------
| Inter Clock Table
| -----------------
------------------------------------------------------------------------------------------------

From Clock    To Clock          WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints
----------    --------          -------      -------  ---------------------  -------------------


Max Delay Paths
--------------------------------------------------------------------------------------
Slack (MET) :             0.350ns  (required time - arrival time)
  Source:                 system/core/array/memory_reg_0/CLKBWRCLK
                            (rising edge-triggered cell RAMB36E1 clocked by pll_clock)
  Destination:            system/core/engine/total_reg[17]/D
                            (rising edge-triggered cell FDRE clocked by pll_clock)
  Path Group:             pll_clock
  Path Type:              Setup (Max at Slow Process Corner)
  Requirement:            6.667ns  (pll_clock rise@6.667ns - pll_clock rise@0.000ns)
  Data Path Delay:        6.102ns  (logic 3.204ns (52.507%)  route 2.898ns (47.493%))
  Logic Levels:           5  (CARRY4=3 LUT3=1 LUT6=1)
"""
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


def test_nextpnr(tmp_path):
    (tmp_path / "top.tim").write_text(ECP5_LOG)
    (tmp_path / "top.report.json").write_text(json.dumps(ECP5_REPORT))
    assert read_nextpnr(tmp_path, ECP5, "nextpnr-ecp5 0.11.1") == Placed(
        "nextpnr-ecp5 0.11.1",
        99.73072052001953,
        CriticalPath("core.exp2.0.0.DOA6", "core.mass_TRELLIS_FF_Q_10.DI", 10.027),
        {"lut": 3389, "ff": 2347, "bram": 7, "dsp": 10},
    )


def test_the_log_alone_tells_the_frequency_after_routing(tmp_path):
    (tmp_path / "top.tim").write_text(XILINX_LOG)
    assert read_nextpnr(tmp_path, XC7, "nextpnr-xilinx") == Placed(
        "nextpnr-xilinx",
        131.25,
        None,
        {"lut": 8372, "ff": 9909, "bram": 32.5, "dsp": 80},
    )


def test_of_several_clocks_the_slowest_counts(tmp_path):
    (tmp_path / "top.tim").write_text(
        "Info: Max frequency for clock 'a': 300.00 MHz (PASS at 25.00 MHz)\n"
        "Info: Max frequency for clock 'b': 91.50 MHz (PASS at 85.00 MHz)\n"
    )
    assert read_nextpnr(tmp_path, ECP5, "x").fmax_mhz == 91.5


@pytest.mark.parametrize("report", ["{", "[]", '{"fmax": {"a": 3}}'])
def test_what_is_no_report_of_nextpnr(tmp_path, report):
    (tmp_path / "top.tim").write_text(ECP5_LOG)
    (tmp_path / "top.report.json").write_text(report)
    with pytest.raises(NotAReport, match=r"top\.report\.json is not a report of nextpnr"):
        read_nextpnr(tmp_path, ECP5, "x")


def test_a_log_that_broke_off(tmp_path):
    (tmp_path / "top.tim").write_text("Info: Packing IOs..\n")
    with pytest.raises(NotAReport, match=r"top\.tim tells no frequency"):
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


def test_vivado_with_a_violated_clock(tmp_path):
    text = TIMING_RPT.replace("   0.350  ", "  -0.850  ")
    (tmp_path / "top_timing.rpt").write_text(text)
    placed = read_vivado(tmp_path)
    assert placed.fmax_mhz == pytest.approx(1000 / (6.667 + 0.850))
    assert placed.used is None


def test_what_is_no_report_of_vivado(tmp_path):
    (tmp_path / "top_timing.rpt").write_text("nothing\n")
    with pytest.raises(NotAReport, match="is not a timing summary of Vivado"):
        read_vivado(tmp_path)
