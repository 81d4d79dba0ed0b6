"""A board file that is wrong: one line says what, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from tests.support.own_boards import GOWIN, NEXYS, SUBCLASS, SUPPORTED, ULX3S, complaint, described


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
            SUBCLASS + "ddr = (32, 1066)",
            "mine.py: Mine: ddr is for a Zynq device without a serial port of the fabric",
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


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (
            f"{ULX3S}class Mine(ULX3S_25F_Platform):\n    speed = 'nope'",
            "speed 'nope' is not one of those of LFE5U-25F: 6, 7, 8",
        ),
        (
            f"{ULX3S}class Mine(ULX3S_25F_Platform):\n    device = 'LFE5UM5G-85F'",
            "speed '6' is not one of those of LFE5UM5G-85F: 8",
        ),
        (
            f"{ULX3S}class Mine(ULX3S_25F_Platform):\n    package = 'BG554'",
            "package 'BG554' is not one of those of LFE5U-25F: BG256, MG285, BG381",
        ),
        (
            f"{ULX3S}class Mine(ULX3S_25F_Platform):\n    grade = 'Q'",
            "grade 'Q' is not one of those of LFE5U-25F: C, I",
        ),
        (
            f"{SUBCLASS}speed = 'nope'",
            "speed 'nope' is no speed grade of xc7a100t; it is 1, 2 or 3, perhaps with letters, "
            "as in '1L'",
        ),
        (
            f"{SUBCLASS}device = 'xc7nope'\n    budget = dict(lut=1, ff=1, bram=1, dsp=1)",
            "the device xc7nope is of no series of the 7 series: xc7s, xc7a, xc7k, xc7z, xc7v",
        ),
        (
            f"{SUBCLASS}device, package = 'xc7s50', 'csg324'",
            "package 'csg324' is not one of those of xc7s50: csga324, fgga484, ftgb196",
        ),
        (
            f"{SUBCLASS}device, package = 'xc7a35ti', 'fgg676'",
            "package 'fgg676' is not one of those of xc7a35ti: cpg236, csg324, csg325, fgg484, "
            "ftg256",
        ),
    ],
)
def test_a_part_that_is_not_made(stated, message):
    assert complaint(stated) == f"mine.py: Mine: {message}"


def test_a_gowin_part_that_is_not_made():
    assert complaint(f"{GOWIN}part = 'nope'").startswith("mine.py: Mine() fails: ValueError: ")


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("file_templates = property(lambda self: 1 / 0)", "ZeroDivisionError: division by zero"),
        ("def toolchain_prepare(self):\n        pass", "TypeError: Mine.toolchain_prepare() takes"),
        ("command_templates = ['{{ nosuch() }}']", "UndefinedError: 'nosuch' is undefined"),
    ],
)
def test_a_class_that_fails_at_work_is_refused_before(stated, said):
    """Not only where and what amaranth itself looks at: a build plan for the pins is made."""
    line = complaint(SUBCLASS + stated)
    assert line.startswith("mine.py: Mine: a build plan of it fails in "), line
    assert said in line and line.endswith("; change what it states there")
