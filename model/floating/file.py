"""Float models in files: the twin inside an artifact, or a float checkpoint that compression wrote.

A float checkpoint is a safetensors file of the model's state dict; a quantized weight is stored as
int8 ``NAME`` and float32 ``NAME.step`` and multiplied out when it is read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..contract import artifact
from ..contract.decoder.model import DecoderModel
from ..support.errors import UserError
from ..support.file_facts import Facts
from ..support.whole_file import write_whole
from ..text.codec_arrays import from_arrays
from ..text.tokenizer import CharTokenizer
from .checkpoints.artifact_twin import twin_of
from .decoder_layout import layout_and_state
from .fake_quant import attach_activations
from .gpt2_checkpoint import VOCABULARY_FILE, find_checkpoint, load_gpt2, read_vocabulary
from .structure import Compressible, layout_from_facts, layout_of

STEP_SUFFIX = ".step"


@dataclasses.dataclass(frozen=True, eq=False)
class FloatSource:
    """A float model and what belongs to it.

    ``vocabulary`` is that of :class:`model.text.tokenizer.CharTokenizer`; ``path`` the file,
    ``sha256`` its hex digest.
    """

    name: str
    model: nn.Module
    layout: Compressible
    vocabulary: tuple[str, ...]
    path: Path
    sha256: str


def save_float(
    path: Path,
    layout: Compressible,
    state: dict[str, Tensor],
    vocabulary,
    integers: dict[str, tuple[Tensor, Tensor]] | None = None,
    activation_steps: dict[str, float] | None = None,
    info: dict | None = None,
):
    """Write a float checkpoint; the file appears under its name only when it is complete.

    Parameters
    ----------
    state : float32 state dict of ``layout``'s model
    integers : (int8, step) of the weights in ``state`` that are quantized, by name
    activation_steps : steps of the quantized activations, by the layout's names
    info : JSON-ready facts

    Raises UserError if the file cannot be written.
    """
    tensors = {name: tensor.detach().contiguous() for name, tensor in state.items()}
    for name, (values, step) in (integers or {}).items():
        tensors[name], tensors[name + STEP_SUFFIX] = values.contiguous(), step.contiguous()
    facts = {
        **layout.facts(),
        "vocabulary": list(vocabulary),
        "activation_steps": activation_steps,
        "info": info or {},
    }
    metadata = {artifact.FLOAT_FORMAT: json.dumps(facts, sort_keys=True)}
    write_whole(path, safetensors.torch.save(tensors, metadata))


def open_float(name: str | os.PathLike, activations: bool = True) -> FloatSource:
    """The float model of a shipped model's name, an artifact, a float checkpoint or a directory
    with a GPT-2 checkpoint (:mod:`model.floating.gpt2_checkpoint`) whose tokens are characters.

    Without ``activations`` those that a checkpoint quantizes are left float.

    Raises UserError if there is none, a weight is missing or has another shape than the model, or
    the file is damaged.
    """
    name = os.fspath(name)
    shipped = name in artifact.shipped_models()
    path = artifact.SHIPPED / (name + artifact.SUFFIX) if shipped else Path(name)
    if path.is_dir():
        return _open_gpt2(path)
    facts = _read_facts(path)
    if facts is not None:
        return _open_checkpoint(path, facts, activations)
    loaded = artifact.load(path)
    if isinstance(loaded.model, DecoderModel):
        return _open_decoder(path, loaded)
    if not loaded.float_weights:
        raise UserError(f"{name} has no float weights; give an artifact with a float twin")
    layout = Compressible(loaded.model.config)
    state = {key: torch.tensor(array) for key, array in loaded.float_weights.items()}
    model = layout.build()
    _load(name, model, state)
    return FloatSource(loaded.name, model, layout, loaded.model.vocabulary, path, loaded.sha256)


def _open_decoder(path: Path, loaded: artifact.Artifact) -> FloatSource:
    twin = twin_of(loaded)
    if twin is None:
        raise UserError(
            f"{path} was imported and keeps no float weights, which this trains or measures; for "
            "other weights import its source again, with --bits or --bits auto"
        )
    codec = from_arrays(loaded.model.vocabulary.arrays, loaded.model.vocabulary.facts)
    if codec.kind != "characters":
        raise UserError(f"{path} has a vocabulary of pieces; compression needs characters")
    layout, state = layout_and_state(twin)
    model = layout.build()
    _load(str(path), model, state)
    vocabulary = tuple(piece.decode() for piece in codec.pieces)
    return FloatSource(loaded.name, model, layout, vocabulary, path, loaded.sha256)


def _open_gpt2(directory: Path) -> FloatSource:
    files = find_checkpoint(directory)
    vocabulary = read_vocabulary(directory)
    if vocabulary is None:
        raise UserError(f"{directory} has no {VOCABULARY_FILE}; compression needs the characters")
    CharTokenizer(vocabulary)
    model = load_gpt2(*files)
    layout = layout_of(model)
    if len(vocabulary) != layout.shape.vocab_size:
        raise UserError(
            f"{directory / VOCABULARY_FILE} has {len(vocabulary)} tokens, "
            f"but the model has {layout.shape.vocab_size}"
        )
    digest = hashlib.sha256(files[1].read_bytes()).hexdigest()
    name = directory.absolute().name
    return FloatSource(name, model, layout, tuple(vocabulary), directory, digest)


def _open_checkpoint(path: Path, facts: Facts, activations: bool) -> FloatSource:
    texts = facts.items("vocabulary")
    vocabulary = tuple(texts.text(name) for name in texts)
    try:
        layout = layout_from_facts(facts)
    except UserError as error:
        raise UserError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    steps = _activation_steps(facts, layout)
    content = path.read_bytes()
    state = safetensors.torch.load(content)
    for name, tensor in state.items():
        _check_finite(path, name, tensor)
    for name in [name for name in state if name.endswith(STEP_SUFFIX)]:
        _multiply_out(path, name.removesuffix(STEP_SUFFIX), state)
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            raise UserError(f"{path}: tensor {name} is int8, but {name}{STEP_SUFFIX} is missing")
    model = layout.build()
    _load(str(path), model, state)
    if activations and steps is not None:
        attach_activations(model, layout, steps)
    digest = hashlib.sha256(content).hexdigest()
    name = path.name.removesuffix(artifact.SUFFIX)
    return FloatSource(name, model, layout, vocabulary, path, digest)


def _activation_steps(facts: Facts, layout: Compressible) -> dict[str, float] | None:
    """Steps of the quantized activations by the layout's names; None if they are floats."""
    steps = facts.table("activation_steps", default=None)
    if steps is None:
        return None
    return {name: steps.number(name, positive=True) for name in layout.activations()}


