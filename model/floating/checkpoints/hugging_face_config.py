"""Hugging Face's config.json: a decoder's shape, or what of it is not supported."""

from __future__ import annotations

import numpy as np

from ...support.errors import UserError
from ...support.file_facts import Facts
from ..decoder_shape import MAX_SIZE, DecoderShape
from .hugging_face_features import refuse_features, refuse_windows
from .rotary import inverse_frequencies, rounded, scale_llama3
from .source import GPT2_TYPE, LLAMA_TYPE, NEOX_TYPE

CONFIG_FILE = "config.json"
FAMILIES = {
    "gpt2": GPT2_TYPE,
    "gpt_neox": NEOX_TYPE,
    "llama": LLAMA_TYPE,
    "mistral": LLAMA_TYPE,
    "qwen2": LLAMA_TYPE,
}
"""By model_type."""
ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
"""Activation functions by Hugging Face's names, and what they are called here."""
GPT2_SIZES = {
    "vocab_size": "vocab_size",
    "n_embd": "d_model",
    "n_head": "n_heads",
    "n_layer": "n_layers",
    "n_positions": "ctx_len",
}
"""GPT-2's settings, and what they are called here."""
SIZES = {
    "vocab_size": "vocab_size",
    "hidden_size": "d_model",
    "num_attention_heads": "n_heads",
    "num_hidden_layers": "n_layers",
    "intermediate_size": "d_ff",
    "max_position_embeddings": "ctx_len",
}
"""Those of the other families."""
ROPE_BASE = 10_000.0
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


def read_shape(settings: Facts) -> tuple[str, DecoderShape]:
    """(model_type, shape).

    Raises UserError naming the setting that is missing, wrong or not supported.
    """
    refuse_features(settings)
    model_type = settings.text("model_type")
    if model_type not in FAMILIES:
        raise UserError(
            f"{settings.where}: model_type {model_type!r} is not supported; expected one of "
            f"{', '.join(FAMILIES)}"
        )
    read = {GPT2_TYPE: _gpt2, LLAMA_TYPE: _llama, NEOX_TYPE: _neox}[FAMILIES[model_type]]
    arguments = read(settings)
    if FAMILIES[model_type] == LLAMA_TYPE:
        refuse_windows(settings, model_type, arguments["ctx_len"], arguments["n_layers"])
    try:
        return model_type, DecoderShape(**arguments)
    except UserError as error:
        raise UserError(f"{settings.where}: {error}") from None


