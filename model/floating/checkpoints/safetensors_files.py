"""Tensors of safetensors files, mapped: one file, or shards that an index lists."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import safetensors

from ...support.errors import UserError
from ...support.file_facts import read_json
from .stored import StoredTensor

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
WIDTHS = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
"""Formats of floats, and how numpy reads them: it has no BF16 of its own."""
_LENGTH_BYTES = 8
"""Of the header's length, with which a file begins."""


def read_directory(directory: Path) -> dict[str, StoredTensor]:
    """The tensors of a directory by their names.

    Raises UserError naming the file that is missing or no complete safetensors file, or the tensor
    that its shard lacks.
    """
    index = directory / INDEX_FILE
    if not index.is_file():
        if not (directory / WEIGHTS_FILE).is_file():
            raise UserError(
                f"{directory} has neither {WEIGHTS_FILE} nor {INDEX_FILE}; expected a model in "
                "safetensors files: get them from its source"
            )
        return read_file(directory / WEIGHTS_FILE)
    places = read_json(index).table("weight_map")
    shards = {places.text(name): None for name in places}
    tensors: dict[str, StoredTensor] = {}
    for shard in sorted(shards):
        if Path(shard).name != shard or not (directory / shard).is_file():
            raise UserError(
                f"{index}: the shard {shard} is missing beside it; get it from the model's source"
            )
        found = read_file(directory / shard)
        shards[shard] = found
        tensors |= found
    for name in places:
        if name not in shards[places.text(name)]:
            raise UserError(
                f"{directory / places.text(name)}: tensor {name} is missing, though "
                f"{INDEX_FILE} lists it; get the file from the model's source again"
            )
        tensors[name] = shards[places.text(name)][name]
    return tensors


def read_file(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one file; UserError if it is no complete safetensors file."""
    try:
        with safetensors.safe_open(path, framework="numpy"):
            pass  # which checks the header, and that the tensors fill the file
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            header = json.loads(file.read(length))
    except (safetensors.SafetensorError, OSError, ValueError):
        raise UserError(
            f"{path} is no safetensors file, or it is truncated; get it from its source again"
        ) from None
    header.pop("__metadata__", None)
    tensors = {}
    for name, facts in header.items():
        shape = tuple(facts["shape"])
        place = (_LENGTH_BYTES + length + facts["data_offsets"][0], shape)
        load = partial(_load, path, name, facts["dtype"], *place)
        tensors[name] = StoredTensor(path, name, shape, load)
    return tensors


def _load(path: Path, name: str, kind: str, offset: int, shape: tuple[int, ...]) -> np.ndarray:
    if kind not in WIDTHS:
        raise UserError(
            f"{path}: tensor {name} must hold {', '.join(WIDTHS)}, not {kind}; save the model in "
            "one of them"
        )
    if 0 in shape:
        return np.zeros(shape, np.float32)
    try:
        array = np.memmap(path, WIDTHS[kind], "r", offset, shape)
    except (OSError, ValueError):
        raise UserError(f"cannot read {path}: it changed since it was opened") from None
    return widened(array) if kind == "BF16" else array


def widened(halves: np.ndarray) -> np.ndarray:
    """BF16, as uint16, to float32 of the same shape: its upper halves."""
    return (halves.astype(np.uint32) << 16).view(np.float32)
