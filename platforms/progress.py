"""Progress of long work, on stderr, and only on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

PLAIN_WIDTH = 110
"""Columns of tables that go to a file or a pipe."""

console = Console(stderr=True, soft_wrap=True)

_active: list[Progress] = []


def output_console() -> Console:
    """Console of standard output: results, where ``console`` has progress and notes."""
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)


@contextlib.contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner with elapsed time beside ``what``; nests, and works from several threads.

    The result shows another text from then on.
    """
    if not _active:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        quiet = not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
            _active.append(progress)
            try:
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


def _shown(progress: Progress, what: str):
    task = progress.add_task(what, total=None)
    return task, lambda text: progress.update(task, description=text)
