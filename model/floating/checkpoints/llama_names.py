"""Names of the Llama type's tensors in Hugging Face's files: Llama, Mistral, Qwen2."""

from __future__ import annotations

from ..decoder_shape import DecoderShape
from .stored import Binder

PREFIX, HEAD, EMBEDDING = "model.", "lm_head.weight", "embed_tokens.weight"
PLACES = {"q": "self_attn", "k": "self_attn", "v": "self_attn", "o": "self_attn"}
"""Of projections that are not of the ``mlp``."""
NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}


def bind(binder: Binder, shape: DecoderShape) -> None:
    """Bind all tensors."""
    binder.bind(EMBEDDING, "token_embedding")
    for i in range(shape.n_layers):
        for name, ours in NORMS.items():
            binder.bind(f"layers.{i}.{name}.weight", f"layers.{i}.{ours}")
        for kind in shape.kinds:
            place = PLACES.get(kind.removesuffix("_proj"), "mlp")
            binder.bind(f"layers.{i}.{place}.{kind}.weight", f"layers.{i}.{kind}")
            if kind in shape.bias:
                binder.bind(f"layers.{i}.{place}.{kind}.bias", f"layers.{i}.{kind}.bias")
        # computed from the settings; old files store it, too
        binder.ignore(f"layers.{i}.self_attn.rotary_emb.inv_freq")
    binder.bind("norm.weight", "final_norm")
    if not shape.tied_head:
        binder.bind(HEAD, "lm_head")
