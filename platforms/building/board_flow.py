"""``build.py`` for a board: text, netlist, build directory, and on to the bitstream."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.parts.uart import uart_divisor
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import Artifact
from gateformer.model.support.errors import ToolError, UserError

from ..boards.programming import ZYNQ_PROGRAMMERS, check_programmers, program
from ..boards.target import UART, Board
from ..families.family import Resources
from ..place_and_route.placed import Placed
from ..place_and_route.project import Project, advice, choose_toolchain, write_project
from ..place_and_route.reports import report_names
from ..place_and_route.run import make_bitstream, read_reports, refuse_if_too_slow
from ..simulation.interleaved import core_simulator
from ..sizes.search import NO_FIT_ADVICE
from ..sizes.sizing import nearest_fitting, size_options
from ..support.progress import console as status
from ..support.progress import working
from ..support.tools import ToolPool
from ..synthesis.synthesis import LOG_NAME, synthesize
from . import report, streamed
from .report_table import print_report
from .streams import on_chip_streams
from .text import BuildText
from .toolchain_report import can_be_placed, refuse_if_rules_are_broken, toolchain_section


def check_options(target: Board, arguments, clock_mhz: float) -> None:
    """UserError if toolchain, clock or baud rate are impossible, port or programmer missing."""
    choose_toolchain(target, arguments.toolchain)
    most = target.multiplier_mhz
    if most is not None and clock_mhz > most:
        raise UserError(
            f"clock must be at most {most:g} MHz, not {clock_mhz:g}: a {target.family.dsp_unit} of "
            f"{target.device} is not faster from its input to its output register"
        )
    target.make_clock(clock_mhz)
    if arguments.baud is not None and target.console != UART:
        raise UserError(f"{target.name} has no text console on a serial port; leave --baud out")
    if arguments.baud is not None:
        uart_divisor(round(clock_mhz * 1e6), arguments.baud)
    if arguments.program and arguments.firmware:
        check_programmers(ZYNQ_PROGRAMMERS, target.name, "--firmware --program")
    elif arguments.program:
        check_programmers(target.programmers, target.name)


def build_board(
    artifact: Artifact,
    core_program: AnyProgram,
    target: Board,
    clock_mhz: float,
    directory: Path,
    arguments,
    output: Console,
    text: BuildText,
) -> None:
    """Everything for a board."""
    toolchain = choose_toolchain(target, arguments.toolchain, directory)
    options = target.top_options(artifact.name, arguments.baud)
    design = target.build_top(core_program, clock_mhz, **options)
    clock_mhz = float(design.clock_mhz)
    synthesized = not arguments.no_synthesis
    with ToolPool() as pool, working("synthesis" if synthesized else "simulation"):
        synthesis = pool.submit(synthesize, design, target, directory) if synthesized else None
        if isinstance(core_program, StreamedProgram):
            image = streamed.write_weights(artifact, core_program, directory)
            found = streamed.simulate(core_program, target.memory, clock_mhz, image, text, output)
            printed, cycles, further = found.text, found.cycles, found.sections
        else:
            image = None
            simulator = core_simulator(core_program)
            printed = text.print(simulator, output)
            with working("counting cycles at every position"):
                cycles = report.counted_cycles(core_program, simulator)
            further = on_chip_streams(simulator, clock_mhz)
        resources = synthesis.result() if synthesized else None
    result = report.build_report(artifact, core_program, target, clock_mhz, cycles)
    result |= further
    result["build_id"] = f"{design.build_id:08x}"
    result["files"] = [str(image)] if image else []
    if not synthesized:
        with working("writing the project"):
            project = write_project(design, target, directory, toolchain, synthesis=False)
        _write(result, project, printed, output)
        announce_unsynthesized(project, output)
        return
    result["resources"]["synthesized"] = report.resources_section(
        resources.as_dict(), target, f"yosys {target.family.synthesis.split()[0]}"
    )
    with working("writing the project"):
        project = write_project(design, target, directory, toolchain)
    result["toolchain"] = toolchain_section(project)
    fits = not resources.exceeding(target.budget) and can_be_placed(result["toolchain"])
    missing = project.tools.missing()
    try:
        placed = _place(project, clock_mhz, run=fits and not missing)
    except ToolError:
        _write(result, project, printed, output)
        raise
    if placed is not None:
        report.add_placed(result, placed, target, clock_mhz)
    _write(result, project, printed, output)
    refuse_if_too_large(core_program, target, resources)
    refuse_if_rules_are_broken(result["toolchain"], core_program)
    if placed is not None:
        refuse_if_too_slow(placed, clock_mhz)
    announce_bitstream(project, missing, output)
    if arguments.program:
        load_bitstream(project, output)


def announce_bitstream(project: Project, missing: list[str], output: Console) -> None:
    """The build's last line: where the design's bitstream is, or how to get it."""
    last = f"bitstream: {project.bitstream}"
    if not project.has_bitstream():
        last = advice(project, missing)
    output.print(last, markup=False, highlight=False, soft_wrap=True)


def announce_unsynthesized(project: Project, output: Console) -> None:
    """The last line of a build with ``--no-synthesis``."""
    last = "not synthesized: build without --no-synthesis for resources and a bitstream"
    output.print(last, markup=False, highlight=False, soft_wrap=True)


def load_bitstream(project: Project, output: Console) -> None:
    """Load it into the board. UserError if there is none, if it is older than the design, …"""
    if project.bitstream.exists() and not project.has_bitstream():
        raise UserError(
            f"--program: {project.bitstream} is older than the design; see the line above"
        )
    program(project.board.programmers, project.bitstream, output)


def _place(project: Project, clock_mhz: float, run: bool) -> Placed | None:
    if run:
        return make_bitstream(project, clock_mhz)
    return read_reports(project, status)


def _write(result: dict, project: Project, text: str, output: Console) -> None:
    reports = [project.directory / name for name in report_names(project.toolchain)]
    made = [path for path in (*reports, project.bitstream) if project.is_current(path)]
    log = project.directory / LOG_NAME
    logs = [log] if result["resources"]["synthesized"] is not None else []
    paths = [*project.files, *logs, *made, project.directory / report.REPORT]
    result["files"] += [str(path) for path in paths]
    report.write_report(result, project.directory)
    print_report(result, text, output)


def _advice(core_program: AnyProgram, target: Board) -> str:
    """What to do about a design that is too large."""
    if isinstance(core_program, StreamedProgram):
        streams = core_program.streams
        fewer = f"try --streams {streams - 1}, " if streams > 1 else ""
        return f"{fewer}import the model with a smaller --context, or choose a larger board"
    model, hw = core_program.model, core_program.hw
    smaller = nearest_fitting(model, target, hw)
    tried = [] if smaller is None else [size_options(model, smaller)]
    if hw.all_streams > 1:
        name = "streams" if hw.streams > 1 else "cores"
        tried.append(f"--{name} {getattr(hw, name) - 1}")
    return f"try {' or '.join(tried)}" if tried else NO_FIT_ADVICE


def refuse_if_too_large(core_program: AnyProgram, target: Board, resources: Resources) -> None:
    """UserError, naming resource, excess and sizes that fit, if the synthesized design does not."""
    for name, used, available in resources.exceeding(target.budget):
        advised = _advice(core_program, target)
        raise UserError(
            f"the design does not fit {target.label}: {used:,g} {name.upper()}, "
            f"{used - available:,g} more than the {available:,} there are; {advised}"
        )
