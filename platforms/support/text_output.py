"""Generated text on standard output, apart from what says the progress."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console

from .progress import paused


@contextlib.contextmanager
def text_output(console: Console) -> Iterator[Callable[[str], None]]:
    """A function that prints pieces of text, of which the last line is ended at the end.

    A terminal gets every piece at once, and no spinner meanwhile. Anything else gets whole lines,
    so that lines of the progress, which may go to the same file, stand between them.
    """
    at_once, begun = console.file.isatty(), ""

    def show(text: str) -> None:
        console.print(text, end="", markup=False, emoji=False, highlight=False, soft_wrap=True)

    def emit(piece: str) -> None:
        nonlocal begun
        if at_once:
            show(piece)
            return
        *lines, begun = (begun + piece).split("\n")
        if lines:
            show("\n".join((*lines, "")))

    with paused() if at_once else contextlib.nullcontext():
        try:
            yield emit
        finally:
            show(f"{begun}\n")
