"""Options of a text are the same wherever there is text."""

import argparse

import pytest

from gateformer.gateware.console import messages as console_messages
from gateformer.gateware.console import settings as console_settings
from gateformer.model.support.errors import UserError
from gateformer.model.text.options import (
    CONSOLE_MAX_TEMPERATURE,
    DEFAULT_SEED,
    DEFAULT_TEMPERATURE,
    DEFAULT_TOP_K,
    TEXT_OPTIONS,
    TextOptions,
    add_text_options,
    flag,
    text_options,
)
from gateformer.platforms.building import command
from gateformer.platforms.host import generate
from tests.platforms.building.test_options import TEXT

GIVEN = ["--prompt", "x", "--tokens", "7", "--temperature", "0", "--top-k", "0", "--seed", "0"]


def test_of_the_board_and_of_the_simulation():
    of_build, of_board = (
        {action.dest: vars(action) for action in parser._actions if action.dest in TEXT_OPTIONS}
        for parser in (command.parser(), generate.parser())
    )
    assert list(of_build) == list(TEXT_OPTIONS)
    for name, action in of_build.items():
        for field in ("option_strings", "type", "default", "nargs"):
            assert of_board[name][field] == action[field]
        assert name == "prompt" or of_board[name]["help"] == action["help"]


@pytest.mark.parametrize("parser", [command.parser, generate.parser])
def test_without_any(parser):
    defaults = TextOptions(None, 100, "0.8", 20, 1, False)
    assert text_options(parser().parse_args([]), 128) == defaults
    assert text_options(parser().parse_args([]), 11).top_k == 11


@pytest.mark.parametrize(
    "parser, prompt", [(command.parser, "x"), (generate.parser, ["x"])], ids=["build", "driver"]
)
def test_with_all_of_them(parser, prompt):
    arguments = parser().parse_args([*GIVEN, "--continue"])
    assert text_options(arguments, 128) == TextOptions(prompt, 7, "0", 0, 0, True)


def test_defaults_are_those_of_the_console():
    assert float(DEFAULT_TEMPERATURE) * 100 == console_settings.DEFAULT_TEMPERATURE
    largest = (console_messages.TEMPERATURE_STEPS - 1) / 10**console_messages.DECIMALS
    assert float(CONSOLE_MAX_TEMPERATURE) == largest
    assert DEFAULT_TOP_K == console_settings.DEFAULT_TOP_K
    assert DEFAULT_SEED == console_settings.DEFAULT_SEED


def test_flags():
    parser = argparse.ArgumentParser()
    add_text_options(parser)
    for action in parser._actions:
        if action.dest in TEXT_OPTIONS:
            assert action.option_strings == [flag(action.dest)]
    assert tuple(map(flag, TEXT_OPTIONS)) == TEXT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(
            (
                [*option, "--bench"],
                f"{option[0]} is for text, not for --bench; leave one of them out",
            )
            for option in (*zip(GIVEN[::2], GIVEN[1::2], strict=True), ["--continue"])
        ),
        *(
            (option, f"{option[0]} is for --prompt; give both, or leave {option[0]} out")
            for option in (*zip(GIVEN[2::2], GIVEN[3::2], strict=True), ["--continue"])
        ),
    ],
)
def test_the_driver_refuses_what_it_would_not_heed(monkeypatch, arguments, message):
    monkeypatch.setattr("sys.argv", ["generate", *arguments])
    monkeypatch.setattr(generate, "Accelerator", None)  # it is not even opened
    with pytest.raises(UserError) as error:
        generate.main()
    assert str(error.value) == message
