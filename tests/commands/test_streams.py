"""What a command says arrives, or it is an error; Ctrl-C at any moment is one line."""

import ast
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.every_command import (
    ROOT,
    TINY,
    command_line,
    commands,
    environment,
    run,
    run_here,
)

FULL = Path("/dev/full")
UNWRITTEN = (
    "error: cannot write to the standard output: No space left on device; free space, or choose "
    "another place"
)
MOMENTS = [0.05, 0.15, 0.3, 0.5, 0.8, 1.2, 2.0, 3.0]
"""Seconds."""
FRAME = re.compile(rf'File "({re.escape(str(ROOT))}/[^"]+)"')
STARTING = {"build.py", "__init__.py", "interrupt.py"}
"""Where a command may be before it catches Ctrl-C."""
INTERPRETER = ("Fatal Python error: init_import_site", "Could not import runpy module")
"""What Python itself says if it is interrupted before it has come to the command."""
LONG = {
    "build.py": ("sim", "--model", f"{TINY},seed=77", "--tokens", "1000000", "--continue"),
    "train": (
        "--corpus",
        "text",
        "--out",
        "a.safetensors",
        "--float-steps",
        "100000",
    ),
    "bench": ("shakespeare-115k", "--repeats", "10000", "--only", "numpy"),
    "console": ("sim", "--model", f"{TINY},seed=79"),
}


def test_there_are_commands():
    assert len(commands()) > 15


@pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize("command", commands())
def test_help_that_cannot_be_written(tmp_path, command):
    with FULL.open("wb") as full:
        processes = [run_here(command, "--help", cwd=tmp_path, stdout=full)]
        if command in ("build.py", "registers"):  # a process of its own that ends
            processes.append(run(command, "--help", cwd=tmp_path, stdout=full))
    for process in processes:
        assert process.stderr == (f"{UNWRITTEN}\n")
        assert process.returncode == 2


@pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize(
    "command, arguments",
    [
        ("build.py", ["--list"]),
        ("registers", ["--document"]),
        ("cycles", [TINY]),
        ("fit", [TINY, "--board", "zybo", "--no-picture"]),
        ("simulation-bench", [TINY]),
    ],
)
@pytest.mark.slow_but("build*", "registers*", "cycles*", "fit*")
def test_results_that_cannot_be_written(tmp_path, command, arguments):
    with FULL.open("wb") as full:
        process = run_here(command, *arguments, cwd=tmp_path, stdout=full)
    lines = process.stderr.splitlines()
    assert lines[-1] == UNWRITTEN
    assert process.returncode == 2 and "Traceback" not in process.stderr


@pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")
def test_what_cannot_be_said_does_not_stop_the_work(tmp_path):
    with FULL.open("w") as full:
        process = run("cycles", TINY, cwd=tmp_path, stderr=full)
    assert process.returncode == 0 and process.stdout.startswith("[{")


def test_a_reader_that_leaves(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    process = run("registers", "--document", cwd=tmp_path, stdout=writing)
    os.close(writing)
    assert (process.stderr, process.returncode) == ("", 141)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize("command", commands())
def test_help_in_another_encoding(tmp_path, command, encoding):
    process = run_here(command, "--help", cwd=tmp_path, encoding=encoding)
    assert process.returncode == 0 and process.stdout.startswith("usage: ")
    assert process.stderr == ""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_the_list_in_another_encoding(tmp_path, encoding):
    changes = {"PYTHONIOENCODING": encoding}
    process = run("build.py", "--list", cwd=tmp_path, environment=changes, encoding=encoding)
    assert (process.returncode, process.stderr) == (0, "")
    assert "+ built in" in process.stdout and "shakespeare-115k" in process.stdout


def heed_interrupts():
    """As a process at a terminal, also where these tests run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("command", LONG)
@pytest.mark.slow_but("build*", "bench*")
def test_an_interrupt_at_any_moment(tmp_path, command):
    (tmp_path / "text").write_text("What a text, says the king; a long one.\n" * 2000)
    # every other moment: each of them is that of two commands
    for moment in MOMENTS[list(LONG).index(command) % 2 :: 2]:
        process = subprocess.Popen(
            command_line(command, *LONG[command]),
            cwd=tmp_path,
            env=environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=heed_interrupts,
        )
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        _, said = process.communicate(timeout=120)
        early = process.returncode == 1 and said.startswith(INTERPRETER)
        if early or process.returncode == -signal.SIGINT:  # the interpreter was just starting
            assert {Path(name).name for name in FRAME.findall(said)} <= STARTING, (moment, said)
            continue
        assert "Traceback" not in said and "Exception" not in said, (moment, said)
        assert process.returncode == 130, (moment, said)
        lines = [line for line in said.splitlines() if not line.endswith(" ...")]
        assert lines[-1] == "interrupted" or "continues from there" in lines[-1], (moment, said)


def test_no_bar_goes_to_the_standard_output():
    """rich's default; a bar has the console that it is shown on."""
    wings = ("model", "gateware", "platforms")
    sources = [path for wing in wings for path in (ROOT / wing).rglob("*.py")]
    calls = [
        (path, call)
        for path in sources
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Progress"
    ]
    assert len(calls) > 4
    for path, call in calls:
        assert "console" in [given.arg for given in call.keywords], path
