"""The table of devices, and the names of parts in it."""

import pytest

from gateformer.platforms.boards.board import boards
from gateformer.platforms.families.devices import DEVICES, device_name, find_device
from gateformer.platforms.families.family import Budget
from gateformer.platforms.families.gowin_clock import FAMILIES


@pytest.mark.parametrize(
    ("family", "part", "name"),
    [
        ("xc7", "XC7A35T", "xc7a35t"),
        ("xc7", "xc7a100ti", "xc7a100t"),
        ("xc7", "xc7k325tl", "xc7k325t"),
        ("xc7", "xc7z007s", "xc7z007s"),
        ("xcup", "XCK26", "xck26"),
        ("xc7", "xc7s25", "xc7s25"),
        ("ecp5", "LFE5UM5G-85F", "LFE5UM5G-85F"),
        ("ecp5", "lfe5u-12f", "LFE5U-12F"),
        *(("gowin", part, "GW1N-9") for part in ("GW1N-9C", "GW1NR-9C", "GW1NR-9")),
        *(("gowin", part, "GW2A-18") for part in ("GW2A-18", "GW2A-18C", "GW2AR-18C")),
    ],
)
def test_parts(family, part, name):
    assert device_name(family, part) == name
    assert find_device(family, part) is DEVICES[family][name]


@pytest.mark.parametrize(
    ("family", "part"),
    [
        *(("xc7", part) for part in ("xc7a36t", "xc7v585t", "xc6slx9", "")),
        *(("ecp5", part) for part in ("LFE5UM-12F", "LAE5UM-45F", "LIFCL-40")),
        # other chips, whatever their names resemble
        *(("gowin", part) for part in ("GW1NS-9", "GW2AN-18X", "GW1NZ-9", "GW1N-1")),
    ],
)
def test_unknown_parts(family, part):
    assert find_device(family, part) is None


@pytest.mark.parametrize(
    ("name", "budget", "carries"),
    [
        # the LUTs and flip-flops that DS180 and DS190 print beside the slices
        ("xc7a200t", Budget(134_600, 269_200, 365, 740), 33_650),
        ("xc7s50", Budget(32_600, 65_200, 75, 120), 8_150),
        ("xc7k325t", Budget(203_800, 407_600, 445, 840), 50_950),
        ("xc7z010", Budget(17_600, 35_200, 60, 80), 4_400),
    ],
)
def test_seven_series(name, budget, carries):
    device = find_device("xc7", name)
    assert (device.budget, device.carries) == (budget, carries)


def test_every_board_s_budget_is_the_table_s():
    known = [device.budget for family in DEVICES.values() for device in family.values()]
    targets = [b for board in boards().values() for b in (board.variants.values() or [board])]
    for target in targets:
        assert target.budget is None or any(target.budget is budget for budget in known)


def test_a_gowin_device_has_a_pll():
    assert {device_name("gowin", part) for part in FAMILIES} == set(DEVICES["gowin"])
