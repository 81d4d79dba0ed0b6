"""What our platforms of 7-series boards have in common."""

from __future__ import annotations

from amaranth.vendor import XilinxPlatform

from .verilog import VerilogByYosys


class Xc7Platform(VerilogByYosys, XilinxPlatform):
    """For ``toolchain="Vivado"`` or ``"Xray"`` (openXC7).

    The override ``nextpnr_opts`` of :meth:`prepare` adds options for openXC7's placer, as
    ``synth_design_opts`` does for Vivado.
    """

    @property
    def _xray_device(self) -> str:
        """openXC7 names its chip databases by die and package."""
        return self._xray_part.rpartition("-")[0]

    @property
    def _xray_command_templates(self) -> list[str]:
        """amaranth's commands, but with block memories, a target frequency and a log.

        And without abc9: what is placed has the path depths that are checked (path_depth.py).
        """
        synthesis, place, *rest = super()._xray_command_templates
        options = """--json {{name}}.json
            --log {{name}}.tim
            {{get_override("nextpnr_opts")|options}}"""
        return [
            synthesis.replace(" -abc9 -nobram", ""),
            place.replace("--json {{name}}.json", options),
            *rest,
        ]
