"""What config.json may tell of a model that is beyond the families known here."""

from __future__ import annotations

from ...support.errors import UserError
from ...support.file_facts import Facts

ABSENT = (None, False, 0)
FEATURES = {
    **dict.fromkeys(
        ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"),
        ("a mixture of experts", ABSENT),
    ),
    **dict.fromkeys(
        ("vision_config", "audio_config", "text_config"), ("a multi-modal model", ABSENT)
    ),
    **dict.fromkeys(("use_qk_norm", "qk_norm", "qk_layernorm"), ("QK-norm", ABSENT)),
    "alibi": ("ALiBi", ABSENT),
    **dict.fromkeys(
        ("attn_logit_softcapping", "final_logit_softcapping", "attn_logit_softcap"),
        ("softcapping", ABSENT),
    ),
    **dict.fromkeys(
        ("use_parallel_residual", "parallel_attn", "parallel_residual"),
        ("a parallel residual", ABSENT),
    ),
    "partial_rotary_factor": ("RoPE of a part of each head", (None, 1.0)),
    "is_encoder_decoder": ("an encoder and a decoder", ABSENT),
    "add_cross_attention": ("cross-attention", ABSENT),
    "scale_attn_weights": ("attention without its scale", (None, True)),
    "scale_attn_by_inverse_layer_idx": ("attention scaled by layer", ABSENT),
    "quantization_config": ("quantized weights", (None,)),
    "position_embedding_type": ("other position embeddings", (None, "absolute", "rotary")),
}
"""Settings: what they mean, unless their value is one of these."""

MISTRAL_WINDOW = 4096
"""Mistral's sliding_window where config.json does not tell it."""


def refuse_features(settings: Facts) -> None:
    """Raise UserError for the first setting that asks for more than the known families have."""
    for name, (feature, harmless) in FEATURES.items():
        value = settings.content.get(name)
        if value not in harmless:
            shown = "" if isinstance(value, dict | list) else f" {value!r}"
            raise UserError(
                f"{settings.where}: {name}{shown} means {feature}, which is not supported; "
                "choose a model without"
            )
    if settings.content.get("model_type") == "gpt_neox":
        value = settings.content.get("use_parallel_residual", True)
        if value is not False:
            raise UserError(
                f"{settings.where}: use_parallel_residual is true if it is not given, which is "
                "not supported; choose a model with false"
            )


def refuse_windows(settings: Facts, model_type: str, ctx_len: int, n_layers: int) -> None:
    """Raise UserError if a layer attends to a part of the context only."""
    kinds = settings.items("layer_types") if "layer_types" in settings.content else None
    kinds = None if kinds is None else [kinds.text(name) for name in kinds]
    for kind in kinds or ():
        if kind not in ("full_attention", "sliding_attention"):
            raise UserError(
                f"{settings.where}: layer_types has {kind!r}, which is not supported; expected "
                "full_attention"
            )
    default = None
    if model_type == "mistral" and "sliding_window" not in settings.content:
        default = MISTRAL_WINDOW
    window = settings.integer("sliding_window", 1, default=default)
    if window is None or window >= ctx_len:
        return
    if model_type == "qwen2" and not settings.flag("use_sliding_window", False):
        return
    first = settings.integer("max_window_layers", 0, default=28) if model_type == "qwen2" else 0
    used = first < n_layers if kinds is None else "sliding_attention" in kinds
    if used:
        raise UserError(
            f"{settings.where}: sliding_window {window} is less than max_position_embeddings "
            f"{ctx_len}, and sliding windows are not supported; choose a model without"
        )
