"""What every entry point does when it runs out of memory, and in which order it speaks."""

import signal
import subprocess
import sys

import pytest


def test_too_little_memory_is_one_line(capsys):
    from gateformer.model.support.cli import run

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


def test_what_was_printed_stands_before_the_error():
    """Where both go to one file, though standard output is buffered there."""
    code = """
from gateformer.model.support import cli, errors

def main():
    print("begun")
    raise errors.UserError("no")

cli.run(main)
"""
    process = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout == "begun\nerror: no\n"
