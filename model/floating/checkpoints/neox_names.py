"""Names of GPT-NeoX's tensors in Hugging Face's files."""

from __future__ import annotations

import numpy as np

from ..decoder_shape import DecoderShape
from .llama_names import NORMS
from .stored import Binder

PREFIX, HEAD, EMBEDDING = "gpt_neox.", "embed_out.weight", "embed_in.weight"
FUSED = ("q_proj", "k_proj", "v_proj")
"""In ``query_key_value``, head by head."""
LINEARS = {
    "attention.dense": "o_proj",
    "mlp.dense_h_to_4h": "up_proj",
    "mlp.dense_4h_to_h": "down_proj",
}
BUFFERS = ("attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq")


def bind(binder: Binder, shape: DecoderShape) -> None:
    """Bind all tensors."""
    binder.bind(EMBEDDING, "token_embedding")
    rows = np.arange(3 * shape.d_model).reshape(shape.n_heads, 3, shape.head_dim)
    for i in range(shape.n_layers):
        for name, ours in NORMS.items():
            _bind(binder, f"layers.{i}.{name}", {f"layers.{i}.{ours}": None}, True)
        fused = {f"layers.{i}.{kind}": rows[:, j].reshape(-1) for j, kind in enumerate(FUSED)}
        biased = shape.bias.issuperset(FUSED)
        _bind(binder, f"layers.{i}.attention.query_key_value", fused, biased)
        for name, kind in LINEARS.items():
            _bind(binder, f"layers.{i}.{name}", {f"layers.{i}.{kind}": None}, kind in shape.bias)
        for name in BUFFERS:
            binder.ignore(f"layers.{i}.{name}")
    _bind(binder, "final_layer_norm", {"final_norm": None}, True)
    if not shape.tied_head:
        binder.bind(HEAD, "lm_head")


def _bind(binder: Binder, name: str, rows: dict[str, np.ndarray | None], bias: bool) -> None:
    """A layer's weight and bias, with the rows of each of ours."""
    for kind, suffix in (("weight", ""), ("bias", ".bias")):
        if kind == "weight" or bias:
            chosen = {f"{ours}{suffix}": r for ours, r in rows.items() if r is not None}
            binder.bind(f"{name}.{kind}", *(f"{ours}{suffix}" for ours in rows), rows=chosen)
