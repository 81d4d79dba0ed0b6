"""Opening a model that people have: its directory or file tells which reader knows it."""

from __future__ import annotations

import os
from pathlib import Path

from ...contract.artifact import FLOAT_FORMAT, FORMAT, is_marked
from ...support.errors import UserError
from . import artifact_twin, gguf_model, llama2c, nanogpt
from .hugging_face import open_directory
from .source import SourceModel

EXPECTED = (
    "a Hugging Face directory (config.json and safetensors), a nanoGPT checkpoint (.pt), a "
    "llama2.c file (.bin) or a GGUF file"
)
_MAGIC_BYTES = 4


def open_source(path: str | os.PathLike) -> SourceModel:
    """The model at ``path``; its weights are read later, when they are asked for.

    Raises UserError naming the file, and the setting or tensor that is missing, wrong or not
    supported.
    """
    path = Path(path)
    if path.is_dir():
        return open_directory(path)
    if is_marked(path, FORMAT):
        return artifact_twin.open_twin(path)
    if is_marked(path, FLOAT_FORMAT):
        raise UserError(
            f"{path} is a float checkpoint of gateformer train-float; expected {EXPECTED}"
        )
    if path.suffix == ".safetensors" and path.is_file():
        raise UserError(
            f"{path} is a file of a Hugging Face directory; name the directory: {path.parent}"
        )
    try:
        with path.open("rb") as file:
            magic = file.read(_MAGIC_BYTES)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; expected {EXPECTED}") from None
    if magic == gguf_model.MAGIC:
        return gguf_model.open_file(path)
    if magic == nanogpt.MAGIC:
        return nanogpt.open_file(path)
    if llama2c.is_header(path):
        return llama2c.open_file(path)
    raise UserError(f"{path} is none of the models known here; expected {EXPECTED}")
