"""What is exported: a gateformer artifact or a GPT-2 checkpoint, behind one face."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..contract.artifact import (
    FLOAT_FORMAT,
    FORMAT,
    Artifact,
    is_marked,
    open_model,
    weights_digest,
)
from ..contract.decoder.model import DecoderModel
from ..contract.integer_model import IntegerModel
from ..floating.checkpoints.hugging_face_config import CONFIG_FILE, FAMILIES
from ..floating.checkpoints.source import GPT2_TYPE
from ..floating.twin import FloatModel as NumpyFloatModel
from ..support.errors import UserError
from ..support.file_facts import read_json
from ..text.codec_arrays import from_arrays

DECODER_SUFFIXES = (".bin", ".gguf", ".pt")
DECODER_TYPES = tuple(name for name, family in FAMILIES.items() if family != GPT2_TYPE)

if TYPE_CHECKING:
    from torch import nn


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A model to export.

    Parameters
    ----------
    name : str
    integer : IntegerModel, DecoderModel of contract version 2, or None if it is a float model only
    load_float : function without arguments that gives the torch model (FloatModel, GPT2 or
        TorchDecoder), or None if there are no float weights; raises UserError naming a tensor that
        does not fit
    facts : dict of str to str, metadata of every export
    """

    name: str
    integer: IntegerModel | DecoderModel | None
    load_float: Callable[[], nn.Module] | None
    facts: dict[str, str]


def open_source(name: str) -> Source:
    """The source called ``name``: an artifact as in :func:`model.contract.artifact.open_model`, a
    float checkpoint (:mod:`model.floating.file`; activations that it quantizes are exported as
    floats), the path of a GPT-2 checkpoint: a directory, or a weights file with config.json beside
    it; or of another model that gateformer import takes.

    Raises UserError if there is none.
    """
    path = Path(name)
    if _is_decoder(path):
        return _decoder(path)
    if path.is_file() and is_marked(path, FLOAT_FORMAT):
        return _float_checkpoint(path)
    if path.is_dir() or (path.is_file() and not is_marked(path, FORMAT)):
        from ..floating.gpt2_checkpoint import find_checkpoint

        files = find_checkpoint(path)
        if files is not None:
            return _checkpoint(path, *files)
    return artifact_source(open_model(name, imported=True))


def artifact_source(artifact: Artifact) -> Source:
    """An artifact as a source; the floats of one of contract version 2 are those that its integers
    stand for."""
    model = artifact.model
    if isinstance(model, DecoderModel):
        return Source(artifact.name, model, lambda: dequantized_model(model), _facts_2(artifact))
    facts = {
        "name": artifact.name,
        "source": "gateformer artifact",
        "config": json.dumps(model.config.to_dict(), sort_keys=True),
        "vocabulary": json.dumps(model.vocabulary),
        "model_digest": model.digest,
    }
    load = (lambda: float_twin(artifact)) if artifact.float_weights else None
    return Source(artifact.name, model, load, facts)


def _facts_2(artifact: Artifact) -> dict[str, str]:
    model = artifact.model
    codec = from_arrays(model.vocabulary.arrays, model.vocabulary.facts)
    facts = {
        "name": artifact.name,
        "source": "gateformer artifact",
        "config": json.dumps(model.config.to_dict(), sort_keys=True),
        "model_digest": model.digest,
        "prefix": json.dumps(model.prefix),
    }
    if codec.kind == "characters":
        return facts | {"vocabulary": json.dumps([piece.decode() for piece in codec.pieces])}
    return facts | {"tokenizer": codec.tokenizer_json.decode()}


def dequantized_model(model: DecoderModel) -> nn.Module:
    """The floats of an integer decoder in torch."""
    from ..floating.dequantized import dequantize
    from ..floating.torch_decoder import TorchDecoder

    made = dequantize(model)
    return TorchDecoder.from_tensors(made.shape, made.tensors)


def float_twin(artifact: Artifact) -> nn.Module:
    """The artifact's float model in torch; UserError naming a tensor that does not fit."""
    from ..floating.torch_model import FloatModel

    weights = dict(artifact.float_weights)
    config = artifact.model.config
    NumpyFloatModel(config, weights)
    scale = weights.pop("logit_scale", None)
    if scale is not None:
        weights["final_norm.gain"] = weights["final_norm.gain"] * np.float32(scale)
    known = dict(FloatModel(config).named_parameters())
    for name in weights:
        if name not in known:
            raise UserError(f"float weight {name} is not supported; it is none of this model's")
    return FloatModel.from_weights(config, weights).eval()


def float_digest(model: nn.Module) -> str:
    """:func:`model.contract.artifact.weights_digest` of a torch model."""
    return weights_digest({name: p.detach().numpy() for name, p in model.named_parameters()})


def _is_decoder(path: Path) -> bool:
    """Whether the importer's readers know it, and not GPT-2's here, which also shares its text."""
    if path.is_file():
        return path.suffix in DECODER_SUFFIXES
    config = path / CONFIG_FILE
    return config.is_file() and read_json(config).content.get("model_type") in DECODER_TYPES


def _decoder(path: Path) -> Source:
    from ..floating.checkpoints.opening import open_source as open_decoder
    from ..floating.torch_decoder import TorchDecoder

    source = open_decoder(path)
    shape = dataclasses.asdict(source.shape) | {"bias": sorted(source.shape.bias)}
    facts = {
        "name": source.name,
        "source": source.kind,
        "config": json.dumps(shape, sort_keys=True),
    }

    def load() -> nn.Module:
        return TorchDecoder.from_tensors(source.shape, source.tensors)

    return Source(source.name, None, load, facts)


def _checkpoint(path: Path, config_path: Path, weights_path: Path) -> Source:
    from ..floating.gpt2_checkpoint import load_gpt2, read_vocabulary

    facts = {
        "name": path.absolute().name.removesuffix(".safetensors"),
        "source": "Hugging Face GPT2LMHeadModel",
        "config": json.dumps(read_json(config_path).content, sort_keys=True),
    }
    vocabulary = read_vocabulary(config_path.parent)
    if vocabulary is not None:
        facts["vocabulary"] = json.dumps(vocabulary)
    return Source(facts["name"], None, lambda: load_gpt2(config_path, weights_path), facts)


def _float_checkpoint(path: Path) -> Source:
    from ..floating.file import open_float

    source = open_float(path, activations=False)
    facts = {
        "name": source.name,
        "source": "gateformer float checkpoint",
        "config": json.dumps(source.layout.facts(), sort_keys=True),
        "vocabulary": json.dumps(source.vocabulary),
    }
    return Source(source.name, None, lambda: source.model.eval(), facts)