def activation(settings: Facts, name: str, default: str) -> str:
    """What the activation that a setting names is called here; UserError if it is unknown."""
    value = settings.text(name, default)
    if value not in ACTIVATIONS:
        raise UserError(
            f"{settings.where}: {name} {value!r} is not supported; "
            f"expected one of {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[value]


def _gpt2(settings: Facts) -> dict:
    sizes = {ours: settings.integer(name, 1, MAX_SIZE) for name, ours in GPT2_SIZES.items()}
    return {
        **sizes,
        **_heads(settings, sizes, "n_head", "n_embd"),
        "n_kv_heads": sizes["n_heads"],
        "d_ff": settings.integer("n_inner", 1, default=4 * sizes["d_model"]),
        "norm": "layer",
        "norm_eps": settings.number("layer_norm_epsilon", positive=True, default=1e-5),
        "norm_bias": True,
        "positions": "learned",
        "activation": activation(settings, "activation_function", "gelu_new"),
        "gated": False,
        "bias": frozenset((*ATTENTION, "up_proj", "down_proj")),
        "tied_head": settings.flag("tie_word_embeddings", True),
    }


def _llama(settings: Facts) -> dict:
    sizes = {ours: settings.integer(name, 1, MAX_SIZE) for name, ours in SIZES.items()}
    heads = _heads(settings, sizes, "num_attention_heads", "hidden_size")
    bias = set(ATTENTION) if settings.flag("attention_bias", False) else set()
    if settings.text("model_type") == "qwen2":
        bias = set(ATTENTION[:3])
    if settings.flag("mlp_bias", False):
        bias |= {"gate_proj", "up_proj", "down_proj"}
    return {
        **sizes,
        **heads,
        "n_kv_heads": settings.integer("num_key_value_heads", 1, default=sizes["n_heads"]),
        "norm": "rms",
        "norm_eps": settings.number("rms_norm_eps", positive=True, default=1e-6),
        "norm_bias": False,
        "positions": "rotary",
        "activation": activation(settings, "hidden_act", "silu"),
        "gated": True,
        "bias": frozenset(bias),
        "tied_head": settings.flag("tie_word_embeddings", False),
        "inverse_frequencies": _frequencies(settings, heads["head_dim"], "rope_theta", 1.0),
    }


def _neox(settings: Facts) -> dict:
    sizes = {ours: settings.integer(name, 1, MAX_SIZE) for name, ours in SIZES.items()}
    heads = _heads(settings, sizes, "num_attention_heads", "hidden_size")
    part = settings.number("rotary_pct", positive=True, default=0.25)
    bias = {"up_proj", "down_proj", *(ATTENTION if settings.flag("attention_bias", True) else ())}
    return {
        **sizes,
        **heads,
        "n_kv_heads": sizes["n_heads"],
        "norm": "layer",
        "norm_eps": settings.number("layer_norm_eps", positive=True, default=1e-5),
        "norm_bias": True,
        "positions": "rotary",
        "activation": activation(settings, "hidden_act", "gelu"),
        "gated": False,
        "bias": frozenset(bias),
        "tied_head": settings.flag("tie_word_embeddings", False),
        "inverse_frequencies": _frequencies(settings, heads["head_dim"], "rotary_emb_base", part),
    }


def _heads(settings: Facts, sizes: dict[str, int], heads: str, width: str) -> dict[str, int]:
    if settings.content.get("head_dim") is not None and width != "n_embd":
        return {"head_dim": settings.integer("head_dim", 1, MAX_SIZE)}
    if sizes["d_model"] % sizes["n_heads"]:
        raise UserError(
            f"{settings.where}: {heads} must divide {width} {sizes['d_model']}, not "
            f"{sizes['n_heads']}"
        )
    return {"head_dim": sizes["d_model"] // sizes["n_heads"]}


def _frequencies(settings: Facts, head_dim: int, base_name: str, part: float) -> tuple[float, ...]:
    """Inverse frequencies with the scaling that the settings name, old or new.

    ``part``: of a head's features that rotates, unless ``rope_parameters`` tells another.
    """
    if head_dim % 2:
        raise UserError(f"{settings.where}: head_dim must be even for RoPE, not {head_dim}")
    base = settings.number(base_name, positive=True, default=ROPE_BASE)
    rope = settings.table("rope_parameters", None) or settings.table("rope_scaling", None)
    if rope is None:
        rope = Facts(settings.where, {}, "rope_scaling.")
    base = rope.number("rope_theta", positive=True, default=base)
    part = rope.number("partial_rotary_factor", positive=True, default=part)
    if part != 1:
        raise UserError(
            f"{settings.where}: RoPE of a part ({part}) of each head is not supported; "
            "expected of all, 1.0"
        )
    kind = rope.text("rope_type", None) or rope.text("type", "default")
    frequencies = inverse_frequencies(base, head_dim)
    if kind == "linear":
        frequencies = frequencies / rope.number("factor", positive=True)
    elif kind == "llama3":
        frequencies = _llama3(rope, frequencies)
    elif kind != "default":
        raise UserError(
            f"{settings.where}: {rope.path}rope_type {kind!r} is not supported; expected default, "
            "linear or llama3"
        )
    return rounded(frequencies)


def _llama3(rope: Facts, frequencies: np.ndarray) -> np.ndarray:
    low = rope.number("low_freq_factor", positive=True)
    high = rope.number("high_freq_factor", positive=True)
    if high <= low:
        raise rope.refused("high_freq_factor", f"above low_freq_factor {low}", high)
    original = rope.integer("original_max_position_embeddings", 1)
    return scale_llama3(frequencies, rope.number("factor", positive=True), low, high, original)
