"""What long work says where there is no terminal."""

import io
import time

from rich.console import Console

from gateformer.model.support import progress as plain
from gateformer.platforms.support import progress


def test_long_work_says_lines_without_a_terminal(monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=output, soft_wrap=True))
    monkeypatch.setattr(plain, "PLAIN_INTERVAL", 0.02)
    with progress.working("synthesis") as show:
        time.sleep(0.2)
        with progress.working("inside"):
            show("synthesis, second part")
            time.sleep(0.2)
            with progress.working("inside"):
                time.sleep(0.2)
    assert [line.split(": ")[1] for line in output.getvalue().splitlines()] == [
        "synthesis ...",
        "synthesis, second part; inside ...",
    ]


def test_work_that_goes_on_is_said_again(monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=output, soft_wrap=True))
    monkeypatch.setattr(plain, "PLAIN_INTERVAL", 0.02)
    monkeypatch.setattr(plain, "PLAIN_REPEAT", 0.1)
    with progress.working("synthesis"):
        time.sleep(0.5)
    assert 2 <= output.getvalue().count("synthesis ...") <= 5


def test_short_work_is_silent_without_a_terminal(monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=output))
    with progress.working("synthesis"):
        pass
    assert not output.getvalue()
