"""The boards there are, and what they state."""

import pytest

from model.errors import UserError
from platforms.board import Budget, board, boards


def test_known_boards():
    assert list(boards()) == ["sim", "zybo", "zybo-z7-20"]


def test_unknown_board_lists_the_known_ones():
    with pytest.raises(UserError) as error:
        board("x")
    assert str(error.value) == "unknown board 'x'; known: sim, zybo, zybo-z7-20"


def test_the_simulation_has_no_platform():
    sim = board("sim")
    assert sim.budget is None and sim.device is None and not sim.toolchains


@pytest.mark.parametrize(
    ("name", "device", "budget"),
    [
        ("zybo", "xc7z010clg400-1", Budget(17_600, 35_200, 60, 80)),
        ("zybo-z7-20", "xc7z020clg400-1", Budget(53_200, 106_400, 140, 220)),
    ],
)
def test_zybo_boards(name, device, budget):
    target = board(name)
    assert (target.device, target.budget, target.dsp) == (device, budget, "dsp48e1")
    assert target.toolchains == ("vivado", "openxc7")
    platforms = [target.build_platform(toolchain) for toolchain in target.toolchains]
    assert [platform.toolchain for platform in platforms] == ["Vivado", "Xray"]
    for platform in platforms:
        assert f"{platform.device}{platform.package}-{platform.speed}" == device
        assert platform.default_clk_frequency == target.default_clock_mhz * 1e6
