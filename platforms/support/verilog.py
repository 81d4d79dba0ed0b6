"""Verilog from RTLIL, by the yosys that pip installs, kept by the design's digest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from amaranth.build import TemplatedPlatform

from gateformer.model.support.cache import cached_file, digest

from . import yosys

_SCRIPT = """\
read_rtlil design.il
proc -nomux -norom
memory_collect
attrmap -remove generator -remove top -remove src -remove amaranth.hierarchy
attrmap -modattr -remove generator -remove top -remove src -remove amaranth.hierarchy
{unhinted}\
write_verilog -norename design.v
"""
"""The passes of ``amaranth.back.verilog``, which would need a yosys on the PATH."""


MEMORY_HINTS = ("ram_style", "rom_style")
"""Attributes that choose a kind of memory, which not every family has."""

_BY_ITSELF = re.compile(r"^  always @\*\n    (.*;)$", re.M)
"""What yosys makes of a variable's bits that no process drives."""
_YOSYS_TRIGGER = re.compile(r"^  reg (\\\$auto\$verilog_backend\S+)  = 0;$", re.M)
_TRIGGER = r"\$trigger"


def verilog_text(rtlil: str, without: Iterable[str] = ()) -> str:
    """Verilog of a design that :mod:`amaranth.back.rtlil` wrote; a second call is fast.

    The attributes ``without`` are left out of memories. Raises ToolError if yosys fails.
    """
    unhinted = "".join(f"attrmap -remove {name}\n" for name in without)
    script = _SCRIPT.format(unhinted=unhinted)

    def make(work: Path, target: Path):
        (work / "design.il").write_text(rtlil, encoding="utf-8")
        yosys.run(script, work)
        (work / "design.v").rename(target)

    name = f"verilog-{digest(rtlil, script, yosys.version())}.v"
    return _triggered(cached_file(name, make).read_text(encoding="utf-8"))


def _triggered(verilog: str) -> str:
    """The Verilog with every ``always @*`` run at the start of a simulation.

    A process that waits for nothing never runs, nor does one whose inputs are constant. Yosys lets
    most of them read a variable that is set to 0, but in its declaration: by SystemVerilog's rules
    (IEEE 1800, 6.8) that happens before any process waits.
    """
    modules = re.split(r"^(?=module )", verilog, flags=re.M)
    return "".join(map(_triggered_module, modules))


def _triggered_module(verilog: str) -> str:
    verilog = _YOSYS_TRIGGER.sub(lambda found: _trigger(found[1]), verilog)
    body = _BY_ITSELF.sub(
        lambda found: f"  always @* begin\n    if ({_TRIGGER} ) begin end\n    {found[1]}\n  end",
        verilog,
    )
    if body == verilog:
        return verilog
    head, end, rest = body.partition(");\n")
    return f"{head}{end}{_trigger(_TRIGGER)}\n{rest}"


def _trigger(name: str) -> str:
    return f"  reg {name} ;\n  initial {name} = 0;"


class VerilogByYosys:
    """Mixin before a vendor's platform, with :class:`WithOverrides` after it: its build plan has
    the design's RTLIL, too.

    ``{name}.il`` is the RTLIL, without source locations, and ``{name}.v`` is made from it by
    :func:`verilog_text`; both come from one elaboration.

    Attributes
    ----------
    writes_verilog : bool
        Yosys takes a second, or minutes; without it there is RTLIL alone.
    """

    writes_verilog = True

    @property
    def file_templates(self) -> dict[str, str]:
        ours = ("{{name}}.v", "{{name}}.debug.v")
        templates = {k: v for k, v in super().file_templates.items() if k not in ours}
        return {**templates, "{{name}}.il": "{{emit_rtlil()}}"}

    def toolchain_prepare(self, fragment, name, **overrides):
        # past the class of the board, which may add its own; not all can be given any
        self._overrides = {"emit_src": False, **overrides}
        plan = super().toolchain_prepare(fragment, name)
        if self.writes_verilog:
            plan.add_file(f"{name}.v", verilog_text(plan.files[f"{name}.il"]))
        return plan


class WithOverrides(TemplatedPlatform):
    """Base after the vendor's class of a platform that :class:`VerilogByYosys` comes before: what
    that was given overrides what the board's class adds."""

    def toolchain_prepare(self, fragment, name, **overrides):
        return super().toolchain_prepare(fragment, name, **{**overrides, **self._overrides})
