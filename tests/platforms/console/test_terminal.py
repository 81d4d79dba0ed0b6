"""``gateformer console`` as a process: a person at a terminal, Ctrl-C, broken pipes."""

import dataclasses
import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

from gateformer.gateware.console.image import console_image
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.gateware.plan.layout import Layout
from gateformer.gateware.plan.reload_limits import ReloadLimits
from gateformer.model.contract.artifact import open_model
from tests.support.console.fake_console import FakeConsole
from tests.support.console.fake_loading_console import SHAPE, LoadingConsole
from tests.support.console.load_bench import packed

ROOT = Path(__file__).parents[3]
LIMIT = 30
"""Seconds after which a program that has not answered has failed."""


def take_terminal():
    """Make standard input the terminal whose Ctrl-C reaches this process."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Person:
    """Types into a program on a pseudo-terminal; a context manager."""

    def __init__(self, *command, cache):
        self.own, other = os.openpty()
        self.seen = ""
        self.program = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env={**os.environ, "XDG_CACHE_HOME": str(cache), "TERM": "dumb"},
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(other)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.program.kill()
        self.program.wait(LIMIT)
        os.close(self.own)

    def type(self, text):
        os.write(self.own, text.encode())

    def interrupt(self):
        """Ctrl-C until there is a new prompt; Python's input() can miss one in its first µs."""
        self.type("\x03")
        while not self.comes("\n> ", 1):
            self.type("\x03")
        self.expect("\n> ")

    def expect(self, text):
        """Read up to and including ``text``; what came before it."""
        assert self.comes(text, LIMIT), f"{text!r} did not come, but {self.seen!r}"
        before, _, self.seen = self.seen.partition(text)
        return before

    def comes(self, text, seconds):
        """Whether ``text`` comes within that time."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.own], [], [], max(end - time.monotonic(), 0))
            if not ready:
                return text in self.seen
            try:
                self.seen += os.read(self.own, 4096).decode(errors="replace")
            except OSError:  # the program has left
                return text in self.seen
        return True


def test_a_person_at_a_terminal(tmp_path):
    with FakeConsole(b"") as device:
        with Person("gateformer.platforms.console.console", device.port, cache=tmp_path) as person:
            person.expect("tiny")
            person.expect("\n> ")
            person.type("endless\n")
            person.expect("la la la")
            person.type("\x03")
            person.expect("end: stopped")
            person.expect("\n> ")
            person.type("forgotten")
            person.expect("forgotten")
            person.interrupt()
            person.type("/seed\n")
            person.expect("# seed 2")
            person.expect("\n> ")
            person.type("\x04")
            assert person.program.wait(LIMIT) == 0
        with Person("gateformer.platforms.console.console", device.port, cache=tmp_path) as person:
            person.expect("\n> ")
            person.type("\x10\x10\n")  # twice up: the line before the last one
            person.expect("la la la")
            person.type("\x03")
            person.expect("\n> ")
            person.type("/quit\n")
            assert person.program.wait(LIMIT) == 0
    assert device.lines == [b"/info", b"endless", b"/seed", b"/info", b"endless"]


def test_a_person_loads_a_model(tmp_path):
    model = f"{SHAPE},seed=1"
    artifact = open_model(model)
    limits = ReloadLimits.of(artifact.model)
    words = console_image(
        artifact.model, Layout(artifact.model.config, HwConfig(2, 4, 4)), limits, name=model
    )
    with (
        LoadingConsole(packed(words), dataclasses.astuple(limits)) as device,
        Person("gateformer.platforms.console.console", device.port, cache=tmp_path) as person,
    ):
        person.expect("\n> ")
        person.type(f"/lo\t {model}\n")  # Tab completes the command
        person.expect("# loaded m, digest 0123456789abcdef")
        person.expect("\n> ")
        person.type("/load nothing\n")
        person.expect("! no model 'nothing': ")
        person.expect("\n> ")
        person.type("/quit\n")
        assert person.program.wait(LIMIT) == 0
        assert "Traceback" not in person.seen
    assert device.received == [b"", packed(words)]


def test_without_a_cache_directory_a_person_can_type(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with (
        FakeConsole() as device,
        Person("gateformer.platforms.console.console", device.port, cache=file) as person,
    ):
        person.expect("\n> ")
        person.type("/se\t\n")  # Tab completes the command
        person.expect("# seed 1")
        person.expect("\n> ")
        person.type("/quit\n")
        assert person.program.wait(LIMIT) == 0
        assert "Traceback" not in person.seen


def start_script(port, script, **streams):
    """The console as a process with ``script`` on its standard input, which stays open."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateformer.platforms.console.console", port],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        **streams,
    )
    process.stdin.write(script)
    process.stdin.flush()
    return process


def test_ctrl_c_stops_the_generation_of_a_script_and_then_the_script():
    with FakeConsole(b"") as device:
        process = start_script(device.port, b"a\nb\n", stdout=subprocess.PIPE)
        try:
            device.wait_until_generated()
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
    assert process.returncode == 130
    assert output.endswith(b"end: stopped\n")
    assert device.lines == [b"/info", b"a"]


def test_nobody_reads_the_answers():
    read, write = os.pipe()
    os.close(read)
    with FakeConsole() as device:
        process = start_script(device.port, b"", stdout=write, stderr=subprocess.PIPE)
        try:
            _, errors = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
            os.close(write)
    assert (process.returncode, errors) == (1, b"")


def test_a_device_that_disappears_is_one_line(tmp_path):
    with (
        FakeConsole(b"") as device,
        Person("gateformer.platforms.console.console", device.port, cache=tmp_path) as person,
    ):
        person.expect("> ")
        person.type("ROMEO:\n")
        person.expect("la la")
        device.vanish_after = 0
        text = person.expect(
            f"error: the connection to {device.port} broke; plug the board in and start again\r\n"
        )
        assert text.endswith(("l\r\n", "a\r\n", " \r\n"))
        assert person.program.wait(LIMIT) == 2
