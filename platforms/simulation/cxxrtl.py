"""Compiled simulation: any Amaranth component → CXXRTL → C++ → a library that Python drives."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Shape
from amaranth.lib import wiring

from gateformer.gateware.parts.elaboration import may_stay_unused
from gateformer.model.support.cache import cached_file, digest
from gateformer.model.support.compiler import identity
from gateformer.model.support.counted import counted

from ..support import cpp_compiler, yosys
from ..support.progress import working
from . import cxx_tokens, cxxrtl_rewrite, cxxrtl_split, flat_design
from .compile_time import compile_time

HARNESS = Path(__file__).with_name("cxxrtl_harness.cc")
FAST_HEADER = Path(__file__).with_name("cxxrtl_fast.h")
MEMORY_HEADER = Path(__file__).with_name("cxxrtl_memory.h")
GENERATORS = (
    HARNESS,
    FAST_HEADER,
    MEMORY_HEADER,
    Path(__file__),
    Path(cxxrtl_split.__file__),
    Path(cxxrtl_rewrite.__file__),
    Path(cxx_tokens.__file__),
    Path(flat_design.__file__),
)
"""Files on which the library depends, besides the design and the tools."""
MAX_PARTS = 8

_PREPARE = """
read_rtlil design.il
hierarchy -top top
flatten
proc
opt_expr
opt_merge
opt_clean {purge}
write_rtlil flat.il
"""


@dataclasses.dataclass(frozen=True)
class Port:
    """A port of the design: flattened name (``prompt__payload``), place, width and shape."""

    name: str
    index: int
    is_input: bool
    width: int
    signed: bool
    shape: object

    @property
    def chunks(self) -> int:
        """32-bit chunks that hold the port's value."""
        return max(-(-self.width // 32), 1)


@dataclasses.dataclass(frozen=True)
class CompiledDesign:
    """A library and its ports by name."""

    path: Path
    ports: dict[str, Port]

    def load(self) -> ctypes.CDLL:
        return ctypes.CDLL(str(self.path))


def compile_component(
    component: wiring.Component, *, key: str | None = None, waveform: bool = False
) -> CompiledDesign:
    """Compile a component with at most one clock domain, ``sync``, to a simulation.

    The result is cached by the digest of the design, the tools and their options. ``key``, a
    digest of everything that the design depends on, stands for the design and saves elaborating
    it when the result is there; designs that are equal are compiled once, whatever their keys.
    ``waveform`` compiles names in, which costs time.

    Raises
    ------
    UserError
        If there is no C++ compiler.
    ToolError
        If Yosys or the compiler fails.
    """
    compiler = cpp_compiler.find_compiler()
    elaborate = functools.cache(lambda: rtlil.convert(component, name="top", emit_src=False))
    ports = flat_ports(component)
    may_stay_unused(component)
    settings = (
        yosys.version(),
        identity(compiler),
        " ".join(cpp_compiler.FLAGS),
        *(path.read_text() for path in GENERATORS),
        f"waveform={waveform}",
    )

    def name(what: str) -> str:
        return f"simulation-{digest(what, *settings)[:32]}.so"

    def make(work: Path, target: Path) -> None:
        with working("compiling the simulation, the first time only") as show:
            design = elaborate()
            # with all names it takes several times as long
            taken = "minutes" if waveform else f"about {compile_time(design)}"
            title = f"compiling the simulation ({taken}, the first time only)"
            show(title)

            def done(count: int, total: int) -> None:
                show(f"{title}: {count} of {counted(total, 'C++ file')}")

            _compile(work, target, design, ports, compiler, waveform, done)

    def take(work: Path, target: Path) -> None:
        shutil.copy(cached_file(name(elaborate()), make), target)

    if key is None:
        return CompiledDesign(cached_file(name(elaborate()), make), ports)
    return CompiledDesign(cached_file(name(key), take), ports)


def flat_ports(component: wiring.Component) -> dict[str, Port]:
    """The component's ports by flattened name."""
    found = []
    for path, member, _ in component.signature.flatten(component):
        shape = Shape.cast(member.shape)
        if shape.width:
            name = "__".join(str(part) for part in path)
            found.append((name, member.flow is wiring.In, shape, member.shape))
    found.sort(key=lambda port: not port[1])  # Inputs first, as the harness numbers them.
    return {
        name: Port(name, index, is_input, shape.width, shape.signed, full)
        for index, (name, is_input, shape, full) in enumerate(found)
    }


def _compile(work, target, design, ports, compiler, waveform, done) -> None:
    (work / "design.il").write_text(design, encoding="utf-8")
    yosys.run(_PREPARE.format(purge="" if waveform else "-purge"), work)
    compile_flat(work, target, ports, compiler, waveform=waveform, done=done)


def compile_flat(
    work: Path,
    target: Path,
    ports: dict[str, Port],
    compiler: list[str],
    *,
    waveform: bool = False,
    rewrite: Callable[[str, str], str] | None = None,
    done: Callable[[int, int], None] = lambda count, total: None,
) -> None:
    """Compile the flat design ``flat.il`` in the directory ``work`` to the library ``target``.

    ``rewrite`` makes the final text of each C++ file of the text and its header. ``done`` as
    :func:`platforms.support.cpp_compiler.compile_library`. Raises ToolError if Yosys or the
    compiler fails.
    """
    flat = work / "flat.il"
    if not waveform:
        text = flat_design.publish_wires(flat.read_text(encoding="utf-8"))
        flat.write_text(flat_design.split_connections(text), encoding="utf-8")
    # -O6 would also inline public wires, see flat_design.publish_wires.
    options = "-g4 -O6" if waveform else "-g0 -O5"
    yosys.run(f"read_rtlil flat.il\nwrite_cxxrtl {options} -header design.cc\n", work)
    jobs = min(os.cpu_count() or 1, MAX_PARTS)
    header, files, settles = cxxrtl_split.split(
        (work / "design.h").read_text(encoding="utf-8"),
        (work / "design.cc").read_text(encoding="utf-8"),
        jobs + 1,
    )
    (work / "design.h").write_text(header, encoding="utf-8")
    sources = []
    for i, text in enumerate(files):
        sources.append(work / f"part{i}.cc")
        sources[-1].write_text(rewrite(text, header) if rewrite else text, encoding="utf-8")
    members = {
        kind: " ".join(f"X({mangle(p.name)})" for p in ports.values() if p.is_input is is_input)
        for kind, is_input in (("INPUTS", True), ("OUTPUTS", False))
    }
    (work / "ports.h").write_text(
        f"#define DESIGN_INPUTS(X) {members['INPUTS']}\n"
        f"#define DESIGN_OUTPUTS(X) {members['OUTPUTS']}\n"
        f"#define DESIGN_HAS_CLOCK {int('prev_p_clk' in header)}\n"
        f"#define DESIGN_SETTLES {int(settles)}\n"
        f"#define DESIGN_WAVEFORM {int(waveform)}\n",
        encoding="utf-8",
    )
    shutil.copy(HARNESS, work / "harness.cc")
    for path in (FAST_HEADER, MEMORY_HEADER):
        shutil.copy(path, work / path.name)
    first, *others = sources
    others.insert(0, work / "harness.cc")
    if jobs == 1:  # together they read the headers once
        together = work / "others.cc"
        together.write_text("".join(f'#include "{path.name}"\n' for path in others))
        others = [together]
    # The largest files last would leave the other processors idle at the end.
    sources = sorted([first, *others], key=lambda p: -p.stat().st_size)
    once = () if waveform else (first,)
    headers = yosys.cxxrtl_headers()
    cpp_compiler.compile_library(compiler, sources, target, headers, jobs, once=once, done=done)


def mangle(name: str) -> str:
    """CXXRTL's C++ name of a public RTLIL name."""
    encoded = "".join(
        char if char.isalnum() else "__" if char == "_" else f"_{ord(char):x}_" for char in name
    )
    return f"p_{encoded}"
