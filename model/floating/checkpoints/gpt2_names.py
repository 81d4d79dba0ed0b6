"""Names of the GPT-2 type's tensors, in Hugging Face's files and in nanoGPT's."""

from __future__ import annotations

from ..decoder_shape import DecoderShape
from .stored import Binder

PREFIX, HEAD, EMBEDDING = "transformer.", "lm_head.weight", "wte.weight"
BUFFERS = ("attn.bias", "attn.masked_bias")
"""Causal masks that old checkpoints store beside the weights."""
LINEARS = {
    "attn.c_attn": ("q_proj", "k_proj", "v_proj"),
    "attn.c_proj": ("o_proj",),
    "mlp.c_fc": ("up_proj",),
    "mlp.c_proj": ("down_proj",),
}
NORMS = {"ln_1": "attn_norm", "ln_2": "ffn_norm"}


def bind(binder: Binder, shape: DecoderShape, transposed: bool = True) -> None:
    """Bind all tensors; ``transposed``: matrices are [in, out], as Hugging Face's Conv1D."""
    binder.bind(EMBEDDING, "token_embedding")
    binder.bind("wpe.weight", "position_embedding")
    for i in range(shape.n_layers):
        for name, ours in NORMS.items():
            binder.bind_norm(shape, f"h.{i}.{name}", f"layers.{i}.{ours}")
        for name, kinds in LINEARS.items():
            ours = [f"layers.{i}.{kind}" for kind in kinds]
            binder.bind(f"h.{i}.{name}.weight", *ours, transposed=transposed)
            if shape.bias.issuperset(kinds):
                binder.bind(f"h.{i}.{name}.bias", *(f"{kind}.bias" for kind in ours))
        for name in BUFFERS:
            binder.ignore(f"h.{i}.{name}")
    binder.bind_norm(shape, "ln_f", "final_norm")
    if not shape.tied_head:
        binder.bind(HEAD, "lm_head")
