"""The artifact: one safetensors file with an integer model, all that hardware needs.

Models that were trained here (contract version 1, :mod:`.trained_file`) store weights as trit
planes, 5 trits in 8 bits; the float weights they were quantized from (the *float twin*,
:mod:`model.floating.twin`) may lie beside them. Imported ones (version 2, :mod:`.decoder`) store
codes. Loads with numpy alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
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
from . import arith
from .config import ModelConfig
from .decoder.model import SPEC_VERSION, DecoderModel
from .decoder.random_spec import decoder_settings, random_spec_model
from .decoder.reading import decoder_from_parts
from .decoder.tensors import scalars, tensors
from .integer_model import IntegerModel
from .random_model import RANDOM_PREFIX, random_model
from .trained_file import trained_from_parts, trained_tensors

FORMAT = "gateformer"
"""Key of the metadata entry, a JSON object, that makes a safetensors file an artifact."""

FLOAT_FORMAT = "gateformer-float"
"""The same of a float checkpoint (:mod:`model.floating.file`)."""

FLOAT_PREFIX = "float."
SHIPPED = Path(__file__).parents[1] / "artifacts"
SUFFIX = ".safetensors"
VERSIONS = (arith.SPEC_VERSION, SPEC_VERSION)
LOSSES = ("val_loss_int", "val_loss_float")
"""Entries of ``info``: validation losses in nats per character, of the integers and the floats."""


@dataclasses.dataclass(frozen=True, eq=False)
class Artifact:
    """A loaded artifact.

    Parameters
    ----------
    name : str, the file's name without suffix, or the specification of a random model
    model : IntegerModel, or DecoderModel of an imported one
    float_weights : dict of name to float32 array; empty if the file has none
    info : dict, JSON facts about the training
    sha256 : str, hex digest of the file; empty for a random model
    """

    name: str
    model: IntegerModel | DecoderModel
    float_weights: dict[str, np.ndarray]
    info: dict
    sha256: str


def save(
    path: str | os.PathLike,
    model: IntegerModel | DecoderModel,
    float_weights: dict[str, np.ndarray] | None = None,
    info: dict | None = None,
) -> None:
    """Write an artifact; the same arguments give the same bytes.

    The file appears under its name only when it is complete. ``info`` must be JSON-ready.
    Raises UserError if the file cannot be written.
    """
    imported = isinstance(model, DecoderModel)
    stored = tensors(model) if imported else trained_tensors(model)
    floats = {n: np.asarray(a, np.float32, order="C") for n, a in (float_weights or {}).items()}
    stored |= {FLOAT_PREFIX + name: array for name, array in floats.items()}
    facts = {
        "spec_version": model.config.spec_version,
        "config": model.config.to_dict(),
        "scalars": scalars(model) if imported else model.scalars(),
        "info": info or {},
        "digest": model.digest,
        "float_digest": weights_digest(floats),
    }
    # One entry only: safetensors writes several in random order.
    metadata = {FORMAT: json.dumps(facts, sort_keys=True)}
    write_whole(Path(path), safetensors.numpy.save(stored, metadata))


def weights_digest(weights: Mapping[str, np.ndarray]) -> str:
    """SHA-256 (hex) over names, shapes and values."""
    hasher = hashlib.sha256()
    for name, array in sorted(weights.items()):
        hasher.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()


def is_marked(path: str | os.PathLike, entry: str) -> bool:
    """Whether a file says that it is one of ours: :data:`FORMAT`, or :data:`FLOAT_FORMAT`."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return entry in (file.metadata() or {})
    except (safetensors.SafetensorError, OSError):
        return False


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
        arrays = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, KeyError, ValueError):
        raise UserError(
            f"{path} is no safetensors file, or it is truncated; of a model in another format "
            "gateformer import makes an artifact"
        ) from None
    facts = _read_facts(path, content)
    version = facts.integer("spec_version", 0)
    if version not in VERSIONS:
        known = " and ".join(map(str, VERSIONS))
        raise UserError(
            f"{path} has spec version {version}, but this program has {known}; train or import the "
            "model again"
        )
    info, digest = _checked_info(facts), facts.text("digest")
    try:
        config = ModelConfig.from_dict(facts.table("config").content)
        if config.spec_version != version:
            raise UserError(f"config is of spec version {config.spec_version}, not {version}")
        _check_types(arrays, version)
        settings = facts.table("scalars")
        if version == SPEC_VERSION:
            integers = {n: a for n, a in arrays.items() if not n.startswith(FLOAT_PREFIX)}
            model = decoder_from_parts(config, integers, settings)
        else:
            model = trained_from_parts(config, arrays, settings)
    except UserError as error:
        raise UserError(_naming(path, error)) from None
    float_weights = {
        name.removeprefix(FLOAT_PREFIX): array
        for name, array in arrays.items()
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


def open_model(name: str, imported: bool = False, instead: str = "") -> Artifact:
    """The artifact of a shipped model's name, a path, or ``random:…``
    (:mod:`model.contract.random_model`).

    Raises UserError if there is no such model (listing the shipped ones), if it cannot be loaded,
    or if it is of contract version 2 and the caller does not take those (``imported``); ``instead``
    is the command that does.
    """
    artifact = _open(os.fspath(name))
    if isinstance(artifact.model, DecoderModel) and not imported:
        raise UserError(
            f"{name} is of number contract version 2 (imported, or trained in another "
            "architecture), and this is for models of version 1 only"
            + (f"; for yours there is {instead}" if instead else "")
        )
    return artifact


def _open(name: str) -> Artifact:
    if name.startswith(RANDOM_PREFIX):
        return Artifact(name, _random(name), {}, {"spec": name}, "")
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


def _random(name: str) -> IntegerModel | DecoderModel:
    settings = decoder_settings(name)
    return random_model(name) if settings is None else random_spec_model(settings)


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


def _check_types(arrays: Mapping[str, np.ndarray], version: int) -> None:
    """UserError for a tensor of another type than its contract says, or not finite."""
    for name, array in arrays.items():
        if name.startswith(FLOAT_PREFIX):
            expected = np.float32
        elif version == SPEC_VERSION:
            continue  # as it is read
        else:
            expected = np.uint8 if name.endswith((".trits", ".mult")) else np.int8
        if array.dtype != expected:
            raise UserError(f"tensor {name} must hold {np.dtype(expected)}, not {array.dtype}")
        if array.dtype == np.float32 and not np.isfinite(array).all():
            raise UserError(f"tensor {name} holds numbers that are not finite")


def _naming(path: Path, error: UserError) -> str:
    """The error, with the file it is about; Facts name it themselves."""
    return str(error) if str(error).startswith(str(path)) else f"{path}: {error}"


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
