"""``gateformer accelerator`` with several prompts, and with an accelerator of several streams."""

import contextlib

import pytest

from gateformer.platforms.host import generate
from gateformer.platforms.host.driver import Accelerator
from tests.support.imported.small_accelerator import artifact, reference_text
from tests.support.imported.small_streamed import simulated_registers
from tests.support.user_error import message

from .two_streams import opened


@pytest.fixture
def accelerator():
    return opened()


def command(monkeypatch, *arguments):
    class Simulated(Accelerator):
        def __init__(self, device, model, **options):
            super().__init__(simulated_registers(2), artifact(), timeout=60)

    monkeypatch.setattr(generate, "Accelerator", Simulated)
    monkeypatch.setattr("sys.argv", ["gateformer accelerator", *arguments])
    generate.main()


def test_several_prompts_on_the_command_line(accelerator, monkeypatch, capsys, tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("123\n\ndogs\n", encoding="utf-8")
    given = ("--prompt", "the cat", "--prompts", str(path), "--tokens", "6", "--temperature", "0")
    command(monkeypatch, *given)
    lines = capsys.readouterr().out
    expected = ("the cat", "123", "dogs")
    for number, text in enumerate(expected, start=1):
        shown = f"# {number} of 3: {text}\n{text}{reference_text(text, 6)}\n"
        assert shown in lines
    assert lines.count("# ") >= 3


def test_one_prompt_of_a_file_is_a_text_alone(accelerator, monkeypatch, capsys, tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("dogs\n", encoding="utf-8")
    command(monkeypatch, "--prompts", str(path), "--tokens", "6", "--temperature", "0")
    assert capsys.readouterr().out == f"dogs{reference_text('dogs', 6)}\n"


def test_files_without_prompts(monkeypatch, tmp_path):
    path = tmp_path / "prompts.txt"
    assert message(command, monkeypatch, "--prompts", str(path)) == (
        f"--prompts {path} can't be read: No such file or directory; give a file with a prompt per "
        "line"
    )
    path.write_bytes(b"\n \n")
    assert message(command, monkeypatch, "--prompts", str(path)) == (
        f"--prompts {path} has no prompt; write one per line"
    )
    path.write_bytes(b"\xff\n")
    assert message(command, monkeypatch, "--prompts", str(path)) == (
        f"--prompts {path} is no UTF-8; save it as that"
    )


def test_what_takes_long_is_shown(accelerator, monkeypatch):
    """Of a model in external memory: a measurement, and a prompt."""
    shown = []

    @contextlib.contextmanager
    def working(what):
        shown.append(what)
        yield shown.append

    monkeypatch.setattr("gateformer.platforms.support.progress.working", working)
    command(monkeypatch, "--bench")
    assert shown == ["measuring one stream", "measuring 2 streams together"]
    shown.clear()
    command(monkeypatch, "--prompt", "the cat", "--tokens", "2")
    assert shown == ["reading the prompt"]


def test_bench_on_the_command_line(accelerator, monkeypatch, capsys):
    command(monkeypatch, "--bench")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and lines[3].startswith("2 streams together: ")
