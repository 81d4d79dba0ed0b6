"""Progress of long work on stderr: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

Item = TypeVar("Item")
PLAIN_INTERVAL = 30.0
"""Seconds between two looks at what there is to say where there is no terminal."""
PLAIN_REPEAT = 120.0
"""Seconds after which the same is said again."""


@contextlib.contextmanager
def progress_lines(console: Console, what: Callable[[], str]) -> Iterator[None]:
    """Print the work that ``what()`` names, after PLAIN_INTERVAL whenever that has changed, and
    after every PLAIN_REPEAT; ``""``: nothing is to be said."""
    done, begun = threading.Event(), time.monotonic()

    def say():
        said, said_at = "", 0.0
        while not done.wait(PLAIN_INTERVAL):
            elapsed = time.monotonic() - begun
            text = what()
            if text and (text != said or elapsed - said_at >= PLAIN_REPEAT):
                said, said_at = text, elapsed
                console.print(f"{elapsed:.0f} s: {text} ...", markup=False, highlight=False)

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class ProgressBar(contextlib.AbstractContextManager):
    """Bars of (done, total) on a terminal, which go at the end; :func:`progress_lines` elsewhere.

    Parameters
    ----------
    console : Console
    """

    def __init__(self, console: Console):
        self._plain = not console.is_terminal
        self._progress = Progress(console=console, transient=True, disable=self._plain)
        self._shown = contextlib.ExitStack()
        self._last = ""
        self._console = console

    def __enter__(self) -> ProgressBar:
        if self._plain:
            self._shown.enter_context(progress_lines(self._console, lambda: self._last))
        else:
            self._shown.enter_context(self._progress)
        return self

    def __exit__(self, *_) -> None:
        self._shown.close()

    def task(self, what: str) -> Callable[[int, int], None]:
        """Function of (done, total) for one more bar, which shows when it is called."""
        task = self._progress.add_task(what, total=None, visible=False)

        def show(done: int, total: int) -> None:
            self._last = f"{what}, {done:,} of {total:,}"
            self._progress.update(task, completed=done, total=total, visible=True)

        return show


def track(items: Sequence[Item], what: str, console: Console) -> Iterator[Item]:
    """The items one by one, with a :class:`ProgressBar` of how many are done."""
    bar = ProgressBar(console)
    show = bar.task(what)
    with bar:
        for done, item in enumerate(items):
            show(done, len(items))
            yield item
        show(len(items), len(items))
