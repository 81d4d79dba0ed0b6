"""Where a command writes: its directories, which it removes if they stay empty, and its files."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import UserError, write_error
from .inputs import refuse_replacing


def require_writable(
    out: str | os.PathLike,
    suffixes: str | Sequence[str],
    option: str = "--out",
    /,
    **inputs: str | os.PathLike | None,
) -> None:
    """Raise UserError unless a file can be written as ``out``, which stays as it is.

    ``suffixes``: those of files like what is written. A new file may have any name, but no file of
    another kind is replaced. ``option``: what named ``out``. ``inputs``: what the command reads,
    by the names of its options, besides what it said before
    (:func:`model.support.inputs.reading`); ``out`` must be none of them.
    """
    out = Path(out)
    if out.is_dir():
        raise UserError(f"{option} {out} is a directory; name the file to write in it")
    if out.exists() and not out.is_file():
        raise UserError(f"{option} {out} is a device or the like; name a file")
    refuse_replacing(out, option, **inputs)
    _refuse_another_kind(out, (suffixes,) if isinstance(suffixes, str) else suffixes, option)
    if not out.absolute().parent.is_dir():
        raise UserError(f"directory {out.parent} of {option} does not exist; create it first")
    try:
        with tempfile.TemporaryFile(dir=out.absolute().parent):
            pass
    except OSError as error:
        if error.errno == errno.ENOENT:  # although there is the directory: one of the system's own
            raise UserError(
                f"no file can be made in the directory {out.parent} of {option}; choose another "
                "place"
            ) from None
        raise write_error(f"write to the directory {out.parent} of {option}", error) from None


def _refuse_another_kind(out: Path, suffixes: Sequence[str], option: str) -> None:
    if out.exists() and out.suffix.lower() not in suffixes:
        raise UserError(
            f"{option} {out} exists and is no {' or '.join(suffixes)} file; name another, or "
            "remove it first"
        )


@contextlib.contextmanager
def made_directory(path: Path) -> Iterator[None]:
    """With a directory, made with its parents; those made here go at the end if they are empty.

    Raises UserError if it cannot be made or written to.
    """
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise UserError(f"{place} is a file, where a directory is needed; name another")
    made = [place for place in (path, *path.parents) if not place.exists()]
    try:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(f"make the directory {path}", error) from None
        if not os.access(path, os.W_OK):
            raise UserError(
                f"cannot write to the directory {path}; choose a place where you may write"
            )
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty: its parents are not, either
            for place in made:
                place.rmdir()
