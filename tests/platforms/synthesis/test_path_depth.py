"""The command that holds a netlist against the limits."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from gateformer.model.support.errors import UserError
from gateformer.platforms.synthesis.paths.depth import MADE_BY, main

from .mapped_netlist import Netlist


def written(directory, start: str, end: str) -> str:
    """A netlist's file with one path, from register to register through a LUT."""
    netlist = Netlist()
    netlist.register(start, "0")
    netlist.lut("b", start)
    netlist.register(end, "b")
    path = directory / "top.json"
    path.write_text(json.dumps(netlist.json()))
    return str(path)


def test_the_command_fails_on_a_violation(tmp_path):
    path = written(tmp_path, "a", "c")
    console = Console(file=io.StringIO(), width=120)
    assert main([path], console) == 0
    assert main([path, "--limit", "0"], console) == 1
    printed = console.file.getvalue()
    assert "c: 1 stage from a, not 0 or fewer\n1 violation\n" in printed


def test_names_stay_whole_in_a_pipe(tmp_path, capsys):
    start, end = ("core.engine." * 10 + name for name in ("start", "end"))
    assert main([written(tmp_path, start, end)]) == 0
    printed = capsys.readouterr().out
    assert start in printed and end in printed


def test_a_narrow_terminal_shows_everything(tmp_path):
    """Of 80 columns: words of a heading stay whole, numbers and names of usual length, too."""
    start, end = (f"system.core.engine.lanes_{name}.accumulator$123" for name in "01")
    console = Console(file=io.StringIO(), width=80)
    assert main([written(tmp_path, start, end)], console) == 0
    printed = console.file.getvalue()
    for text in ("stages", "carry", "est.", "alike", "cells", end, start, "LUT1", "structure"):
        assert text in printed, printed
    assert max(map(len, printed.splitlines())) <= 80


def test_the_help_tells_the_status(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert capsys.readouterr().out.endswith("exit status: 0, or 1 if the netlist breaks a limit\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, rf"cannot read .*top\.json: No such file or directory; give {MADE_BY}"),
        ("{", rf"top\.json is no JSON; give {MADE_BY}"),
        (
            '{"modules": {"core": {}}}',
            r"top\.json has no module top; name one with --top: core",
        ),
        *(
            (text, rf"top\.json has no modules; give {MADE_BY}$")
            for text in ("{}", "[]", "1", '{"modules": {}}', '{"modules": [1]}')
        ),
        *(
            (
                f'{{"modules": {{"top": {module}}}}}',
                rf"top\.json: module top is not as yosys writes one; give {MADE_BY}$",
            )
            for module in ("5", "{}", '{"cells": []}', '{"cells": {}}')
        ),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, text, message):
    path = tmp_path / "top.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=message):
        main([str(path)], Console(file=io.StringIO()))
