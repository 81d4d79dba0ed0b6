"""Options that a run of build.py would not heed: one line names both."""

import pytest

from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.building import command
from gateformer.platforms.building.options import refuse_beside_list, refuse_unheeded

VALUES = {
    **{"--model": "m", "--packing": "2bit", "--clock": "50", "--variant": "v", "--toolchain": "t"},
    **{"--rows": "1", "--cols": "1", "--lanes": "1", "--baud": "9600", "--export": "ip"},
    **{"--position": "0", "--waveform": "w.vcd", "--cycles": "0:9", "--prompt": "x"},
    **{"--streams": "2", "--cores": "2", "--ports": "1"},
    **{"--out": "there", "--tokens": "100", "--temperature": "0.8", "--top-k": "20", "--seed": "1"},
}
"""Of the options that take one; those of a text are as without them."""
SWITCHES = (
    *("--program", "--firmware", "--timeline", "--check", "--continue", "--reload"),
    *("--list", "--fits", "--no-synthesis"),
)
LISTING = {"--list", "--fits"}
MODES = {"--export": "zybo", "--firmware": "zybo", "--timeline": "zybo", "--check": "sim"}
SHAPES = {"--model", "--variant", "--rows", "--cols", "--lanes", "--packing", "--reload"}
SHAPES |= {"--streams", "--cores", "--ports"}
HEEDED = {
    "--export": {"--clock", "--out", "--no-synthesis"},
    "--firmware": {"--clock", "--program", "--toolchain", "--out"},
    "--timeline": {"--position", "--out"},
    "--check": {"--seed"},
}
"""Beside what names the model, the device and the sizes."""
TEXT = ("--prompt", "--tokens", "--temperature", "--top-k", "--seed", "--continue")


def typed(*options):
    return [part for name in options for part in (name, VALUES.get(name)) if part]


def refusal(name, *options) -> str | None:
    arguments = command.parser().parse_args([name, *typed(*options)])
    try:
        refuse_unheeded(board(name), arguments)
    except UserError as error:
        return str(error)
    return None


def test_all_options_are_here():
    known = {text for action in command.parser()._actions for text in action.option_strings}
    assert known == {*VALUES, *SWITCHES, "-h", "--help"}


@pytest.mark.parametrize("option", sorted({*VALUES, *SWITCHES} - LISTING))
@pytest.mark.parametrize("mode", MODES)
def test_each_option_beside_what_is_done_instead_of_a_build(mode, option):
    if option == mode:
        return
    message = refusal(MODES[mode], mode, option)
    if option in SHAPES | HEEDED[mode]:
        assert message is None
        return
    alone = refusal(MODES[mode], option)
    if alone is not None and f"not for {MODES[mode]}" in alone:  # whatever else is given
        assert message == alone
        return
    assert option in message and mode in message and "\n" not in message


@pytest.mark.parametrize("option", TEXT)
@pytest.mark.parametrize("mode", ["--export", "--firmware", "--timeline"])
def test_text_beside_what_has_none(mode, option):
    assert refusal("zybo", mode, option) == (
        f"{option} is for a board's build, not for {mode}; leave one of them out"
    )


@pytest.mark.parametrize("option", [name for name in TEXT if name != "--seed"])
def test_text_beside_a_check(option):
    assert refusal("sim", "--check", option) == (
        f"{option} is for text out of sim, not for --check; leave one of them out"
    )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "sim",
            ("--export", "--prompt"),
            "--prompt is for text out of sim, not for --export; leave one of them out",
        ),
        (
            "sim",
            ("--timeline", "--tokens"),
            "--tokens is for text out of sim, not for --timeline; leave one of them out",
        ),
        (
            "sim",
            ("--check", "--clock"),
            "--check compares integers, whatever the clock; leave --clock out",
        ),
        (
            "zybo",
            ("--firmware", "--position"),
            "--position is for --timeline, not for --firmware; leave one of them out",
        ),
        (
            "zybo",
            ("--export", "--firmware"),
            "--firmware is for a run of its own, not for --export; leave one of them out",
        ),
        ("ulx3s", ("--reload",), None),
        ("ulx3s", ("--reload", "--export"), None),
        ("zybo", (*TEXT, "--reload"), None),
        ("zybo", TEXT, None),
        ("sim", (*TEXT, "--waveform", "--cycles", "--clock"), None),
        ("ulx3s", (*TEXT, "--baud", "--toolchain", "--program", "--clock"), None),
    ],
)
def test_pairs(name, options, message):
    assert refusal(name, *options) == message


@pytest.mark.parametrize("option", sorted({*VALUES, *SWITCHES} - LISTING))
def test_each_option_beside_the_list(option):
    arguments = command.parser().parse_args(["--list", *typed(option)])
    with pytest.raises(UserError) as error:
        refuse_beside_list(arguments)
    assert str(error.value) == f"--list shows every board and model; leave {option} out"


def test_what_fits_is_of_the_list():
    refuse_beside_list(command.parser().parse_args(["--list", "--fits"]))
    assert refusal("zybo", "--fits") == "--fits is for --list; give both, or leave --fits out"


def test_the_list_alone():
    refuse_beside_list(command.parser().parse_args(["--list"]))
    with pytest.raises(UserError) as error:
        refuse_beside_list(command.parser().parse_args(["zybo", "--list"]))
    assert str(error.value) == "--list shows every board and model; leave zybo out"


@pytest.mark.parametrize("name", ("sim", "zybo"))
def test_what_is_exported_need_not_be_synthesized(name):
    assert refusal(name, "--export", "--no-synthesis") is None
