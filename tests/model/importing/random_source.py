"""Random float decoders of any shape: checkpoints of a few thousand weights."""

from __future__ import annotations

import numpy as np

from gateformer.model.floating.checkpoints.source import LLAMA_TYPE, SourceModel
from gateformer.model.floating.decoder_shape import DecoderShape

LLAMA = {
    **{"norm": "rms", "norm_eps": 1e-5, "norm_bias": False, "positions": "rotary"},
    **{"activation": "silu", "gated": True, "bias": frozenset(), "tied_head": True},
}
GPT2 = {
    **{"norm": "layer", "norm_eps": 1e-5, "norm_bias": True, "positions": "learned"},
    **{"activation": "gelu_tanh", "gated": False, "tied_head": True, "n_kv_heads": 4},
    "bias": frozenset(("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")),
}
SIZES = {
    **{"vocab_size": 61, "d_model": 32, "n_heads": 4, "n_kv_heads": 2, "head_dim": 8},
    **{"n_layers": 2, "d_ff": 64, "ctx_len": 24},
}


def random_source(seed: int = 0, **choices) -> SourceModel:
    """A model of Llama type unless ``choices`` (fields of DecoderShape) say otherwise."""
    rng = np.random.default_rng(seed)
    fields = {**SIZES, **LLAMA, **choices}
    if fields["positions"] == "rotary":
        half = fields["head_dim"] // 2
        fields["inverse_frequencies"] = tuple(float(0.3**j) for j in range(half))
    shape = DecoderShape(**fields)
    tensors = {}
    for name, size in shape.tensor_shapes().items():
        if name.endswith("norm"):
            value = rng.uniform(0.5, 1.5, size)
        elif name.endswith(".bias"):
            value = rng.normal(0, 0.2, size)
        elif name.endswith("embedding"):
            value = rng.normal(0, 1, size)
        else:
            value = rng.normal(0, size[-1] ** -0.5, size)
        tensors[name] = value.astype(np.float32)
    return SourceModel("random", "test", LLAMA_TYPE, shape, tensors)


def random_windows(seed: int, source: SourceModel, count: int) -> list[np.ndarray]:
    """Windows that fill the context."""
    rng = np.random.default_rng(seed)
    shape = source.shape
    return list(rng.integers(0, shape.vocab_size, (count, shape.ctx_len)))
