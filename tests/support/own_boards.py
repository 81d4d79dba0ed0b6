"""Board files as users write them, for tests."""

from pathlib import Path

import pytest

from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board

TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"
NEXYS = "from amaranth_boards.nexys4ddr import Nexys4DDRPlatform\n"
SUBCLASS = f"{NEXYS}class Mine(Nexys4DDRPlatform):\n    "
CORA = "from amaranth_boards.cora_z7 import CoraZ7_10Platform\n"
ULX3S = "from amaranth_boards.ulx3s import ULX3S_25F_Platform\n"
GOWIN = (
    "from amaranth_boards.tang_nano_9k import TangNano9kPlatform\n"
    "class Mine(TangNano9kPlatform):\n    "
)
SUPPORTED = "which is not supported; supported are AMD 7 series, Lattice ECP5, Gowin GW1N, GW2A"
UART = """\
from amaranth.build import Attrs
from amaranth_boards.{module} import {name}
from amaranth_boards.resources import UARTResource

class Board({name}):
    resources = [*{name}.resources, UARTResource(0, {uart}, attrs=Attrs({attributes}))]
"""
ORANGECRAB_UART = 'rx="0", tx="1", conn=("io", 0)'
ONE_LINE = {
    "ArtyS7_25Platform": "arty_s7",
    "ArtyZ720Platform": "arty_z7",
    "CmodA7_15Platform": "cmod_a7",
    "Colorlight_5A75B_R70Platform": "colorlight_5a75b_r7_0",
    "EBAZ4205Platform": "ebaz4205",
    "ECP55GEVNPlatform": "ecp5_5g_evn",
    "ECPIX545Platform": "ecpix5",
    "ECPIX585Platform": "ecpix5",
    "Genesys2Platform": "genesys2",
    "ICESugarProPlatform": "icesugar_pro",
    "Nexys4DDRPlatform": "nexys4ddr",
    "TangNano9kPlatform": "tang_nano_9k",
    "TangPrimer20kLitePlatform": "tang_primer_20k",
    "VersaECP5Platform": "versa_ecp5",
    "VersaECP55GPlatform": "versa_ecp5_5g",
}
"""Module of amaranth-boards by the platform that has everything."""
WITH_UART = {
    "AlchitryAuPlatform": ("alchitry_au", 'rx="P15", tx="P16"', 'IOSTANDARD="LVCMOS33"'),
    "OrangeCrabR0_2_25FPlatform": ("orangecrab_r0_2", ORANGECRAB_UART, 'IO_TYPE="LVCMOS33"'),
    "OrangeCrabR0_2_85FPlatform": ("orangecrab_r0_2", ORANGECRAB_UART, 'IO_TYPE="LVCMOS33"'),
    "Logicbone85FPlatform": ("logicbone", 'rx="A2", tx="B2"', 'IO_TYPE="LVCMOS33"'),
}
"""Module, pins and attributes of a serial port, for platforms without one."""
OWN_BOARDS = (*ONE_LINE, *WITH_UART)


def write_board(directory: Path, name: str) -> str:
    """Write the file for a platform of amaranth-boards; its path."""
    path = directory / f"my_{name.lower()}.py"
    if name in ONE_LINE:
        path.write_text(f"from amaranth_boards.{ONE_LINE[name]} import {name}\n")
    else:
        module, uart, attributes = WITH_UART[name]
        path.write_text(UART.format(module=module, name=name, uart=uart, attributes=attributes))
    return str(path)


def described(text: str, name: str = "mine.py"):
    """The board of a file ``mine.py`` in the current directory."""
    Path("mine.py").write_text(text, encoding="utf-8")
    return board(name)


def complaint(text: str, name: str = "mine.py") -> str:
    """What is said about such a file, in one line."""
    with pytest.raises(UserError) as error:
        described(text, name)
    assert "\n" not in str(error.value)
    return str(error.value)
