"""The boards there are, and what they state."""

import pytest

from gateformer.gateware.parts.multiplier import DSP_FAMILIES
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board, boards
from gateformer.platforms.families.family import Budget

NAMES = [
    *("sim", "zybo", "zybo-z7-20", "cora-z7", "kv260", "arty-a7-35", "arty-a7-100"),
    *("ulx3s", "tang-primer-20k", "tang-nano-9k"),
]
TARGETS = [
    *((name, None) for name in NAMES if name not in ("sim", "ulx3s")),
    *(("ulx3s", variant) for variant in ("12F", "25F", "45F", "85F")),
]


def test_known_boards():
    assert list(boards()) == NAMES


def test_unknown_board_lists_the_known_ones():
    with pytest.raises(UserError) as error:
        board("x")
    assert str(error.value) == f"unknown board 'x'; known: {', '.join(NAMES)}"


@pytest.mark.parametrize(
    ("name", "variant", "message"),
    [
        ("ulx3s", "9F", "unknown variant '9F' of ulx3s; known: 12F, 25F, 45F, 85F"),
        ("zybo", "10", "zybo has no variants; leave --variant out"),
        ("sim", "85F", "sim has no variants; leave --variant out"),
    ],
)
def test_wrong_variants(name, variant, message):
    with pytest.raises(UserError) as error:
        board(name, variant)
    assert str(error.value) == message


def test_variants_have_names_of_their_own():
    assert board("ulx3s") is board("ulx3s", "85F")
    assert board("ulx3s", "85F").label == "ulx3s"
    assert board("ulx3s", "25F").label == "ulx3s-25f"
    assert board("zybo").label == "zybo"


def test_sizes_and_clock_for_several_streams():
    alone = board("ulx3s")
    together = alone.with_streams(True)
    assert alone.with_streams(False) is alone
    assert (together.default_hw.rows, together.default_hw.lanes) == (16, 128)
    assert (together.default_clock_mhz, alone.default_clock_mhz) == (64.0, 90.0)
    for target, router in ((alone, "router1"), (together, "router2")):
        place, _ = target.build_platform("nextpnr").command_templates
        assert f"--router {router} --tmg-ripup" in place
    smaller = board("ulx3s", "25F")
    assert smaller.with_streams(True) is smaller


def test_the_simulation_has_no_platform():
    sim = board("sim")
    assert sim.budget is None and sim.device is None and not sim.toolchains
    assert (sim.family, sim.dsp, sim.console) == (None, "generic", None)


@pytest.mark.parametrize(
    ("name", "variant", "device", "family", "budget"),
    [
        ("zybo", None, "xc7z010clg400-1", "xc7", Budget(17_600, 35_200, 60, 80)),
        ("zybo-z7-20", None, "xc7z020clg400-1", "xc7", Budget(53_200, 106_400, 140, 220)),
        ("cora-z7", None, "xc7z007sclg400-1", "xc7", Budget(14_400, 28_800, 50, 66)),
        ("kv260", None, "xck26-sfvc784-2LV-c", "xcup", Budget(117_120, 234_240, 144, 1_248)),
        ("arty-a7-35", None, "xc7a35ticsg324-1L", "xc7", Budget(20_800, 41_600, 50, 90)),
        ("arty-a7-100", None, "xc7a100ticsg324-1L", "xc7", Budget(63_400, 126_800, 135, 240)),
        ("ulx3s", "12F", "LFE5U-12F-6BG381C", "ecp5", Budget(12_000, 12_000, 32, 28)),
        ("ulx3s", "25F", "LFE5U-25F-6BG381C", "ecp5", Budget(24_288, 24_288, 56, 28)),
        ("ulx3s", "45F", "LFE5U-45F-6BG381C", "ecp5", Budget(43_848, 43_848, 108, 72)),
        ("ulx3s", None, "LFE5U-85F-6BG381C", "ecp5", Budget(83_640, 83_640, 208, 156)),
        ("tang-primer-20k", None, "GW2A-LV18PG256C8/I7", "gowin", Budget(20_736, 15_552, 46, 48)),
        ("tang-nano-9k", None, "GW1NR-LV9QN88PC6/I5", "gowin", Budget(8_640, 6_480, 26, 20)),
    ],
)
def test_devices(name, variant, device, family, budget):
    target = board(name, variant)
    assert (target.device, target.family.name, target.budget) == (device, family, budget)
    assert target.dsp in DSP_FAMILIES


@pytest.mark.parametrize(("name", "variant"), TARGETS)
def test_platforms_have_what_the_tops_use(name, variant):
    target = board(name, variant)
    expected = {"xc7": ("vivado", "openxc7"), "xcup": ("vivado",)}
    assert target.toolchains == expected.get(target.family.name, ("nextpnr",))
    for toolchain in target.toolchains:
        platform = target.build_platform(toolchain)
        shown = {light[0] for light in platform.lights}
        assert shown == ({"busy", "context_full", "heartbeat"} if name != "kv260" else set())
        assert {light[1:3] for light in platform.lights} <= platform.resources.keys()
        if target.console == "uart":
            assert {("uart", 0), platform.reset_button} <= platform.resources.keys()


@pytest.mark.parametrize(
    ("name", "rx", "tx"),
    [
        # as seen from the FPGA: ULX3S constraints ftdi_txd M1, ftdi_rxd L4; Arty A7 reference
        # manual, figure "UART"; Sipeed's constraints of both boards
        ("ulx3s", "M1", "L4"),
        ("arty-a7-35", "A9", "D10"),
        ("tang-primer-20k", "T13", "M11"),
        ("tang-nano-9k", "18", "17"),
    ],
)
def test_direction_of_the_serial_port(name, rx, tx):
    target = board(name)
    platform = target.build_platform(target.toolchains[0])
    pins = {part.name: part.ios[0] for part in platform.lookup("uart", 0).ios}
    assert (pins["rx"].names, pins["rx"].dir) == ([rx], "i")
    assert (pins["tx"].names, pins["tx"].dir) == ([tx], "o")
