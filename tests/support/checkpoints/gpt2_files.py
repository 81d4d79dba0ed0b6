"""A small random GPT-2 checkpoint as Hugging Face stores it, written without its library."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors.torch
import torch

SETTINGS = {
    "model_type": "gpt2",
    "activation_function": "gelu_new",
    "vocab_size": 31,
    "n_embd": 24,
    "n_head": 3,
    "n_layer": 2,
    "n_positions": 20,
    "n_inner": 40,
}


def gpt2_tensors(std: float = 0.3, **settings) -> dict[str, torch.Tensor]:
    """Random weights by Hugging Face's names, of SETTINGS with changes."""
    sizes = {**SETTINGS, **settings}
    generator = torch.Generator().manual_seed(0)
    d, inner = sizes["n_embd"], sizes["n_inner"]
    shapes = {"wte.weight": (sizes["vocab_size"], d), "wpe.weight": (sizes["n_positions"], d)}
    shapes |= {"ln_f.weight": (d,), "ln_f.bias": (d,)}
    for i in range(sizes["n_layer"]):
        for name, shape in {
            "ln_1": (d,),
            "ln_2": (d,),
            "attn.c_attn": (d, 3 * d),
            "attn.c_proj": (d, d),
            "mlp.c_fc": (d, inner),
            "mlp.c_proj": (inner, d),
        }.items():
            shapes[f"h.{i}.{name}.weight"] = shape
            shapes[f"h.{i}.{name}.bias"] = shape[-1:]
    return {
        f"transformer.{name}": torch.randn(shape, generator=generator) * std
        for name, shape in shapes.items()
    }


def write_gpt2(directory: Path, tensors=None, **settings) -> Path:
    """The directory of a checkpoint with some tensors (default: all) and changed settings."""
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps({**SETTINGS, **settings}))
    tensors = gpt2_tensors() if tensors is None else tensors
    safetensors.torch.save_file(tensors, directory / "model.safetensors")
    return directory
