"""An emulated processor as a link: what a reader may rely on."""

import types

from gateformer.platforms.console import emulated_console
from gateformer.platforms.console.emulated_console import EmulatedLink


def emulator(answers, idle):
    """One that gives these ``answers`` in turn, then nothing, and its waits."""
    waits = []

    def run(pause_after):
        assert pause_after <= emulated_console.SLICE
        return answers.pop(0) if answers else b""

    return types.SimpleNamespace(run=run, wait=waits.append, idle=idle), waits


def test_a_byte_that_comes_later_than_a_slice_is_read():
    busy, waits = emulator([b"", b"", b"x", b"y"], idle=False)
    link = EmulatedLink(busy)
    assert link.read(60.0) == b"x" and link.read(60.0) == b"y"
    assert waits == []


def test_a_busy_processor_that_sends_nothing_is_left_in_time():
    busy, _ = emulator([], idle=False)
    assert EmulatedLink(busy).read(0.01) == b""


def test_one_that_waits_for_bytes_sends_nothing():
    idle, waits = emulator([], idle=True)
    assert EmulatedLink(idle).read(3600.0) == b""
    assert waits == [emulated_console.SLICE]
