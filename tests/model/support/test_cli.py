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


@pytest.mark.parametrize("kind, kept", [("UserError", "?"), ("ToolError", "\n")])
def test_no_error_controls_the_terminal(kind, kept):
    """Names in it may come from a file that somebody else has made."""
    code = f"""
from gateformer.model.support import cli, errors

def main():
    raise errors.{kind}("tensor a\\x1b[1mb\\nc\\u202ed is missing")

cli.run(main)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stderr == f"error: tensor a?[1mb{kept}c?d is missing\n"
