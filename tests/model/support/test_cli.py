"""What every entry point does when it runs out of memory."""

import signal

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
