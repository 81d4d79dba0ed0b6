"""What a build says of its toolchain: remarks, and whether the netlist keeps to its rules."""

from __future__ import annotations

import dataclasses
import json

from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.support.errors import UserError

from ..place_and_route.project import Project
from ..synthesis.synthesis import NETLIST_NAME


def toolchain_section(project: Project) -> dict:
    """``report.json``'s ``toolchain``: name, remarks, and what its rules found, or None."""
    rules = project.tools.rules
    section = {"name": project.toolchain, "remarks": list(project.tools.remarks), "rules": None}
    if rules is not None:
        netlist = json.loads((project.directory / NETLIST_NAME).read_text(encoding="utf-8"))
        found = rules(netlist, project.board)
        section["rules"] = {**dataclasses.asdict(found), "summary": found.summary()}
    return section


def can_be_placed(section: dict) -> bool:
    """Whether no rule of the toolchain is broken."""
    return section["rules"] is None or not section["rules"]["violations"]


def refuse_if_rules_are_broken(section: dict, program: AnyProgram) -> None:
    """UserError, naming the first violation, if the toolchain can't make a bitstream of this, and
    the options that make a smaller core of the ``program``."""
    if not can_be_placed(section):
        violations = section["rules"]["violations"]
        more = f", and {len(violations) - 1} more" if len(violations) > 1 else ""
        raise UserError(
            f"{section['name']} cannot place and route this netlist: {violations[0]}{more} "
            f"(all in report.json); try {_smaller(program)}"
        )


def _smaller(program: AnyProgram) -> str:
    if isinstance(program, StreamedProgram):
        return "fewer --ports or --streams"
    if isinstance(program, DecoderProgram):
        return "fewer --lanes"
    return "smaller --rows, --cols or --lanes"
