"""Decoders of the field in every pair of their choices: what readers of a shape are tested on."""

from __future__ import annotations

from .pairwise import pairwise

CHOICES = {
    "norm": ("rms", "layer", "layer with bias"),
    "positions": ("learned", "rotary"),
    "activation": ("relu", "silu", "gelu", "gelu_tanh"),
    "gated": (False, True),
    "bias": ("none", "all", "q_proj and down_proj"),
    "n_kv_heads": (4, 2, 1),
    "head_dim": (8, 6),
    "tied_head": (True, False),
}
MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")


def shapes() -> list[dict]:
    """Fields of DecoderShape without sizes other than those of heads (of which there are 4)."""
    return [_fields(**row) for row in pairwise(CHOICES)]


def named(value) -> str:
    """A test's id, the same in every process: sets in order."""
    if isinstance(value, dict):
        return " ".join(f"{name}={named(item)}" for name, item in value.items())
    return "+".join(sorted(value)) if isinstance(value, frozenset) else str(value)


def _fields(norm: str, bias: str, gated: bool, **others) -> dict:
    kinds = {
        "none": (),
        "all": (*MATRICES, *(("gate_proj",) if gated else ())),
        "q_proj and down_proj": ("q_proj", "down_proj"),
    }[bias]
    return {
        "norm": norm.split()[0],
        "norm_bias": norm.endswith("bias"),
        "gated": gated,
        "bias": frozenset(kinds),
        **others,
    }
