"""Attributes of a board file's class that are of a wrong kind: one line says what they must be."""

from __future__ import annotations

import pytest

from gateformer.platforms.boards.stated import STATED
from tests.support.own_boards import GOWIN, SUBCLASS, ULX3S, complaint, described

TEXT = "must be text without spaces, as in {!r}, not {{}}"
RESOURCE = "must name a resource and its number, as in ('led', 0), not {}"
HELD_HIGH = "must be a list of resources and their numbers, as in (('led', 0),), not {}"
LIGHT = (
    "must be tuples of busy, context_full or heartbeat, resource, number and perhaps subsignal, "
    "not {}"
)
PROGRAMMER = (
    "must be a tuple of a command and its options, one of them with {{file}} for the bitstream's "
    "path, not {}"
)
NO_LIST = ("5", "True", "'led'", "{}", "range(0, 3)")
NO_TEXT = ("5", "None", "True", "''", "' '", "'a\\nb'", "b'x'", "('1', 2)")
NO_NAME = (*NO_TEXT, "'a b'")
NO_RESOURCE = ("5", "'led'", "('led',)", "('led', '0')", "('led', True)", "['led', 0]", "([], 0)")
WRONG = {
    "resources": ("must be a list of Resource(…), not {}", (*NO_LIST, "None")),
    "connectors": ("must be a list of Connector(…), not {}", (*NO_LIST, "None")),
    "device": (TEXT.format("xc7a35t"), NO_NAME),
    "package": (TEXT.format("ftg256"), NO_NAME),
    "speed": (TEXT.format("1"), NO_NAME),
    "grade": (TEXT.format("C"), NO_NAME),
    "part": (TEXT.format("GW2A-LV18PG256C8/I7"), NO_NAME),
    "family": (TEXT.format("GW2A-18"), NO_NAME),
    "default_clk": (TEXT.format("clk100"), [bad for bad in NO_NAME if bad != "None"]),
    "default_rst": (TEXT.format("rst"), [bad for bad in NO_NAME if bad != "None"]),
    "title": ("must be a line of text, not {}", NO_TEXT),
    "core_mhz": ("must be 1 to 1000, not {}", ("0", "1001", "True", "'80'", "[80]", "(80, 1)")),
    "uart": (RESOURCE, NO_RESOURCE),
    "reset_button": (RESOURCE, NO_RESOURCE),
    "held_high": (HELD_HIGH, NO_LIST),
    "lights": (LIGHT, NO_LIST),
    "budget": (
        "must be a dict of lut, ff, bram, dsp with integers above 0, not {}",
        ("5", "{}", "[1, 2, 3, 4]", "{'lut': 1, 'ff': 1, 'bram': 1, 'dsp': '1'}"),
    ),
    "programmer": (
        PROGRAMMER,
        ("5", "'dfu-util {file}'", "['a', '{file}']", "('{file}', 'a')", "('a', 1)"),
    ),
    "processor": (
        "must be (its clock in Hz, 0 or 1: which of its UARTs), not {}",
        ("5", "(33.3, 1)", "(0, 1)", "(1, 2)", "(1, True)", "[1, 1]", "(1,)"),
    ),
    "ddr": (
        "must be (8, 16 or 32: its width in bits, its MT/s), as in (32, 1066), not {}",
        ("32", "(32, 1066.5)", "(64, 1066)", "(32, 0)", "(True, 1066)", "[32, 1066]", "(32,)"),
    ),
}
"""By the attribute: what is said, and values, written as Python writes them, of a wrong kind."""


@pytest.fixture(autouse=True)
def beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_attribute_has_wrong_values():
    assert set(WRONG) == set(STATED)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, (_, bad) in WRONG.items() for v in bad])
def test_an_attribute_of_a_wrong_kind(name, value):
    text = {"grade": f"{ULX3S}class Mine(ULX3S_25F_Platform):\n    "}
    text |= dict.fromkeys(("part", "family"), GOWIN)
    said = complaint(f"{text.get(name, SUBCLASS)}{name} = {value}")
    assert said == f"mine.py: Mine: {name} {WRONG[name][0].format(value)}"


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("held_high", "('led', 0)", "'led'"),
        ("held_high", "[('led', 0), 5]", "5"),
        ("lights", "('busy', 'led', 0)", "'busy'"),
        ("lights", "(('busy', 'led', 0), ('on', 'led', 1))", "('on', 'led', 1)"),
        ("lights", "(('busy', [], 0),)", "('busy', [], 0)"),
        ("lights", "(('busy', 'led', 0, 5),)", "('busy', 'led', 0, 5)"),
        ("resources", "[[]]", "[]"),
    ],
)
def test_one_of_several_of_a_wrong_kind(name, value, wrong):
    said = complaint(f"{SUBCLASS}{name} = {value}")
    assert said == f"mine.py: Mine: {name} {WRONG[name][0].format(wrong)}"


def test_a_value_of_several_lines_is_shown_in_one():
    shown = "class A:\n    __repr__ = lambda self: 'a\\n  b'\n"
    said = complaint(f"{shown}{SUBCLASS}lights = A()")
    assert said == f"mine.py: Mine: lights {LIGHT.format('a b')}"


@pytest.mark.parametrize(
    "name",
    [name for name, (_, bad) in WRONG.items() if "None" not in bad and name != "default_clk"],
)
def test_none_states_nothing(name):
    assert described(f"{SUBCLASS}{name} = None").title == "Mine"
