"""Progress of long work, on stderr: a spinner on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateformer.model.support.progress import progress_lines
from gateformer.model.support.terminal import Terminal

PLAIN_WIDTH = 110
"""Columns of tables that go to a file or a pipe."""
UNWRAPPED = 1000
"""The same of tables whose names must stay whole."""

console = Terminal(stderr=True, soft_wrap=True)

_active: list[Progress] = []


def output_console(plain_width: int = PLAIN_WIDTH) -> Console:
    """Console of standard output: results, where ``console`` has progress and notes.

    ``plain_width`` is that of its tables where there is no terminal.
    """
    return Terminal(width=None if sys.stdout.isatty() else plain_width)


@contextlib.contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner with elapsed time beside ``what``; nests, and works from several threads.

    Without a terminal, what takes long is said in one line for all that run
    (:func:`model.support.progress.progress_lines`). The result shows another text from then on.
    """
    if not _active:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
        )
        quiet = not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=quiet) as progress:

            def running() -> str:
                return "; ".join(dict.fromkeys(task.description for task in progress.tasks))

            _active.append(progress)
            try:
                with progress_lines(console, running) if quiet else contextlib.nullcontext():
                    yield _shown(progress, what)[1]
            finally:
                _active.remove(progress)
        return
    progress = _active[0]
    task, show = _shown(progress, what)
    try:
        yield show
    finally:
        progress.remove_task(task)


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Without spinners, for what writes to the terminal by itself; their work goes on."""
    shown = [progress for progress in _active if not progress.disable]
    for progress in shown:
        progress.stop()
    try:
        yield
    finally:
        for progress in shown:
            progress.start()


def _shown(progress: Progress, what: str):
    task = progress.add_task(what, total=None)
    return task, lambda text: progress.update(task, description=text)
