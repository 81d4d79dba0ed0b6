"""FuseSoC's description of the IP core.

Source: FuseSoC user guide, "CAPI2 core file format", and Edalize's flows ``lint`` and ``generic``.
"""

from __future__ import annotations

import json

from ..host.image_file import IMAGE_FILE
from .lint import WAIVERS, options
from .testbench_verilog import CELLS, TESTBENCH
from .verilog import TOP

VENDOR, LIBRARY, VERSION = "gateformer", "ip", "1.0"
VLNV = f"{VENDOR}:{LIBRARY}:{TOP}:{VERSION}"
CORE_NAME = f"{TOP}.core"
MARK = "# Written by gateformer's --export ip; do not edit."
"""Second line of the file, by which a directory is known to be an earlier export."""

_ARCHITECTURES = {"xc7": "xilinx", "xcup": "xilinx"}
"""Yosys' name of a family where it is another than ours."""
_SYNTHESIS_OPTIONS = {"xcup": "-family xcup"}
"""What yosys' command of such an architecture has to be told besides."""

_FILES = f"""\
filesets:
  rtl:
    files:
      - {TOP}.v
    file_type: verilogSource
  software:
    files:
      - {TOP}_regs.h
    file_type: user
"""
_WAIVERS = f"""\
  waivers:
    files:
      - {WAIVERS}
    file_type: vlt
"""
_TESTBENCH = """\
  testbench:
    files:
{files}
{image}\
    file_type: verilogSource
"""
_IMAGE = f"""\
      - {IMAGE_FILE}:
          file_type: user
          copyto: {IMAGE_FILE}
"""
"""Where a simulation is started."""
_DEFAULT = f"""\

targets:
  default:
    description: the Verilog, for cores that depend on this one
    filesets: [rtl, software]
    toplevel: {TOP}
"""
_LINT = f"""\
  lint:
    description: Verilator's checks
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [{", ".join(options())}]
    filesets: [rtl, waivers]
    toplevel: {TOP}
"""
_SIM = f"""\
  sim:
    description: the testbench in Icarus Verilog
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options: [-g2012]
    filesets: [testbench, rtl]
    toplevel: {TESTBENCH}
  sim_verilator:
    description: the testbench in Verilator
    flow: sim
    flow_options:
      tool: verilator
      mode: binary
      verilator_options: [--timing, -Wno-fatal, -Wno-lint]
    filesets: [testbench, rtl]
    toplevel: {TESTBENCH}
"""
_SYNTH = f"""\
  synth:
    description: synthesis by yosys
    flow: generic
    flow_options:
      tool: yosys
      arch: {{architecture}}
      output_format: json{{options}}
    filesets: [rtl]
    toplevel: {TOP}
"""


def fusesoc_core(
    description: str,
    family: str | None,
    *,
    portable: bool,
    cells: bool = False,
    image: bool = False,
) -> str:
    """Text of ``gateformer.core``.

    ``family`` (its name) adds a target ``synth``; ``portable`` Verilog, without a vendor's
    primitives, a target ``lint``; that or ``cells``, models of the primitives in an own file, the
    targets ``sim`` and ``sim_verilator``. ``image``: the testbench reads one from a file.
    """
    filesets, targets = _FILES, _DEFAULT
    if portable:
        filesets += _WAIVERS
        targets += _LINT
    if portable or cells:
        names = [f"{TESTBENCH}.v", *([CELLS] if cells else [])]
        filesets += _TESTBENCH.format(
            files="\n".join(f"      - {name}" for name in names), image=_IMAGE if image else ""
        )
        targets += _SIM
    if family is not None:
        options = _SYNTHESIS_OPTIONS.get(family)
        targets += _SYNTH.format(
            architecture=_ARCHITECTURES.get(family, family),
            options="" if options is None else f"\n      yosys_synth_options: [{options}]",
        )
    return (
        f"CAPI=2:\n{MARK}\nname: {VLNV}\n"
        f"description: {json.dumps(description, ensure_ascii=False)}\n\n{filesets}{targets}"
    )
