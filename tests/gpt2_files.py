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


def gpt2_tensors() -> dict[str, torch.Tensor]:
    """Random weights by Hugging Face's names."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"wte.weight": (31, 24), "wpe.weight": (20, 24), "ln_f.weight": (24,)}
    shapes["ln_f.bias"] = (24,)
    for i in range(2):
        for name, shape in {
            "ln_1": (24,),
            "ln_2": (24,),
            "attn.c_attn": (24, 72),
            "attn.c_proj": (24, 24),
            "mlp.c_fc": (24, 40),
            "mlp.c_proj": (40, 24),
        }.items():
            shapes[f"h.{i}.{name}.weight"] = shape
            shapes[f"h.{i}.{name}.bias"] = shape[-1:]
    return {
        f"transformer.{name}": torch.randn(shape, generator=generator) * 0.3
        for name, shape in shapes.items()
    }


def write_gpt2(directory: Path, tensors=None, **settings) -> Path:
    """The directory of a checkpoint with some tensors (default: all) and changed settings."""
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps({**SETTINGS, **settings}))
    tensors = gpt2_tensors() if tensors is None else tensors
    safetensors.torch.save_file(tensors, directory / "model.safetensors")
    return directory
