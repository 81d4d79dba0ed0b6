"""The console's command, called in this process."""

import io
import sys

import pytest

from gateformer.platforms.console import console


@pytest.fixture
def console_main(monkeypatch, capsys):
    """Function of (arguments, standard input) to (exit status, standard output)."""

    def call(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "argv", ["console", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        return console.main(), capsys.readouterr().out

    return call
