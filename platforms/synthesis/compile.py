"""A synthesized netlist and models of its primitives, compiled to a simulation.

Models: Yosys' own for carries, registers and distributed memories; those in ``cell_models`` for
what Yosys has no behavioural model of, and for the DSP48E1, so that the model which proves
gateware/parts/multiplier.py is not the one that checks its netlist. LUTs are lookups in their INIT.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from gateformer.gateware.core.core import Core
from gateformer.gateware.decoder.core import DecoderCore
from gateformer.model.support.cache import cached_file, digest
from gateformer.model.support.compiler import identity

from ..simulation import cxxrtl
from ..support import cpp_compiler, yosys
from ..support.progress import working
from . import cells, ultrascale_memory, words
from .cells import check_supported, simulation_netlist
from .netlist import Module
from .synthesis import TOP
from .words import as_words, widths

MODELS = Path(__file__).with_name("cell_models")
_YOSYS_MODELS = {
    "xc7": "+/xilinx/cells_sim.v",
    "xcup": "+/xilinx/cells_sim.v",
    "ecp5": "+/ecp5/cells_sim.v",
    "gowin": "+/gowin/cells_sim.v",
}

_XILINX = ("xc7", "xcup")
"""Families that have models in common."""

UNOPTIMIZED = '#pragma GCC optimize "O0"\n'
"""For what comes from the netlist: it runs for some thousand cycles, and optimizing it takes longer
than running it without. Only g++ heeds it."""

SMALL = 20_000
"""Cells of a netlist for which not even CXXRTL's templates are worth optimizing."""

_USING = "using namespace cxxrtl_yosys;\n"
"""Of each file of C++, behind its includes."""

_SCRIPT = """\
read_json netlist.json
read_verilog -nowb -overwrite {theirs}
read_verilog -overwrite {ours}
hierarchy -check -top top
proc
flatten -noscopeinfo
setattr -unset src
opt_expr
opt_merge
opt_clean -purge
write_rtlil flat.il
"""


def model_files(family: str) -> list[Path]:
    """Our Verilog models of a family's primitives."""
    names = (family, "xilinx") if family in _XILINX else (family,)
    return sorted(path for name in names for path in MODELS.glob(f"{name}_*.v"))


def compile_netlist(
    netlist: Module, component: Core | DecoderCore, family: str
) -> cxxrtl.CompiledDesign:
    """Compile a netlist of ``component``; cached by the digest of both and of the models.

    Raises
    ------
    UserError
        If there is no C++ compiler.
    ValueError
        For a primitive or a setting without a model.
    ToolError
        If Yosys or the compiler fails.
    """
    check_supported(netlist, family)
    compiler = cpp_compiler.find_compiler()
    ports = cxxrtl.flat_ports(component)
    ours = [Path(module.__file__) for module in (cells, ultrascale_memory, words)]
    sources = [*cxxrtl.GENERATORS, *model_files(family), Path(__file__), *ours]
    key = digest(
        netlist.as_json(TOP),
        family,
        yosys.version(),
        identity(compiler),
        *cpp_compiler.FLAGS,
        *(path.read_text(encoding="utf-8") for path in sources),
    )

    optimized = len(netlist.cells) > SMALL

    def rewrite(text: str, header: str) -> str:
        text = as_words(text, widths(header))
        where = _USING if optimized else ""
        return text.replace(where, UNOPTIMIZED + where, 1)

    def make(work: Path, target: Path) -> None:
        with working(f"compiling the {family} netlist"):
            _flatten(netlist, family, work)
            cxxrtl.compile_flat(work, target, ports, compiler, rewrite=rewrite)

    return cxxrtl.CompiledDesign(cached_file(f"netlist-{key[:32]}.so", make), ports)


def _flatten(netlist: Module, family: str, work: Path) -> None:
    """Write ``flat.il``: one module of word-level cells that does what the netlist does."""
    content = simulation_netlist(netlist.content, family)
    (work / "netlist.json").write_text(json.dumps({"modules": {TOP: content}}), encoding="utf-8")
    for path in model_files(family):
        shutil.copy(path, work / path.name)
    ours = " ".join(path.name for path in model_files(family))
    yosys.run(_SCRIPT.format(theirs=_YOSYS_MODELS[family], ours=ours), work)
