"""Verilog from RTLIL, by the yosys that pip installs, kept by the design's digest."""

from __future__ import annotations

from pathlib import Path

from gateformer.model.support.cache import cached_file, digest

from . import yosys

_SCRIPT = """\
read_rtlil design.il
proc -nomux -norom
memory_collect
attrmap -remove generator -remove top -remove src -remove amaranth.hierarchy
attrmap -modattr -remove generator -remove top -remove src -remove amaranth.hierarchy
write_verilog -norename design.v
"""
"""The passes of ``amaranth.back.verilog``, which would need a yosys on the PATH."""


def verilog_text(rtlil: str) -> str:
    """Verilog of a design that :mod:`amaranth.back.rtlil` wrote; a second call is fast.

    Raises ToolError if yosys fails.
    """

    def make(work: Path, target: Path):
        (work / "design.il").write_text(rtlil, encoding="utf-8")
        yosys.run(_SCRIPT, work)
        (work / "design.v").rename(target)

    name = f"verilog-{digest(rtlil, _SCRIPT, yosys.version())}.v"
    return cached_file(name, make).read_text(encoding="utf-8")


class VerilogByYosys:
    """Mixin before a TemplatedPlatform: its build plan has the design's RTLIL, too.

    ``{name}.il`` is the RTLIL, without source locations, and ``{name}.v`` is made from it by
    :func:`verilog_text`; both come from one elaboration.
    """

    @property
    def file_templates(self) -> dict[str, str]:
        ours = ("{{name}}.v", "{{name}}.debug.v")
        templates = {k: v for k, v in super().file_templates.items() if k not in ours}
        return {**templates, "{{name}}.il": "{{emit_rtlil()}}"}

    def toolchain_prepare(self, fragment, name, **kwargs):
        plan = super().toolchain_prepare(fragment, name, **{"emit_src": False, **kwargs})
        plan.add_file(f"{name}.v", verilog_text(plan.files[f"{name}.il"]))
        return plan
