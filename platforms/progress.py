"""Progress of long work, on stderr, and only on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

console = Console(stderr=True)

_active: list[Progress] = []


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Show a spinner with elapsed time beside ``what``; nests, and works from several threads."""
    if not _active:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            _active.append(progress)
            try:
                progress.add_task(what, total=None)
                yield
            finally:
                _active.remove(progress)
        return
    progress = _active[0]
    task = progress.add_task(what, total=None)
    try:
        yield
    finally:
        progress.remove_task(task)
