"""Hugging Face directories: config.json and safetensors."""

from __future__ import annotations

from pathlib import Path

from ...support.errors import UserError
from ...support.file_facts import read_json
from . import gpt2_names, llama_names, neox_names
from .hugging_face_config import CONFIG_FILE, FAMILIES, read_shape
from .safetensors_files import read_directory
from .source import GPT2_TYPE, LLAMA_TYPE, NEOX_TYPE, SourceModel
from .stored import Binder, StoredTensor, equal

KIND = "Hugging Face directory"


def open_directory(directory: Path) -> SourceModel:
    """The model of a directory with config.json.

    Raises UserError naming the setting, file or tensor that is missing, wrong or not supported.
    """
    path = directory / CONFIG_FILE
    if not path.is_file():
        raise UserError(
            f"{directory} has no {CONFIG_FILE}; expected a model's directory as Hugging Face has it"
        )
    settings = read_json(path)
    model_type, shape = read_shape(settings)
    family, names = FAMILIES[model_type], _NAMES[FAMILIES[model_type]]
    stored = read_directory(directory)
    prefixed = {name.removeprefix(names.PREFIX): tensor for name, tensor in stored.items()}
    if len(prefixed) < len(stored):
        raise UserError(f"{directory} has tensors with and without the prefix {names.PREFIX!r}")
    binder = Binder(directory, family, shape, prefixed)
    names.bind(binder, shape)
    if shape.tied_head and names.HEAD in prefixed:
        _check_tied(prefixed[names.HEAD], prefixed.get(names.EMBEDDING))
        binder.ignore(names.HEAD)
    return SourceModel(directory.resolve().name, KIND, family, shape, binder.tensors())


_NAMES = {GPT2_TYPE: gpt2_names, LLAMA_TYPE: llama_names, NEOX_TYPE: neox_names}


def _check_tied(head: StoredTensor, embedding: StoredTensor | None) -> None:
    if embedding is not None and not equal(head, embedding):
        raise UserError(
            f"{head} differs from {embedding.name}, though {CONFIG_FILE} has tie_word_embeddings "
            "true; say false there if the model has a head of its own"
        )
