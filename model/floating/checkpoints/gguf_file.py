"""GGUF files: their settings and their tensors, whatever the model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...support.errors import UserError
from ...support.file_facts import Facts
from ...support.optional import require
from .gguf_blocks import DECODERS, split
from .native_blocks import NativeBlocks
from .safetensors_files import widened
from .stored import StoredTensor

if TYPE_CHECKING:
    from gguf import GGUFReader

FLOATS = ("F32", "F16", "BF16")
TOKENIZER = "tokenizer."
"""Settings that begin so are lists of all tokens, and are not read here."""


def read_file(path: Path) -> tuple[Facts, dict[str, StoredTensor]]:
    """(settings, tensors by their names).

    Raises UserError if it is no complete GGUF file, or naming a tensor of another format.
    """
    require({"gguf": "reading a GGUF file"}, "import")
    reader = _reader(path)
    try:
        content = {
            name: field.contents()
            for name, field in reader.fields.items()
            if not name.startswith(TOKENIZER)
        }
    except (ValueError, IndexError):
        raise _broken(path) from None
    stored = {}
    for tensor in reader.tensors:
        kind = tensor.tensor_type.name
        if kind not in FLOATS and kind not in DECODERS:
            raise UserError(
                f"{path}: tensor {tensor.name} must be {', '.join((*FLOATS, *DECODERS))}, not "
                f"{kind}; choose a file with these"
            )
        shape = tuple(int(size) for size in reversed(tensor.shape))
        load = partial(_load, kind, tensor.data, shape)
        stored[tensor.name] = StoredTensor(path, tensor.name, shape, load)
    return Facts(path, content), stored


def read_tokenizer(path: Path) -> dict[str, object]:
    """The settings of the tokenizer by their names, with its tokens; UserError as read_file."""
    require({"gguf": "reading a GGUF file"}, "import")
    reader = _reader(path)
    try:
        return {
            name: field.contents()
            for name, field in reader.fields.items()
            if name.startswith(TOKENIZER)
        }
    except (ValueError, IndexError):
        raise _broken(path) from None


def _reader(path: Path) -> GGUFReader:
    import gguf

    try:
        reader = gguf.GGUFReader(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, IndexError, KeyError, TypeError, OverflowError):
        raise _broken(path) from None
    if reader.endianess != gguf.GGUFEndian.LITTLE:
        raise UserError(f"{path} is big-endian; expected a little-endian GGUF file: convert it")
    return reader


def _broken(path: Path) -> UserError:
    return UserError(
        f"{path} is no GGUF file of version 2 or 3, or it is truncated; get it from its source "
        "again"
    )


def _load(kind: str, data: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | NativeBlocks:
    if kind == "BF16":
        return widened(np.ascontiguousarray(data).view("<u2")).reshape(shape)
    if kind in FLOATS:
        return data.reshape(shape)
    native = split(kind, data.reshape(-1, data.shape[-1]))
    return native if len(shape) == 2 else native.dequantize().reshape(shape)
