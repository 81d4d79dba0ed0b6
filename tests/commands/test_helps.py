"""What ``--help`` of every command shows."""

import argparse
import sys

import pytest

from gateformer.model.support.cli import ArgumentParser
from tests.support.every_command import commands, main_of


class Asked(Exception):
    """Instead of parsing."""


@pytest.fixture
def parsers(monkeypatch):
    """Function of a command to its parser and those of its methods."""

    def call(command: str) -> list[argparse.ArgumentParser]:
        def ask(parser, *arguments):
            raise Asked(parser)

        monkeypatch.setattr(ArgumentParser, "parse_args", ask)
        monkeypatch.setattr(sys, "argv", [command])
        with pytest.raises(Asked) as asked:
            main_of(command)()
        found = [asked.value.args[0]]
        for action in found[0]._actions:
            if isinstance(action, argparse._SubParsersAction):
                found += action.choices.values()
        return found

    return call


@pytest.mark.parametrize("command", commands())
def test_everything_has_a_text_without_marks(parsers, command):
    for parser in parsers(command):
        methods = argparse._SubParsersAction  # each has a text of its own
        without = [a.dest for a in parser._actions if not (a.help or isinstance(a, methods))]
        assert without == []
        shown = parser.format_help()
        for mark in (
            "``",
            ":mod:",
            ":func:",
            "(default: [])",
            "(default: None)",
            "as of gateformer",
            "as of build",
        ):
            assert mark not in shown


@pytest.mark.parametrize("command", commands())
def test_every_default_is_shown(parsers, command):
    for parser in parsers(command):
        for action in parser._actions:
            silent = (None, False, [], argparse.SUPPRESS)
            if action.option_strings and action.default not in silent:
                shown = parser._get_formatter()._expand_help(action)
                assert "default" in shown, action.option_strings
