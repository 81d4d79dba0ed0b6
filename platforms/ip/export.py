"""``--export ip``: the core as an IP for somebody's own design.

Verilog with AXI4-Lite ports and what FuseSoC, Vivado and C programs need around it; see
docs/ip.md.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.host.register_documents import document, header
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import Artifact
from gateformer.model.support.errors import UserError
from gateformer.model.support.whole_file import write_whole

from ..boards.board import Board
from ..families.clock import as_mhz
from ..families.family import Resources
from ..host.image_file import IMAGE_FILE
from ..simulation.streamed_model import write_weights
from ..support.build_id import build_id as identify
from ..support.progress import working
from ..synthesis.compile import MODELS
from ..synthesis.synthesis import TOP as SYNTHESIS_TOP
from ..synthesis.synthesis import synthesize_rtlil
from . import lint as ip_lint
from . import masters as ip_masters
from . import testbench as ip_testbench
from . import verilog as ip_verilog
from .fusesoc import CORE_NAME, MARK, fusesoc_core
from .readme import FILES, readme
from .testbench_verilog import CELLS, TESTBENCH, testbench_verilog
from .verilog import GENERIC, TOP
from .vivado import constraints, package_script

_CELL_MODELS = {
    "dsp48e1": ("xc7_dsp.v", "xilinx_dsp.v"),
    "dsp48e2": ("xcup_dsp.v", "xilinx_dsp.v"),
    "mult18x18d": ("ecp5_carry.v", "ecp5_multiplier.v"),
}
"""Our models of the primitives, by multiplier family; of Gowin's there are none."""
_VIVADO = ("xc7", "xcup")
"""Families whose parts Vivado knows."""


def export_board_ip(
    board: Board,
    artifact: Artifact,
    program: AnyProgram,
    clock_mhz: float,
    directory: Path,
    *,
    synthesis: bool = True,
) -> list[Path]:
    """All of ``--export ip``: checks, synthesis for the README's resources, and the files.

    For ``sim`` the Verilog is portable and nothing is synthesized. The paths written are returned,
    the Verilog first. Takes minutes for a design nobody has synthesized on this machine, unless
    there is to be no ``synthesis``: then the README says so.

    Raises
    ------
    UserError
        As :func:`check_directory`.
    """
    check_directory(directory)
    mhz = as_mhz(clock_mhz)
    sources = (ip_verilog, ip_masters)
    wrapper = "".join(Path(source.__file__).read_text(encoding="utf-8") for source in sources)
    build_id = identify(program, (mhz, board.dsp, wrapper), ())
    if board.family is None:
        return export_ip(artifact, program, directory, mhz, build_id)
    resources = None
    if synthesis:
        system = ip_verilog.system_rtlil(program, SYNTHESIS_TOP, build_id, _khz(mhz), board.dsp)
        with working("synthesis of the IP core"):
            resources = board.family.count(synthesize_rtlil(system, board.family).cells)
    return export_ip(artifact, program, directory, mhz, build_id, board=board, resources=resources)


def export_ip(
    artifact: Artifact,
    program: AnyProgram,
    directory: Path,
    clock_mhz: float | Fraction,
    build_id: int,
    *,
    board: Board | None = None,
    resources: Resources | None = None,
) -> list[Path]:
    """Write the IP core to ``directory``; the paths written, the Verilog first.

    With a :class:`StreamedProgram` it has masters into external memory, and the image's file is
    written, too.

    Parameters
    ----------
    clock_mhz, build_id
        What the registers CLOCK_KHZ and BUILD_ID read.
    board : Board, optional
        Whose family of multipliers the Verilog instantiates and whose part the scripts name;
        without it the Verilog is portable.
    resources : Resources, optional
        Of the synthesized core on that board, for the README.

    Raises
    ------
    UserError
        As :func:`check_directory`.
    ToolError
        If yosys fails.
    """
    directory = Path(directory)
    check_directory(directory)
    mhz = as_mhz(clock_mhz)
    family = None if board is None else board.family
    family_name = None if family is None else family.name
    protocol = ip_masters.protocol_of(family_name)
    streamed = isinstance(program, StreamedProgram)
    dsp = GENERIC if board is None else board.dsp
    description = f"Accelerator of the language model {artifact.name}, build {build_id:08x}"
    with working("writing the IP core"):
        verilog = ip_verilog.ip_verilog(
            program,
            build_id=build_id,
            clock_khz=_khz(mhz),
            dsp=dsp,
            head=f"{description}.\nWritten by gateformer's --export ip; do not edit.",
            protocol=protocol,
        )
    part = board.device if family_name in _VIVADO else None
    built = Identification.of(program, build_id, _khz(mhz)).registers
    memory = ip_masters.masters(ip_masters.memory_of(program), protocol)
    has_cells = dsp in _CELL_MODELS
    verilog_files = [f"{TESTBENCH}.v", f"{TOP}.v", *([CELLS] if has_cells else [])]
    texts = {
        # First, so that an interrupted export is known as ours.
        CORE_NAME: fusesoc_core(
            description,
            family_name,
            portable=dsp == GENERIC,
            cells=has_cells,
            image=streamed,
        ),
        f"{TOP}.v": verilog,
        f"{TESTBENCH}.v": testbench_verilog(
            ip_testbench.steps(artifact, program, build_id, _khz(mhz)),
            ip_testbench.longest_wait(program),
            verilog_files,
            program.facts if streamed else None,
            protocol,
        ),
        **({CELLS: _cell_models(dsp)} if has_cells else {}),
        **({ip_lint.WAIVERS: ip_lint.waivers(verilog)} if dsp == GENERIC else {}),
        "package_ip.tcl": package_script(description, part, built, memory),
        "constraints.xdc": constraints(mhz),
        f"{TOP}_regs.h": header(built),
        "registers.md": document(built),
    }
    texts["README.md"] = readme(
        artifact,
        program,
        built,
        files=(*texts, IMAGE_FILE) if streamed else texts,
        memory=memory,
        clock_mhz=mhz,
        build_id=build_id,
        dsp=dsp,
        board=board,
        resources=resources,
    )
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_whole(directory / name, text)
    written = {*texts}
    if streamed:
        written.add(write_weights(artifact, program, directory).name)
    for name in FILES.keys() - written:
        (directory / name).unlink(missing_ok=True)  # of an earlier export for something else
    return [directory / name for name in FILES if name in written]


def _cell_models(dsp: str) -> str:
    return "\n".join((MODELS / name).read_text(encoding="utf-8") for name in _CELL_MODELS[dsp])


def check_directory(directory: Path) -> None:
    """UserError unless ``directory`` is absent, empty or an earlier export."""
    if not directory.exists():
        return
    if not directory.is_dir():
        raise UserError(f"{directory} is a file, where --export ip needs a directory; move it away")
    if not any(directory.iterdir()):
        return
    if not is_export(directory):
        raise UserError(f"{directory} is not empty and no earlier export; move it away or empty it")


def is_export(directory: Path) -> bool:
    """Whether there is an earlier export in ``directory``."""
    core = directory / CORE_NAME
    return core.is_file() and MARK in core.read_text(encoding="utf-8", errors="replace")


def _khz(mhz: Fraction) -> int:
    return round(mhz * 1000)
