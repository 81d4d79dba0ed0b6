"""The command that holds a netlist against the limits."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from gateformer.model.support.errors import UserError
from gateformer.platforms.synthesis.paths.depth import main

from .mapped_netlist import Netlist


def test_the_command_fails_on_a_violation(tmp_path):
    netlist = Netlist()
    netlist.register("a", "0")
    netlist.lut("b", "a")
    netlist.register("c", "b")
    path = tmp_path / "top.json"
    path.write_text(json.dumps(netlist.json()))
    console = Console(file=io.StringIO(), width=120)
    assert main([str(path)], console) == 0
    assert main([str(path), "--limit", "0"], console) == 1
    printed = console.file.getvalue()
    assert "c: 1 stages from a, not 0 or fewer\n1 violations" in printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"cannot read .*top\.json: No such file or directory; give yosys' JSON"),
        ("{", r"top\.json is no JSON; write it with yosys' write_json"),
        (
            '{"modules": {"core": {}}}',
            r"top\.json has no module top; name one with --top: core",
        ),
        ("{}", r"top\.json has no module top; name one with --top: there is none"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, text, message):
    path = tmp_path / "top.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=message):
        main([str(path)], Console(file=io.StringIO()))
