"""A board file that is wrong: one line says what, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.boards.stated import STATED
from tests.support.own_boards import NEXYS, SUBCLASS, SUPPORTED, ULX3S, complaint, described

GOWIN = (
    "from amaranth_boards.tang_nano_9k import TangNano9kPlatform\n"
    "class Mine(TangNano9kPlatform):\n    "
)
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
}
"""By the attribute: what is said, and values, written as Python writes them, of a wrong kind."""


@pytest.fixture(autouse=True)
def beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "mine.py has no platform class; it needs a subclass of amaranth's XilinxPlatform, "
            "LatticePlatform or GowinPlatform, like those of amaranth-boards; see docs/boards.md",
        ),
        (
            "from amaranth.vendor import XilinxPlatform",
            "mine.py has no platform class; it needs a "
            "subclass of amaranth's XilinxPlatform, LatticePlatform or GowinPlatform, like those "
            "of amaranth-boards; see docs/boards.md",
        ),
        ("class A(:\n", "mine.py, line 1: not Python: invalid syntax"),
        ("\x00", "mine.py: not Python: source code string cannot contain null bytes"),
        ("import nosuch\n", "mine.py, line 1: ModuleNotFoundError: No module named 'nosuch'"),
        ("\n1 / 0\n", "mine.py, line 2: ZeroDivisionError: division by zero"),
        (
            "x = open('nosuch')\n",
            "mine.py, line 1: FileNotFoundError: [Errno 2] No such file or directory: 'nosuch'",
        ),
        ("raise SystemExit(3)\n", "mine.py, line 1: SystemExit: 3"),
        ("int('x')\n", "mine.py, line 1: ValueError: invalid literal for int() with base 10: 'x'"),
        (
            "from amaranth.vendor import XilinxPlatform\n"
            "class Mine(XilinxPlatform):\n  device = 'x'",
            "mine.py: Mine lacks connectors, package, resources, speed; set them in the class",
        ),
        (
            "from amaranth_boards.icebreaker import ICEBreakerPlatform",
            f"mine.py: ICEBreakerPlatform is for Lattice iCE40, {SUPPORTED}",
        ),
        (
            "from amaranth_boards.de10_nano import DE10NanoPlatform",
            f"mine.py: DE10NanoPlatform is for Intel (Altera), {SUPPORTED}",
        ),
        (
            "from amaranth_boards.machxo3_sk import MachXO3LSKPlatform",
            f"mine.py: MachXO3LSKPlatform is for Lattice MachXO2 or MachXO3, {SUPPORTED}",
        ),
        (
            "from amaranth_boards.kcu105 import KCU105Platform",
            f"mine.py: KCU105Platform is for AMD (Xilinx) ultrascale, {SUPPORTED}",
        ),
        (
            "from amaranth_boards.quickfeather import QuickfeatherPlatform",
            f"mine.py: QuickfeatherPlatform is for QuickLogic, {SUPPORTED}",
        ),
        (
            "from amaranth_boards.tang_mega_138k_pro_dock import TangMega138kProDockPlatform",
            f"mine.py: TangMega138kProDockPlatform is for Gowin GW5AST, {SUPPORTED}",
        ),
        (
            f"{ULX3S}class Mine(ULX3S_25F_Platform):\n"
            "    device, package, speed = 'LIFCL-40', 'BG400', '7'",
            f"mine.py: Mine is for Lattice Nexus, {SUPPORTED}",
        ),
        (
            "from amaranth_boards.tang_nano import TangNanoPlatform",
            "mine.py: TangNanoPlatform: the device GW1N-1 is not one of GW1N-9, GW2A-18",
        ),
        (
            "from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform",
            "mine.py: OrangeCrabR0_2_25FPlatform has no serial port; add UARTResource(0, rx=PIN, "
            "tx=PIN, attrs=…) of amaranth_boards.resources to its resources",
        ),
        (
            "from amaranth_boards.microzed_z010 import MicroZedZ010Platform",
            "mine.py: MicroZedZ010Platform has no default_clk; set it to the name of a resource "
            "with a Clock",
        ),
        (
            SUBCLASS + "default_clk = 'nosuch'",
            "mine.py: Mine: default_clk 'nosuch' is not one of its resources; set it to the name "
            "of one with a pin and a Clock",
        ),
        (
            SUBCLASS + "default_clk = 'rst'",
            "mine.py: Mine: default_clk 'rst' has no frequency; give its Resource a Clock(…)",
        ),
        (
            SUBCLASS + "def __init__(self, a):\n        pass",
            "mine.py: Mine() fails: TypeError: "
            "Mine.__init__() missing 1 required positional argument: 'a'; it must be possible "
            "without arguments",
        ),
        (
            SUBCLASS + "default_rst = 'nosuch'",
            "mine.py: Mine: default_rst 'nosuch' is not one of its resources; set it to the name "
            "of one with a pin, or to None",
        ),
        (
            SUBCLASS + "default_rst = 'nosuch'; reset_button = ('rst', 0)",
            "mine.py: Mine: default_rst 'nosuch' is not one of its resources; set it to the name "
            "of one with a pin, or to None",
        ),
        (
            SUBCLASS + "default_rst = 'led'",
            "mine.py: Mine: default_rst ('led', 0) is not an input of one pin",
        ),
        *(
            (
                f"from amaranth.build import *\n{SUBCLASS}default_clk = 'wide'\n    resources = "
                f"[*Nexys4DDRPlatform.resources, Resource('wide', 0, {pins}, Clock(1e8))]",
                "mine.py: Mine: default_clk 'wide' is not an input of one pin or one pair of pins",
            )
            for pins in (
                "Pins('A1 B1', dir='i')",
                "Pins('A1', dir='o')",
                "DiffPairs('A1 B1', 'A2 B2', dir='i')",
            )
        ),
        (
            GOWIN + "family = 'a\\nb'",
            "mine.py: Mine: family must be text without spaces, as in 'GW2A-18', not 'a\\nb'",
        ),
        (
            SUBCLASS + "title = property(lambda self: 1 / 0)",
            "mine.py: Mine: title fails: ZeroDivisionError: division by zero",
        ),
        (SUBCLASS + "core_mhz = 'fast'", "mine.py: Mine: core_mhz must be 1 to 1000, not 'fast'"),
        (
            SUBCLASS + "core_mhz = 999",
            "mine.py: Mine: core_mhz: a clock of 999 MHz can't be made from 100 MHz; the nearest "
            "is 464.000 MHz: choose it with --clock",
        ),
        (
            SUBCLASS + "uart = ('uart', 1)",
            "mine.py: Mine: uart ('uart', 1) is not one of its resources",
        ),
        (
            SUBCLASS + "uart = 'uart'",
            "mine.py: Mine: uart must name a resource and its number, as in ('led', 0), not 'uart'",
        ),
        (
            SUBCLASS + "uart = ('led', 0)",
            "mine.py: Mine: uart ('led', 0) does not have an input rx "
            "and an output tx of one pin each; name a resource like those of UARTResource",
        ),
        (
            SUBCLASS + "reset_button = ('led', 0)",
            "mine.py: Mine: reset_button ('led', 0) is not an input of one pin",
        ),
        (
            SUBCLASS + "held_high = (('rst', 0),)",
            "mine.py: Mine: held_high ('rst', 0) is not an output of one pin",
        ),
        (
            SUBCLASS + "lights = (('on', 'led', 0),)",
            "mine.py: Mine: lights must be tuples of busy, "
            "context_full or heartbeat, resource, number and perhaps subsignal, not ('on', 'led', "
            "0)",
        ),
        (
            SUBCLASS + "lights = (('busy', 'rgb_led', 0),)",
            "mine.py: Mine: lights: ('busy', 'rgb_led', 0) must name one of its subsignals r, g, b",
        ),
        (
            SUBCLASS + "lights = (('busy', 'led', 99),)",
            "mine.py: Mine: lights ('led', 99) is not one of its resources",
        ),
        (
            SUBCLASS + "budget = {'lut': 1}",
            "mine.py: Mine: budget must be a dict of lut, ff, bram, "
            "dsp with integers above 0, not {'lut': 1}",
        ),
        (
            SUBCLASS + "processor = (1, 1)",
            "mine.py: Mine: processor is for a Zynq device without a serial port of the fabric",
        ),
        (
            SUBCLASS + "programmer = ('dfu-util',)",
            "mine.py: Mine: programmer must be a tuple of a "
            "command and its options, one of them with {file} for the bitstream's path, not "
            "('dfu-util',)",
        ),
        (SUBCLASS + "title = 3", "mine.py: Mine: title must be a line of text, not 3"),
    ],
)
def test_complaints(text, message):
    assert complaint(text) == message


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


def test_an_unknown_device_names_the_known_ones():
    said = complaint(SUBCLASS + "device = 'xc7v585t'")
    assert said.startswith("mine.py: Mine: the device xc7v585t is not one of xc7s6, xc7s15, ")
    assert said.endswith(
        'xc7z100; state what it has: budget = {"lut": …, "ff": …, "bram": …, "dsp": …}'
    )


def test_names(tmp_path):
    for name, message in {
        "nosuch.py": "there is no board file nosuch.py; name one, or a board of --list",
        "folder.py": "cannot read the board file folder.py: Is a directory",
        "zybo.py": "zybo.py: there is a board called zybo; rename the file",
    }.items():
        if name == "folder.py":
            Path(name).mkdir()
        if name == "zybo.py":
            Path(name).write_text(NEXYS)
        with pytest.raises(UserError) as error:
            board(name)
        assert str(error.value) == message
    Path("near.py").write_text(NEXYS)
    with pytest.raises(UserError, match=r"^unknown board 'near'; known: .*; for the board file "):
        board("near")
    with pytest.raises(UserError, match=r"^mine\.py has no variants; leave --variant out$|no var"):
        described(NEXYS)
        board("mine.py", "85F")
