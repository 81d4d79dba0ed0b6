"""What a bar says where there is no terminal."""

import io
import time

from rich.console import Console

from gateformer.model.support import progress


def said(monkeypatch, seconds: float, interval: float) -> list[str]:
    output = io.StringIO()
    monkeypatch.setattr(progress, "PLAIN_INTERVAL", interval)
    with progress.ProgressBar(Console(file=output)) as bar:
        show = bar.task("ranges")
        show(3, 1200)
        time.sleep(seconds)
    return output.getvalue().splitlines()


def test_lines_without_a_terminal(monkeypatch):
    assert said(monkeypatch, 0.2, 0.02) == ["0 s: ranges, 3 of 1,200 ..."]


def test_nothing_of_short_work(monkeypatch):
    assert said(monkeypatch, 0, 30) == []
