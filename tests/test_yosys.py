"""YoWASP compiles itself once, never side by side, and failures name their status."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from platforms import yosys


@pytest.fixture
def first_use(tmp_path, monkeypatch):
    """A machine on which YoWASP never ran; returns the list of its runs."""
    compiled = tmp_path / "yowasp" / yosys.PACKAGE
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(compiled.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runs = []

    def compile_itself(command, directory):
        runs.append(command)
        compiled.mkdir(parents=True, exist_ok=True)
        (compiled / "yosys.wasm").write_text("machine code" * len(runs))
        return ""

    monkeypatch.setattr(yosys, "run_tool", compile_itself)
    return runs, compiled / "yosys.wasm"


def test_prepared_once(first_use):
    runs, _ = first_use
    yosys.prepare()
    yosys.prepare()
    assert len(runs) == 1


def test_prepared_again_when_the_compiled_file_is_another_or_gone(first_use):
    runs, compiled = first_use
    yosys.prepare()
    compiled.write_text("half of the mach")
    yosys.prepare()
    compiled.unlink()
    yosys.prepare()
    assert len(runs) == 3


def test_a_failure_names_status_and_last_lines(tmp_path):
    command = [sys.executable, "-c", "print('the reason'); raise SystemExit(7)"]
    with pytest.raises(yosys.ToolError, match=r"failed with status 7:\nthe reason"):
        yosys.run_tool(command, tmp_path)


def test_an_interruption_ends_what_the_tool_has_started(tmp_path, monkeypatch):
    def interrupted(process):
        while not (tmp_path / "child").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    script = "sleep 1000 & echo $! > half; mv half child; wait"
    with pytest.raises(KeyboardInterrupt):
        yosys.run_tool(["sh", "-c", script], tmp_path)
    pid = int((tmp_path / "child").read_text())
    for _ in range(500):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists() and " Z " in Path(f"/proc/{pid}/stat").read_text():
            return  # dead; nobody has asked for its status yet
        time.sleep(0.01)
    pytest.fail("the tool's child goes on")
