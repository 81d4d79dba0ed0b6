"""Tools: failures name their status, and no tool outlives what it was started for."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gateformer.model.support.errors import ToolError
from gateformer.platforms.support.tools import LONGEST_LINE, ToolPool, run_tool

SLEEP = ["sh", "-c", "echo $$ > started; exec sleep 60"]
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # also if whoever runs pytest ignores it
from pathlib import Path
from gateformer.model.support.cli import run
from gateformer.platforms.support.tools import run_tool
run(lambda: run_tool(["sh", "-c", "echo $$ > started; exec sleep 60"], Path(sys.argv[1])) and 0)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(path):
    deadline = time.monotonic() + 30
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(path.read_text())


def test_a_failure_names_status_and_last_lines(tmp_path):
    command = [sys.executable, "-c", "print('the reason'); raise SystemExit(7)"]
    with pytest.raises(ToolError, match=r"failed with status 7:\nthe reason"):
        run_tool(command, tmp_path)


def test_a_long_line_is_cut(tmp_path):
    with pytest.raises(ToolError) as caught:
        run_tool([sys.executable, "-c", "print('x' * 100_000); raise SystemExit(3)"], tmp_path)
    assert str(caught.value).endswith(f"failed with status 3:\n{'x' * LONGEST_LINE} …")


def test_an_interruption_ends_what_the_tool_has_started(tmp_path, monkeypatch):
    def interrupted(process):
        while not (tmp_path / "child").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    script = "sleep 1000 & echo $! > half; mv half child; wait"
    with pytest.raises(KeyboardInterrupt):
        run_tool(["sh", "-c", script], tmp_path)
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


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_tools_end_with_the_program(tmp_path, number, status):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)])
    tool = wait_for(tmp_path / "started")
    process.send_signal(number)
    assert process.wait(timeout=30) == status
    assert not alive(tool)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_pool_that_is_left_by_an_exception_ends_its_tools(tmp_path, jobs):
    directories = [tmp_path / str(number) for number in range(3)]
    for directory in directories:
        directory.mkdir()
    with pytest.raises(KeyboardInterrupt), ToolPool(jobs) as pool:
        runs = [pool.submit(run_tool, SLEEP, directory) for directory in directories]
        started = [wait_for(directory / "started") for directory in directories[:jobs]]
        raise KeyboardInterrupt
    assert not any(map(alive, started))
    for run in runs[:jobs]:
        with pytest.raises(ToolError, match=r"sh failed with status -9|the build has ended"):
            run.result()
    assert all(run.cancelled() for run in runs[jobs:])


def test_no_tool_is_started_when_the_pool_has_been_left(tmp_path):
    preparing = threading.Event()

    def prepare_and_run():
        preparing.wait(30)
        return run_tool(SLEEP, tmp_path)

    with pytest.raises(KeyboardInterrupt), ToolPool() as pool:
        run = pool.submit(prepare_and_run)
        threading.Timer(0.1, preparing.set).start()
        raise KeyboardInterrupt
    with pytest.raises(ToolError, match="the build has ended"):
        run.result()
    assert not (tmp_path / "started").exists()
    assert run_tool(["echo", "here"], tmp_path) == "here\n"


def test_what_a_thread_computes_is_interrupted():
    seen = []

    def compute():
        seen.append("began")
        try:
            while True:
                sum(range(1000))
        finally:
            seen.append("cleaned up")

    begun = time.monotonic()
    with pytest.raises(RuntimeError), ToolPool() as pool:
        future = pool.submit(compute)
        while not seen:
            time.sleep(0.01)
        raise RuntimeError
    assert seen == ["began", "cleaned up"] and time.monotonic() - begun < 10
    assert str(future.exception()) == "the build has ended"
