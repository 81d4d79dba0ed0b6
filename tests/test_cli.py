"""What every entry point does when it is ended, or runs out of memory."""

import concurrent.futures
import os
import signal
import subprocess
import sys
import time

import pytest

from model.errors import ToolError
from platforms import yosys

PROGRAM = """
import sys
from pathlib import Path
from model.cli import run
from platforms.yosys import run_tool
run(lambda: run_tool(["sh", "-c", "echo $$ > started; exec sleep 60"], Path(sys.argv[1])) and 0)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_tools_end_with_the_program(tmp_path, number, status):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)])
    started = tmp_path / "started"
    deadline = time.monotonic() + 30
    while not (started.exists() and started.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(timeout=30) == status
    assert not alive(int(started.read_text()))


def test_tools_of_other_threads_can_be_ended(tmp_path):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        command = ["sh", "-c", "echo $$ > started; exec sleep 60"]
        tool = pool.submit(yosys.run_tool, command, tmp_path)
        started = tmp_path / "started"
        while not (started.exists() and started.read_text().strip()):
            time.sleep(0.02)
        yosys.end_tools()
        with pytest.raises(ToolError, match="failed with status -9"):
            tool.result(timeout=30)
    assert not alive(int(started.read_text()))


def test_too_little_memory_is_one_line(capsys):
    from model.cli import run

    def main():
        raise MemoryError("Unable to allocate 3 TiB")

    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            run(main)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: not enough memory: Unable to allocate 3 TiB\n"
