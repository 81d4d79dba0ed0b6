"""Generated text is whole, whatever shows its progress beside it."""

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from gateformer.model.support import progress as plain
from gateformer.platforms.support import progress
from gateformer.platforms.support.text_output import text_output

TEXT = "To be\nor not to be,\n\nthat is"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_every_piece_at_once():
    file = Terminal()
    with text_output(Console(file=file)) as emit:
        for i, piece in enumerate(TEXT):
            emit(piece)
            assert file.getvalue() == TEXT[: i + 1]
    assert file.getvalue() == f"{TEXT}\n"


@pytest.mark.parametrize("size", [1, 2, 6, 7, 100])
def test_a_file_gets_whole_lines(size):
    file = io.StringIO()
    with text_output(Console(file=file)) as emit:
        for begin in range(0, len(TEXT), size):
            emit(TEXT[begin : begin + size])
            came = TEXT[: begin + size]
            assert file.getvalue() == came[: came.rfind("\n") + 1]
    assert file.getvalue() == f"{TEXT}\n"


@pytest.mark.parametrize("file", [Terminal, io.StringIO])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_line_is_ended_after_an_error(file, error):
    file = file()
    with pytest.raises(error), text_output(Console(file=file)) as emit:
        emit("a\nb")
        raise error
    assert file.getvalue() == "a\nb\n"


def test_no_markup():
    file = io.StringIO()
    with text_output(Console(file=file, width=9)) as emit:
        emit("[bold] not :smile: to be [/]")
    assert file.getvalue() == "[bold] not :smile: to be [/]\n"


def test_lines_of_the_progress_stand_between_those_of_the_text(monkeypatch, tmp_path):
    with open(tmp_path / "log", "w") as log:
        monkeypatch.setattr(progress, "console", Console(file=log, soft_wrap=True))
        monkeypatch.setattr(plain, "PLAIN_INTERVAL", 0.01)
        monkeypatch.setattr(plain, "PLAIN_REPEAT", 0.01)
        with progress.working("synthesis"), text_output(Console(file=log)) as emit:
            for piece in TEXT:
                emit(piece)
                time.sleep(0.02)
    lines = (tmp_path / "log").read_text().splitlines()
    said = [line for line in lines if re.fullmatch(r"\d+ s: synthesis \.\.\.", line)]
    assert len(said) > 5
    assert [line for line in lines if line not in said] == TEXT.split("\n")


ON_A_TERMINAL = f"""
import time
from gateformer.platforms.support.progress import output_console, working
from gateformer.platforms.support.text_output import text_output
output = output_console()
with working("synthesis"):
    time.sleep(0.3)
    with text_output(output) as emit:
        for piece in {TEXT!r}:
            emit(piece)
            time.sleep(0.03)
    time.sleep(0.3)
"""


def test_a_spinner_does_not_wipe_the_text_from_a_terminal():
    master, slave = pty.openpty()
    shown = []

    def read():
        try:
            while content := os.read(master, 4096):
                shown.append(content)
        except OSError:  # all have closed it
            pass

    reader = threading.Thread(target=read)
    reader.start()
    environment = {**os.environ, "TERM": "xterm"}
    subprocess.run(
        [sys.executable, "-c", ON_A_TERMINAL],
        stdout=slave,
        stderr=slave,
        env=environment,
        cwd=Path(__file__).parents[3],
        check=True,
    )
    os.close(slave)
    reader.join()
    os.close(master)
    screen = b"".join(shown).decode()
    before, text, after = screen.partition(TEXT.replace("\n", "\r\n"))
    assert text, screen
    assert "synthesis" in before and "synthesis" in after, "it goes on"
    assert before.endswith("\x1b[2K"), "nothing is left of it on the line"
