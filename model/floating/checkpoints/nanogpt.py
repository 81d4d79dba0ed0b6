"""nanoGPT checkpoints: the ``.pt`` files that its train.py writes (github.com/karpathy/nanoGPT)."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path

import numpy as np

from ...support.errors import UserError
from ...support.file_facts import Facts
from ...support.optional import require
from ..decoder_shape import DecoderShape
from . import gpt2_names
from .source import GPT2_TYPE, SourceModel
from .stored import Binder, StoredTensor, equal

KIND = "nanoGPT checkpoint"
MAGIC = b"PK\x03\x04"
"""Of the zip archive that torch.save writes."""
SIZES = {
    "vocab_size": "vocab_size",
    "n_embd": "d_model",
    "n_head": "n_heads",
    "n_layer": "n_layers",
    "block_size": "ctx_len",
}
"""Settings of its model_args, and what they are called here."""
WRAPPERS = ("_orig_mod.", "module.")
"""What torch.compile and DistributedDataParallel put before all names."""
NORM_EPS = 1e-5
FLOATS = ("float32", "float16", "bfloat16")


def open_file(path: Path) -> SourceModel:
    """The model of a checkpoint: exact GELU, as its model.py has since February 2023.

    Raises UserError naming the setting or tensor that is missing, wrong or not supported.
    """
    require({"torch": "reading a nanoGPT checkpoint"}, "import")
    content = _loaded(path)
    if not isinstance(content, dict) or not {"model", "model_args"} <= content.keys():
        raise UserError(
            f"{path} has no model and model_args; expected a checkpoint that nanoGPT's train.py "
            "wrote"
        )
    settings = Facts(path, content["model_args"], "model_args.")
    stored = _stored(path, content["model"])
    head, embedding = (stored.get(n) for n in (gpt2_names.HEAD, gpt2_names.EMBEDDING))
    tied = head is None or embedding is None or equal(head, embedding)
    shape = _shape(path, settings, tied)
    binder = Binder(path, GPT2_TYPE, shape, stored)
    gpt2_names.bind(binder, shape, transposed=False)
    binder.ignore(gpt2_names.HEAD)
    return SourceModel(path.stem, KIND, GPT2_TYPE, shape, binder.tensors())


def _loaded(path: Path):
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path} holds more than tensors and settings, and is not read for safety; expected a "
            "checkpoint that nanoGPT's train.py wrote"
        ) from None
    except (OSError, RuntimeError, ValueError, EOFError, KeyError):
        raise UserError(
            f"{path} is no checkpoint of torch, or it is truncated; get it from its source again"
        ) from None


def _shape(path: Path, settings: Facts, tied: bool) -> DecoderShape:
    sizes = {ours: settings.integer(name, 1) for name, ours in SIZES.items()}
    if sizes["d_model"] % sizes["n_heads"]:
        raise settings.refused(
            "n_head", f"a divisor of n_embd {sizes['d_model']}", sizes["n_heads"]
        )
    bias = settings.flag("bias", True)
    kinds = [kind for kinds in gpt2_names.LINEARS.values() for kind in kinds]
    try:
        return DecoderShape(
            **sizes,
            n_kv_heads=sizes["n_heads"],
            head_dim=sizes["d_model"] // sizes["n_heads"],
            d_ff=4 * sizes["d_model"],
            norm="layer",
            norm_eps=NORM_EPS,
            norm_bias=bias,
            positions="learned",
            activation="gelu",
            gated=False,
            bias=frozenset(kinds if bias else ()),
            tied_head=tied,
        )
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _stored(path: Path, tensors) -> dict[str, StoredTensor]:
    import torch

    if not isinstance(tensors, dict):
        raise UserError(f"{path}: model must be a table of tensors; expected a nanoGPT checkpoint")
    stored = {}
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise UserError(f"{path}: {name} must be a tensor, not {type(tensor).__name__}")
        ours = str(name)
        while wrapper := next((w for w in WRAPPERS if ours.startswith(w)), ""):
            ours = ours.removeprefix(wrapper)
        ours = ours.removeprefix(gpt2_names.PREFIX)
        if ours in stored:
            raise UserError(f"{path}: tensor {name} is there twice, with another prefix")
        load = partial(_load, path, name, tensor)
        stored[ours] = StoredTensor(path, name, tuple(tensor.shape), load)
    return stored


def _load(path: Path, name: str, tensor) -> np.ndarray:
    kind = str(tensor.dtype).removeprefix("torch.")
    if kind not in FLOATS:
        raise UserError(
            f"{path}: tensor {name} must hold {', '.join(FLOATS)}, not {kind}; save the model in "
            "one of them"
        )
    return (tensor.float() if kind == "bfloat16" else tensor).detach().numpy()
