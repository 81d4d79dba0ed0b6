"""The artifact: one safetensors file with a trained integer model, all that hardware needs.

Weights are stored as trit planes, 5 trits in 8 bits (:mod:`model.contract.trit_codec`); the float
weights the model was quantized from (the *float twin*, :mod:`model.floating.twin`) may lie beside
them. Loads with numpy alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from ..support import inputs
from ..support.errors import UserError
from ..support.file_facts import Facts
from ..support.whole_file import write_whole
from . import arith, trit_codec
from .config import ModelConfig
from .integer_model import IntegerModel
from .random_model import RANDOM_PREFIX, random_model

FORMAT = "gateformer"
"""Key of the metadata entry, a JSON object, that makes a safetensors file an artifact."""

FLOAT_FORMAT = "gateformer-float"
"""The same of a float checkpoint (:mod:`model.floating.file`)."""

FLOAT_PREFIX = "float."
SHIPPED = Path(__file__).parents[1] / "artifacts"
SUFFIX = ".safetensors"
LOSSES = ("val_loss_int", "val_loss_float")
"""Entries of ``info``: validation losses in nats per character, of the integers and the floats."""


@dataclasses.dataclass(frozen=True, eq=False)
class Artifact:
    """A loaded artifact.

    Parameters
    ----------
    name : str, the file's name without suffix, or the specification of a random model
    model : IntegerModel
    float_weights : dict of name to float32 array; empty if the file has none
    info : dict, JSON facts about the training
    sha256 : str, hex digest of the file; empty for a random model
    """

    name: str
    model: IntegerModel
    float_weights: dict[str, np.ndarray]
    info: dict
    sha256: str


def save(
    path: str | os.PathLike,
    model: IntegerModel,
    float_weights: dict[str, np.ndarray] | None = None,
    info: dict | None = None,
) -> None:
    """Write an artifact; the same arguments give the same bytes.

    The file appears under its name only when it is complete. ``info`` must be JSON-ready.
    Raises UserError if the file cannot be written.
    """
    tensors = _pack_tensors(model)
    floats = {n: np.asarray(a, np.float32, order="C") for n, a in (float_weights or {}).items()}
    tensors |= {FLOAT_PREFIX + name: array for name, array in floats.items()}
    facts = {
        "spec_version": arith.SPEC_VERSION,
        "config": model.config.to_dict(),
        "scalars": model.scalars(),
        "info": info or {},
        "digest": model.digest,
        "float_digest": weights_digest(floats),
    }
    # One entry only: safetensors writes several in random order.
    metadata = {FORMAT: json.dumps(facts, sort_keys=True)}
    write_whole(Path(path), safetensors.numpy.save(tensors, metadata))


def resave(path: str | os.PathLike) -> None:
    """Write an artifact again as :func:`save` does now: an older one gets its ``float_digest``."""
    loaded = load(path)
    save(path, loaded.model, loaded.float_weights, loaded.info)


def weights_digest(weights: Mapping[str, np.ndarray]) -> str:
    """SHA-256 (hex) over names, shapes and values."""
    hasher = hashlib.sha256()
    for name, array in sorted(weights.items()):
        hasher.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()


def load(path: str | os.PathLike) -> Artifact:
    """Read an artifact and check it.

    Raises
    ------
    UserError
        If the file is missing, truncated, no artifact, of another version of the arithmetic
        contract, damaged, or holds tensors that are no valid IntegerModel.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; expected an artifact ({SUFFIX})") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    try:
        tensors = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, KeyError, ValueError):
        raise UserError(f"{path} is no safetensors file, or it is truncated") from None
    facts = _read_facts(path, content)
    version = facts.integer("spec_version", 0)
    if version != arith.SPEC_VERSION:
        raise UserError(
            f"{path} has spec version {version}, but this program has {arith.SPEC_VERSION}; train "
            "or convert the model again"
        )
    shape, info, digest = facts.table("config"), _checked_info(facts), facts.text("digest")
    try:
        config = ModelConfig.from_dict(shape.content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    scalars = _checked_scalars(config, facts.table("scalars"))
    _check_types(path, tensors)
    try:
        model = IntegerModel.from_parts(config, _unpack_tensors(config, tensors), scalars)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    float_weights = {
        name.removeprefix(FLOAT_PREFIX): array
        for name, array in tensors.items()
        if name.startswith(FLOAT_PREFIX)
    }
    _check_digest(path, "digest", model.digest, digest)
    if "float_digest" in facts:  # older artifacts do not say what their float weights are
        _check_digest(
            path, "float digest", weights_digest(float_weights), facts.text("float_digest")
        )
    sha256 = hashlib.sha256(content).hexdigest()
    return Artifact(path.name.removesuffix(SUFFIX), model, float_weights, info, sha256)


def _check_digest(path: Path, kind: str, found: str, said: str) -> None:
    if found != said:
        raise UserError(f"{path} is damaged: its {kind} is {found[:16]}…, but it says {said[:16]}…")


def shipped_file(name: str) -> Path:
    """Where a model of that name is, if it is shipped."""
    return SHIPPED / (name + SUFFIX)


inputs.files_of_names(shipped_file)


def shipped_models() -> list[str]:
    """Names of the models that come with the program, sorted."""
    return sorted(path.name.removesuffix(SUFFIX) for path in SHIPPED.glob(f"*{SUFFIX}"))


def open_model(name: str) -> Artifact:
    """The artifact of a shipped model's name, a path, or ``random:…``
    (:mod:`model.contract.random_model`).

    Raises UserError if there is no such model (listing the shipped ones) or it cannot be loaded.
    """
    name = os.fspath(name)
    if name.startswith(RANDOM_PREFIX):
        return Artifact(name, random_model(name), {}, {"spec": name}, "")
    if name in shipped_models():
        return load(shipped_file(name))
    if name and Path(name).is_dir():
        raise UserError(f"model {name!r} is a directory; name the artifact file in it")
    if not Path(name).is_file():
        known = ", ".join(shipped_models()) or "none"
        raise UserError(
            f"no model {name!r}: there is no such file, and the shipped models are: {known}; "
            f"'{RANDOM_PREFIX}…' makes a random one"
        )
    return load(name)


def _pack_tensors(model: IntegerModel) -> dict[str, np.ndarray]:
    """The model's tensors with every ``….weight`` replaced by ``….trits`` [digits, bytes]."""
    tensors = model.tensors()
    for name, matrix in model.matrices.items():
        del tensors[f"{name}.weight"]
        planes = trit_codec.to_digits(matrix.weight, matrix.digits)
        tensors[f"{name}.trits"] = np.stack([trit_codec.pack_5in8(plane) for plane in planes])
    return tensors


def _unpack_tensors(config: ModelConfig, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    tensors = dict(tensors)
    for name in config.matrix_names():
        key = f"{name}.trits"
        if key not in tensors:
            raise UserError(f"tensor {key} is missing from the model")
        packed, digits, shape = tensors.pop(key), config.digits_of(name), config.matrix_shape(name)
        if packed.ndim != 2 or len(packed) != digits:
            raise UserError(f"{key} must have {digits} planes, but has shape {packed.shape}")
        try:
            planes = [trit_codec.unpack_5in8(plane, math.prod(shape)) for plane in packed]
        except UserError as error:
            raise UserError(f"{key}: {error}") from None
        tensors[f"{name}.weight"] = trit_codec.from_digits(np.stack(planes)).reshape(shape)
    return tensors


def _checked_scalars(config: ModelConfig, facts: Facts) -> dict:
    """What :meth:`.IntegerModel.scalars` gave, each of its kind and in its range."""
    shifts, scores = facts.table("shifts"), facts.items("score_shifts")
    texts = facts.items("vocabulary")
    return {
        "token_mult": facts.integer("token_mult", 1, arith.MULT_MAX),
        "position_mult": facts.integer("position_mult", 1, arith.MULT_MAX),
        "shifts": {
            name: shifts.integer(name, 0, arith.MAX_SHIFT)
            for name in (*config.matrix_names(), *config.norm_names())
        },
        "score_shifts": [scores.integer(name, 0, arith.MAX_SHIFT) for name in scores],
        "logit_scale": facts.number("logit_scale", positive=True),
        "vocabulary": [texts.text(name) for name in texts],
    }


def _checked_info(facts: Facts) -> dict:
    """The facts about the training; those that are used here are of their kind."""
    info = facts.table("info")
    for name in LOSSES:
        info.number(name, default=None)
    corpus = info.table("corpus", default=None)
    if corpus is not None:
        for name in ("name", "sha256"):
            corpus.text(name)
    return info.content


def _check_types(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """UserError for a tensor of another type than docs/number_contract.md says, or not finite."""
    for name, array in tensors.items():
        floats = name.startswith(FLOAT_PREFIX)
        kind = "uint8" if name.endswith((".trits", ".mult")) else "int8"
        if str(array.dtype) != ("float32" if floats else kind):
            expected = "float32" if floats else kind
            raise UserError(f"{path}: tensor {name} must hold {expected}, not {array.dtype}")
        if floats and not np.isfinite(array).all():
            raise UserError(f"{path}: tensor {name} holds numbers that are not finite")


def _read_facts(path: Path, content: bytes) -> Facts:
    """The artifact's JSON metadata out of a valid safetensors file."""
    header_size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + header_size])
    entry = header.get("__metadata__", {}).get(FORMAT, "null")
    try:
        known = isinstance(json.loads(entry), dict)
    except (ValueError, RecursionError):
        known = False
    if not known:
        raise UserError(
            f"{path} is a safetensors file, but no gateformer artifact; write one with gateformer "
            "train"
        )
    return Facts.parse(path, entry)
