"""FuseSoC's description of the IP core.

Source: FuseSoC user guide, "CAPI2 core file format", and Edalize's flows ``lint`` and ``generic``.
"""

from __future__ import annotations

import json

from .verilog import TOP

VENDOR, LIBRARY, VERSION = "gateformer", "ip", "1.0"
VLNV = f"{VENDOR}:{LIBRARY}:{TOP}:{VERSION}"
CORE_NAME = f"{TOP}.core"
MARK = "# Written by gateformer's --export ip; do not edit."
"""Second line of the file, by which a directory is known to be an earlier export."""

_ARCHITECTURES = {"xc7": "xilinx"}
"""Yosys' name of a family where it is another than ours."""
_EXPECTED_WARNINGS = ("WIDTH", "CASEINCOMPLETE", "LITENDIAN")
"""What Verilator says of any Verilog that yosys wrote."""

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
      verilator_options: [{", ".join(f"-Wno-{name}" for name in _EXPECTED_WARNINGS)}]
    filesets: [rtl]
    toplevel: {TOP}
"""
_SYNTH = f"""\
  synth:
    description: synthesis by yosys
    flow: generic
    flow_options:
      tool: yosys
      arch: {{architecture}}
      output_format: json
    filesets: [rtl]
    toplevel: {TOP}
"""


def fusesoc_core(description: str, family: str | None, *, portable: bool) -> str:
    """Text of ``gateformer.core``.

    ``family`` (its name) adds a target ``synth``; ``portable`` Verilog, without a vendor's
    primitives, a target ``lint``.
    """
    targets = _LINT if portable else ""
    if family is not None:
        targets += _SYNTH.format(architecture=_ARCHITECTURES.get(family, family))
    return (
        f"CAPI=2:\n{MARK}\nname: {VLNV}\n"
        f"description: {json.dumps(description, ensure_ascii=False)}\n\n{_FILES}{targets}"
    )
