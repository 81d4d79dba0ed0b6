"""Files that appear under their name only when they are complete and checked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx

from .errors import UserError


@contextlib.contextmanager
def complete_file(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary file's path beside ``path``, renamed to it unless the body raises.

    Raises UserError if the file cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a directory")
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def write_onnx(
    model: onnx.ModelProto, path: str | os.PathLike, check: Callable[[Path], str] | None
) -> str:
    """Write ``model`` and return what ``check`` says of the file; if it raises, nothing is left."""
    with complete_file(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
        return check(temporary) if check else ""
