"""Every number that a command takes has its range, and one beyond it is refused at once."""

import io
import math
import re
import sys
from pathlib import Path

import pytest

from gateformer.model.support import cli
from gateformer.model.support.errors import UserError
from tests.support.every_command import TINY, commands

from .test_outputs import call

HUGE = 10**30
TEXT = ("--corpus", "text")
SIZES = ("--rows", "1", "--cols", "8", "--lanes", "8", "--packing", "2bit")
OUT = ("--out", "out.safetensors")
COMMANDS = {
    "build.py": [("sim", "--model", TINY), ("ulx3s", "--model", TINY, *SIZES)],
    "bench": [(TINY, "--only", "numpy")],
    "bench-decoder": [(TINY,)],
    "cycles": [(TINY,)],
    "bench-models": [("shakespeare-115k", "--svg", "a.svg")],
    "compress": [
        ("ptq", TINY, *TEXT),
        ("qat", TINY, *TEXT),
        ("integer", TINY, *TEXT, *OUT),
        ("prune", TINY, *TEXT),
        ("remove", TINY, *TEXT, "--heads", "1"),
        ("measure", TINY, *TEXT),
        ("finetune", TINY, *TEXT),
    ],
    "evaluate": [(TINY, "--corpus", "text.txt")],
    "generate": [(TINY, "--prompt", "A")],
    "import": [("model.gguf", "--calibrate", "text.txt", *OUT, "--bits", "auto")],
    "export": [(TINY, "--to", "qonnx", "--out", "a.onnx")],
    "quantization-gap": [(*TEXT, "--out", "a.md")],
    "train": [(*TEXT, *OUT), ("--preset", "nanogpt-cpu", *TEXT, *OUT)],
    "train-float": [(*TEXT, *OUT)],
    "check-netlist": [(TINY,)],
    "console": [("/dev/none",)],
    "firmware-bench": [("--model", TINY)],
    "fit": [(TINY, "--board", "zybo", "--verify")],
    "accelerator": [("--prompt", "x")],
    "load-image": [(TINY, "--out", "a", "--port", "/dev/none")],
    "path-depth": [("netlist.json",)],
    "board-paths": [("zybo", "--model", TINY)],
}
"""Those that take numbers, each with what else it needs."""
GOOD = {
    ("--windows", 0), ("--seed", 0), ("--steps", 0), ("--fixed-steps", 0), ("--average", 0),
    ("--fraction", 0), ("--teacher-weight", 0), ("--limit", 0), ("--rows", 0), ("--heads", 0),
    ("--units", 0), ("--top-k", 0), ("--position", 0), ("--tokens", HUGE),
}  # fmt: skip
"""Numbers that some command takes; a text ends with the context, however long it may be."""
PARTNERS = {
    "--temperature": ("--teacher", "shakespeare-115k"),
    "--teacher-weight": ("--teacher", "shakespeare-115k"),
    "--written": ("--writer", "shakespeare-115k"),
    "--position": ("--timeline",),
    "--fixed-lr": ("--fixed-steps", "10"),
}
"""What an option has no effect without."""


class Parser(Exception):
    """The command's parser, instead of its work."""


def parser_of(command, monkeypatch, arguments):
    def caught(self, *_):
        raise Parser(self)

    with monkeypatch.context() as patch:
        patch.setattr(cli.ArgumentParser, "parse_args", caught)
        with pytest.raises(Parser) as found:
            call(patch, command, *arguments)
    parser = found.value.args[0]
    for action in parser._actions:
        if isinstance(action.choices, dict):
            return action.choices[arguments[0]]
    return parser


def is_number(action) -> bool:
    if not action.option_strings or action.nargs == 0 or action.type in (None, Path):
        return False
    return action.type in (int, float) or action.type.__qualname__.startswith("within")


BAD_NUMBERS = (0, -1, HUGE, math.nan, math.inf, "two", "")


@pytest.mark.parametrize("command", sorted({*commands()} - {*COMMANDS}))
def test_every_command_that_takes_numbers_is_here(monkeypatch, tmp_path, command):
    monkeypatch.chdir(tmp_path)
    options = parser_of(command, monkeypatch, ())._actions
    assert not [action.option_strings for action in options if is_number(action)]


@pytest.mark.parametrize(
    "command, arguments",
    [(command, arguments) for command, several in COMMANDS.items() for arguments in several],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_numbers_out_of_range(tmp_path, monkeypatch, command, arguments):
    for extra in ("torch", "onnx", "onnxruntime"):
        pytest.importorskip(extra)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    Path("text").write_text("to be or not to be, that is the question\n" * 500)
    Path("netlist.json").write_text('{"modules": {"top": {}}}')
    before = sorted(tmp_path.rglob("*"))
    numbers = [a for a in parser_of(command, monkeypatch, arguments)._actions if is_number(a)]
    assert numbers
    for action in numbers:
        option = action.option_strings[0]
        for value in BAD_NUMBERS:
            if (option, value) in GOOD:
                continue
            given = (*arguments, *PARTNERS.get(option, ()), f"{option}={value}")
            with pytest.raises(UserError) as refused:
                call(monkeypatch, command, *given)
            said = str(refused.value)
            assert "\n" not in said
            name = option.removeprefix("--").replace("-", " ")
            words = said.replace("_", " ").replace("-", " ").lower()
            assert name.split()[-1].rstrip("s") in words, (option, value, said)
            if action.type is not float and isinstance(value, str):
                expected = r"must be an? (integer|number) (from \S+ to \S+|of at least \d+), not "
                assert re.search(expected + value, said), (option, said)
            assert action.type is not int, f"{option}: an integer says its range"
    assert sorted(tmp_path.rglob("*")) == before
