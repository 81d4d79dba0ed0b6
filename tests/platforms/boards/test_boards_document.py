"""docs/boards.md: its example files are boards, and its tables are those of the program."""

import re
from pathlib import Path

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.platforms.boards.board import board
from gateformer.platforms.boards.own_board import SUPPORTED
from gateformer.platforms.families.devices import DEVICES
from gateformer.platforms.support import verilog

from .test_every_board import expected_pins, located

DOCUMENT = (Path(__file__).parents[3] / "docs/boards.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)```", DOCUMENT, re.DOTALL))
MOST_LINES = 25


def test_the_examples_are_found():
    assert list(EXAMPLES) == ["nexys.py", "artix.py", "orangecrab.py", "nano.py"]
    assert DOCUMENT.count("```python") == len(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example(name, tmp_path, monkeypatch):
    monkeypatch.setattr(verilog, "verilog_text", lambda rtlil: "")
    assert len(EXAMPLES[name].splitlines()) <= MOST_LINES
    assert "platforms" not in EXAMPLES[name]
    path = tmp_path / name
    path.write_text(EXAMPLES[name], encoding="utf-8")
    target = board(str(path))
    spec = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"
    program = Program(random_model(spec), HwConfig(2, 4, 4))
    for toolchain in target.toolchains:
        top = target.build_top(program, target.default_clock_mhz)
        platform = target.build_platform(toolchain)
        files = platform.prepare(top, "top").files
        assert located(files) == expected_pins(platform, target)


def test_the_examples_are_of_every_family(tmp_path):
    families = set()
    for name, text in EXAMPLES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        families.add(board(str(tmp_path / name)).family)
    assert families == set(SUPPORTED)


def test_what_the_example_states():
    assert EXAMPLES["nano.py"].count("core_mhz = 36") == 1


def test_the_devices():
    table = re.search("<!-- devices -->\n(.*)<!-- /devices -->", DOCUMENT, re.DOTALL)[1]
    rows = dict(re.findall(r"^\| ([^|`]+) \| (`.*) \|$", table, re.M))
    assert {title: re.findall("`([^`]+)`", names) for title, names in rows.items()} == {
        family.title: list(DEVICES[family.name]) for family in SUPPORTED
    }
