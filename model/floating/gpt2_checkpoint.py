"""Reading GPT-2 as Hugging Face stores it: config.json and model.safetensors."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ..contract.config import ModelConfig
from ..support.errors import UserError
from ..support.file_facts import read_json
from .checkpoints.gpt2_names import BUFFERS, PREFIX
from .checkpoints.hugging_face_config import CONFIG_FILE, GPT2_SIZES
from .checkpoints.safetensors_files import WEIGHTS_FILE
from .gpt2 import ACTIVATIONS, GPT2, GPT2Config

VOCABULARY_FILE = "vocab.json"

EXPECTED = {
    "model_type": "gpt2",
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
    "quantization_config": None,
}
"""Settings that change the function: the only value of each that is supported, the default."""


def find_checkpoint(path: Path) -> tuple[Path, Path] | None:
    """(config.json, model.safetensors) of a directory or of a weights file; None if it is neither.

    Raises UserError if one of the two is missing from a directory.
    """
    if not path.is_dir():
        config = path.with_name(CONFIG_FILE)
        return (config, path) if path.is_file() and config.is_file() else None
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (path / name).is_file():
            raise UserError(
                f"{path} has no {name}; expected a GPT-2 checkpoint: {CONFIG_FILE} and "
                f"{WEIGHTS_FILE} (one, not in shards)"
            )
    return path / CONFIG_FILE, path / WEIGHTS_FILE


def read_config(path: Path) -> GPT2Config:
    """The shape and the settings; UserError naming what is missing or not supported."""
    settings = read_json(path)
    for name, expected in EXPECTED.items():
        value = settings.content.get(name, expected)
        if type(value) is not type(expected) or value != expected:
            raise UserError(f"{path}: {name} {value!r} is not supported; expected {expected!r}")
    activation = settings.text("activation_function", "gelu_new")
    if activation not in ACTIVATIONS:
        raise UserError(
            f"{path}: activation_function {activation!r} is not supported; "
            f"expected one of {', '.join(ACTIVATIONS)}"
        )
    sizes = {ours: settings.integer(name, 1) for name, ours in GPT2_SIZES.items()}
    width = settings.integer("n_inner", 1, default=4 * sizes["d_model"])
    eps = settings.number("layer_norm_epsilon", positive=True, default=1e-5)
    try:
        config = ModelConfig(**sizes, d_ff=width)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return GPT2Config(config, ACTIVATIONS[activation], eps)


def load_gpt2(config_path: Path, weights_path: Path) -> GPT2:
    """The model; UserError naming the tensor that is missing, misshapen or not supported."""
    config = read_config(config_path)
    tensors = _read_tensors(weights_path)
    state = {}
    for name, (shape, ours) in _expected_tensors(config.sizes).items():
        if name not in tensors:
            raise UserError(f"{weights_path}: tensor {name} is missing")
        tensor = tensors.pop(name)
        if tuple(tensor.shape) != shape:
            raise UserError(
                f"{weights_path}: tensor {name} must have shape {shape}, not {tuple(tensor.shape)}"
            )
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise UserError(f"{weights_path}: tensor {name} must hold floats, not {kind}")
        tensor = tensor.float()
        if not tensor.isfinite().all():
            raise UserError(f"{weights_path}: tensor {name} holds numbers that are not finite")
        if len(shape) == 2 and not ours[0].endswith("embedding"):
            tensor = tensor.T  # Conv1D stores [in, out]
        parts = tensor.chunk(len(ours))  # queries, keys and values lie side by side
        state.update(zip(ours, parts, strict=True))
    _check_rest(weights_path, tensors, state["token_embedding"])
    model = GPT2(config)
    model.load_state_dict(state)
    return model.eval()


def read_vocabulary(directory: Path) -> list[str] | None:
    """The tokens' texts by their numbers, if the checkpoint has a vocabulary beside it."""
    path = directory / VOCABULARY_FILE
    if not path.is_file():
        return None
    numbers = read_json(path)
    texts = {numbers.integer(text, 0): text for text in numbers}
    if sorted(texts) != list(range(len(numbers))):
        raise UserError(f"{path} must number its tokens 0 to {len(numbers) - 1}")
    return [texts[number] for number in range(len(texts))]


def _expected_tensors(sizes: ModelConfig) -> dict[str, tuple[tuple[int, ...], list[str]]]:
    """Shape of every stored tensor and our names of its parts."""
    d, d_ff = sizes.d_model, sizes.d_ff
    expected = {
        "wte.weight": ((sizes.vocab_size, d), ["token_embedding"]),
        "wpe.weight": ((sizes.ctx_len, d), ["position_embedding"]),
    }
    linears = {
        "attn.c_attn": (d, 3 * d, ["q_proj", "k_proj", "v_proj"]),
        "attn.c_proj": (d, d, ["o_proj"]),
        "mlp.c_fc": (d, d_ff, ["up_proj"]),
        "mlp.c_proj": (d_ff, d, ["down_proj"]),
    }
    for i in range(sizes.n_layers):
        for norm, ours in (("ln_1", "attn_norm"), ("ln_2", "ffn_norm")):
            for kind in ("weight", "bias"):
                expected[f"h.{i}.{norm}.{kind}"] = ((d,), [f"layers.{i}.{ours}.{kind}"])
        for name, (inputs, outputs, ours) in linears.items():
            for kind, shape in (("weight", (inputs, outputs)), ("bias", (outputs,))):
                parts = [f"layers.{i}.{part}.{kind}" for part in ours]
                expected[f"h.{i}.{name}.{kind}"] = (shape, parts)
    for kind in ("weight", "bias"):
        expected[f"ln_f.{kind}"] = ((d,), [f"final_norm.{kind}"])
    return expected


def _check_rest(path: Path, tensors: dict[str, Tensor], token_embedding: Tensor) -> None:
    for name, tensor in tensors.items():
        if name.startswith("h.") and name.endswith(BUFFERS):
            continue
        if name != "lm_head.weight":
            raise UserError(f"{path}: tensor {name} is not supported; it is none of GPT-2's")
        if not torch.equal(tensor.float(), token_embedding):
            raise UserError(
                f"{path}: tensor {name} differs from wte.weight; only a tied head is supported"
            )


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError):
        raise UserError(f"{path} is no safetensors file, or it is truncated") from None
    return {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