def _multiply_out(path: Path, weight: str, state: dict[str, Tensor]) -> None:
    """Replace a quantized weight and its step [out, 1] or [1, 1] in ``state`` by their product."""
    step = state.pop(weight + STEP_SUFFIX)
    if weight not in state:
        raise UserError(f"{path}: tensor {weight} is missing, but {weight}{STEP_SUFFIX} is there")
    integers = state[weight]
    if tuple(step.shape) not in ((1, 1), (*integers.shape[:1], 1)) or not (step > 0).all():
        raise UserError(
            f"{path}: tensor {weight}{STEP_SUFFIX} must hold positive numbers of shape "
            f"{(*integers.shape[:1], 1)} or (1, 1), but has shape {tuple(step.shape)} and from "
            f"{step.min() if step.numel() else 'nothing'} on"
        )
    state[weight] = integers.float() * step


def _check_finite(path: Path, name: str, tensor: Tensor) -> None:
    """UserError unless it is int8, a quantized weight, or holds finite floats."""
    if tensor.dtype != torch.int8 and not tensor.is_floating_point():
        kind = str(tensor.dtype).removeprefix("torch.")
        raise UserError(f"{path}: tensor {name} must hold floats or int8, not {kind}")
    if not tensor.isfinite().all():
        raise UserError(f"{path}: tensor {name} holds numbers that are not finite")


def _load(name: str, model: nn.Module, state: dict[str, Tensor]):
    for key, tensor in model.state_dict().items():
        if key not in state:
            raise UserError(f"{name}: float weight {key} is missing")
        if state[key].shape != tensor.shape:
            raise UserError(
                f"{name}: float weight {key} must have shape {tuple(tensor.shape)}, "
                f"not {tuple(state[key].shape)}"
            )
    model.load_state_dict({key: state[key] for key in model.state_dict()})


def _read_facts(path: Path) -> Facts | None:
    """The metadata of a float checkpoint; None if the file is something else."""
    try:
        with safe_open(path, framework="pt") as file:
            entry = (file.metadata() or {}).get(artifact.FLOAT_FORMAT)
    except (SafetensorError, OSError, ValueError):
        return None
    return None if entry is None else Facts.parse(path, entry)
