"""Directories that a command makes for its files, and takes away if there are none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from .errors import UserError


@contextlib.contextmanager
def made_directory(path: Path) -> Iterator[None]:
    """With a directory, made with its parents; those made here go at the end if they are empty.

    Raises UserError if it cannot be made or written to.
    """
    made = [place for place in (path, *path.parents) if not place.exists()]
    try:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"cannot make the directory {path}: {error.strerror}; choose a place where you may "
                "write"
            ) from None
        if not os.access(path, os.W_OK):
            raise UserError(
                f"cannot write to the directory {path}; choose a place where you may write"
            )
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty: its parents are not, either
            for place in made:
                place.rmdir()
