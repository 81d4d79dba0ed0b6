"""Files that appear under their name only when they are complete and checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import onnx

from ..support.whole_file import complete_file


def write_onnx(
    model: onnx.ModelProto, path: str | os.PathLike, check: Callable[[Path], str] | None
) -> str:
    """Write ``model`` and return what ``check`` says of the file; if it raises, nothing is left."""
    with complete_file(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
        return check(temporary) if check else ""
