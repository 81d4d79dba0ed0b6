"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from .errors import UserError, write_error
from .inputs import refuse_replacing


@contextlib.contextmanager
def complete_file(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary file's path beside ``path``, renamed to it unless the body raises.

    Raises UserError if the file cannot be written, or is what the command reads
    (:mod:`model.support.inputs`).
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        if path.is_dir():
            raise UserError(f"cannot write {path}: it is a directory")
        if path.exists() and not path.is_file():
            raise UserError(f"cannot write {path}: it is a device or the like, no file")
        refuse_replacing(path)
        yield temporary
        _to_disk(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(f"write {path}", error) from None
    finally:
        temporary.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Some file systems tell only now that there was no room for what was written."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def all_or_none(paths: Iterable[Path]) -> Iterator[None]:
    """With files that belong together: those of ``paths`` are removed if the body raises."""
    paths = list(paths)
    try:
        yield
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)
        raise


def write_whole(path: str | os.PathLike, content: bytes | memoryview | str) -> None:
    """Write a file, text as UTF-8, that is either absent, old or complete.

    Raises UserError if it cannot be written.
    """
    with complete_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
