"""Models of GGUF files: the architectures llama, qwen2 and gpt2, as llama.cpp has them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from ...support.errors import UserError
from ...support.file_facts import Facts
from ..decoder_shape import MAX_SIZE, DecoderShape
from .gguf_file import read_file
from .hugging_face_config import ROPE_BASE
from .rotary import inverse_frequencies, rounded
from .source import GPT2_TYPE, LLAMA_TYPE, SourceModel
from .stored import Binder, StoredTensor, equal, interleaved_to_halves

KIND = "GGUF file"
MAGIC = b"GGUF"
HEAD, EMBEDDING, FACTORS = "output.weight", "token_embd.weight", "rope_freqs.weight"
SIZES = {
    "context_length": "ctx_len",
    "embedding_length": "d_model",
    "block_count": "n_layers",
    "feed_forward_length": "d_ff",
    "attention.head_count": "n_heads",
}
MATRICES = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
"""Names of a layer's matrices by ours."""
FUSED, FUSED_KINDS = "attn_qkv", ("q_proj", "k_proj", "v_proj")
NORMS = {"attn_norm": "attn_norm", "ffn_norm": "ffn_norm"}
FEATURES = {
    "expert_count": "a mixture of experts",
    "attn_logit_softcapping": "softcapping",
    "final_logit_softcapping": "softcapping",
    "attention.max_alibi_bias": "ALiBi",
    "attention.clamp_kqv": "clamped queries, keys and values",
    "use_parallel_residual": "a parallel residual",
    "logit_scale": "scaled logits",
    "residual_scale": "a scaled residual",
    "embedding_scale": "scaled embeddings",
    "attention.scale": "attention with a scale of its own",
}
"""Settings of an architecture: what they mean unless they are 0."""


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What GGUF leaves to the architecture's name.

    ``interleaved``: rotary pairs are neighbours (2j, 2j + 1), as the converter leaves them.
    """

    family: str
    eps: str
    fused: bool
    interleaved: bool


ARCHITECTURES = {
    "llama": Architecture(LLAMA_TYPE, "attention.layer_norm_rms_epsilon", False, True),
    "qwen2": Architecture(LLAMA_TYPE, "attention.layer_norm_rms_epsilon", False, False),
    "gpt2": Architecture(GPT2_TYPE, "attention.layer_norm_epsilon", True, False),
}


def open_file(path: Path) -> SourceModel:
    """The model of a file.

    Raises UserError naming the setting or tensor that is missing, wrong or not supported.
    """
    facts, stored = read_file(path)
    name = facts.text("general.architecture")
    if facts.text("general.type", "model") == "mmproj" or name == "clip":
        raise UserError(
            f"{path} is a part of a multi-modal model, which is not supported; choose a text model"
        )
    if name not in ARCHITECTURES:
        raise UserError(
            f"{path}: general.architecture {name!r} is not supported; expected one of "
            f"{', '.join(ARCHITECTURES)}"
        )
    start = f"{name}."
    own = {n.removeprefix(start): v for n, v in facts.content.items() if n.startswith(start)}
    settings, architecture = Facts(path, own, start), ARCHITECTURES[name]
    try:
        shape = _shape(settings, architecture, stored)
    except UserError as error:
        text = str(error)
        raise UserError(text if str(path) in text else f"{path}: {text}") from None
    binder = Binder(path, architecture.family, shape, stored)
    _bind(binder, architecture, shape)
    return SourceModel(path.stem, KIND, architecture.family, shape, binder.tensors())


def _shape(
    settings: Facts, architecture: Architecture, stored: dict[str, StoredTensor]
) -> DecoderShape:
    for name, feature in FEATURES.items():
        if settings.content.get(name):
            raise UserError(
                f"{settings.where}: {settings.path}{name} {settings.content[name]!r} means "
                f"{feature}, which is not supported; choose a model without"
            )
    sizes = {ours: settings.integer(name, 1, MAX_SIZE) for name, ours in SIZES.items()}
    _refuse_window(settings, sizes["ctx_len"])
    llama = architecture.family == LLAMA_TYPE
    head_dim = _head_dim(settings, sizes)
    embedding, head = stored.get(EMBEDDING), stored.get(HEAD)
    if embedding is None:
        raise UserError(f"{settings.where}: tensor {EMBEDDING} is missing; get the whole file")
    return DecoderShape(
        **sizes,
        vocab_size=settings.integer("vocab_size", 1, default=embedding.shape[0]),
        n_kv_heads=settings.integer("attention.head_count_kv", 1, default=sizes["n_heads"]),
        head_dim=head_dim,
        norm="rms" if llama else "layer",
        norm_eps=settings.number(architecture.eps, positive=True),
        norm_bias=not llama,
        positions="rotary" if llama else "learned",
        activation="silu" if llama else "gelu_tanh",
        gated=llama,
        bias=_biases(architecture, stored),
        tied_head=head is None or equal(head, embedding),
        inverse_frequencies=_frequencies(settings, head_dim, stored) if llama else (),
    )


def _biases(architecture: Architecture, stored: dict[str, StoredTensor]) -> frozenset[str]:
    """Kinds whose bias the first layer has; GGUF has no setting for it."""
    names = dict(MATRICES)
    if architecture.fused:
        names |= dict.fromkeys(FUSED_KINDS, FUSED)
        del names["gate_proj"]
    return frozenset(kind for kind, name in names.items() if f"blk.0.{name}.bias" in stored)


def _head_dim(settings: Facts, sizes: dict[str, int]) -> int:
    default = sizes["d_model"] // sizes["n_heads"]
    if "attention.key_length" not in settings.content and sizes["d_model"] % sizes["n_heads"]:
        expected = f"a divisor of embedding_length {sizes['d_model']}"
        raise settings.refused("attention.head_count", expected, sizes["n_heads"])
    head_dim = settings.integer("attention.key_length", 1, MAX_SIZE, default=default)
    for name in ("attention.value_length", "rope.dimension_count"):
        if (value := settings.integer(name, 1, default=head_dim)) != head_dim:
            raise settings.refused(name, f"the {head_dim} of each head", value)
    return head_dim


def _refuse_window(settings: Facts, ctx_len: int) -> None:
    window = settings.content.get("attention.sliding_window")
    if window and not (isinstance(window, int) and window >= ctx_len):
        raise UserError(
            f"{settings.where}: {settings.path}attention.sliding_window {window!r} is less than "
            f"context_length {ctx_len}, and sliding windows are not supported; choose a model "
            "without"
        )


def _frequencies(
    settings: Facts, head_dim: int, stored: dict[str, StoredTensor]
) -> tuple[float, ...]:
    if head_dim % 2:
        raise UserError(f"{settings.where}: heads must have even length for RoPE, not {head_dim}")
    base = settings.number("rope.freq_base", positive=True, default=ROPE_BASE)
    frequencies = inverse_frequencies(base, head_dim)
    kind = settings.text("rope.scaling.type", "none")
    factor = settings.number("rope.scale_linear", positive=True, default=1.0)
    if kind == "linear":
        factor = settings.number("rope.scaling.factor", positive=True, default=factor)
    elif kind != "none":
        raise UserError(
            f"{settings.where}: {settings.path}rope.scaling.type {kind!r} is not supported; "
            "expected none or linear"
        )
    if FACTORS in stored:  # Llama 3's scaling, computed by the converter
        frequencies = frequencies / _factors(stored[FACTORS], head_dim)
    return rounded(frequencies / factor)


def _factors(tensor: StoredTensor, head_dim: int) -> np.ndarray:
    if tensor.shape != (head_dim // 2,):
        raise UserError(
            f"{tensor} must have shape {(head_dim // 2,)}, not {tensor.shape}; get the file from "
            "its source again"
        )
    factors = np.asarray(tensor.load(), np.float64)
    if not (np.isfinite(factors) & (factors > 0)).all():
        raise UserError(f"{tensor} must hold positive numbers; get the file from its source again")
    return factors


def _bind(binder: Binder, architecture: Architecture, shape: DecoderShape) -> None:
    binder.bind(EMBEDDING, "token_embedding")
    if shape.positions == "learned":
        binder.bind("position_embd.weight", "position_embedding")
    for i in range(shape.n_layers):
        for ours, name in NORMS.items():
            binder.bind_norm(shape, f"blk.{i}.{name}", f"layers.{i}.{ours}")
        for kind in shape.kinds:
            if architecture.fused and kind in FUSED_KINDS:
                continue
            rows = None
            if architecture.interleaved and kind in ("q_proj", "k_proj"):
                heads = shape.n_heads if kind == "q_proj" else shape.n_kv_heads
                rows = interleaved_to_halves(heads, shape.head_dim)
            _bind_matrix(binder, shape, f"blk.{i}.{MATRICES[kind]}", i, (kind,), rows)
        if architecture.fused:
            _bind_matrix(binder, shape, f"blk.{i}.{FUSED}", i, FUSED_KINDS, None)
    binder.bind_norm(shape, "output_norm", "final_norm")
    if shape.tied_head:
        binder.ignore(HEAD)
    else:
        binder.bind(HEAD, "lm_head")
    if shape.positions == "rotary":
        binder.ignore(FACTORS)


def _bind_matrix(
    binder: Binder, shape: DecoderShape, name: str, layer: int, kinds: tuple[str, ...], rows
) -> None:
    ours = [f"layers.{layer}.{kind}" for kind in kinds]
    chosen = None if rows is None else {ours[0]: rows, f"{ours[0]}.bias": rows}
    binder.bind(f"{name}.weight", *ours, rows=chosen)
    if shape.bias.issuperset(kinds):
        binder.bind(f"{name}.bias", *(f"{matrix}.bias" for matrix in ours), rows=chosen)
