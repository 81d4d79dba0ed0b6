"""Random decoders of any shape, for tests and benchmarks: valid integers, not a language."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..config import Bits, ModelConfig
from . import arith
from .formats import WeightFormat
from .matrix import Matrix
from .model import DecoderModel, LayerScalars, Norm

MIN_SHIFTS = (4, 5, 6)
LOGIT_SIZE_BITS = 31
INPUT_RMS = 0.25
"""Activations of a random model fill about this share of their range."""


def random_decoder(
    seed: int,
    *,
    weights: str = "int8",
    bits: Bits | None = None,
    head: str = "int8",
    formats: Mapping[str, str] | None = None,
    **shape,
) -> DecoderModel:
    """A model of ``shape`` (the arguments of ModelConfig), ``seed`` and weight format.

    ``weights`` is the format of all matrices of layers, ``head`` that of embedding and head,
    ``formats`` those of matrices that have another one, by the last part of their names. Scales are
    such that the numbers of every stage use their range and seldom exceed it.
    """
    rng = np.random.default_rng(seed)
    bits = bits or Bits()
    shape = {"gated": False, "tied_head": True, "n_layers": 1, **shape}
    kinds = ("q", "k", "v", "o", "up", "down", *(["gate"] if shape["gated"] else []))
    ends = ["token_embedding", *([] if shape["tied_head"] else ["lm_head"])]
    usual = {f"layers.{i}.{k}_proj": weights for i in range(shape["n_layers"]) for k in kinds}
    usual |= dict.fromkeys(ends, head)
    own = formats or {}
    found = {name: own.get(name.rpartition(".")[2], usual[name]) for name in usual}
    cfg = ModelConfig(**shape, bits=bits, formats=found)
    learned = cfg.positions == "learned"
    matrices = {}
    for name in cfg.all_matrix_names():
        kind = name.rsplit(".", 1)[-1].removesuffix("_proj")
        out = {"q": bits.query, "o": bits.residual - 2, "down": bits.residual - 2}
        out |= {"v": bits.value, "k": bits.key if learned else bits.query}
        width = out.get(kind, bits.gate)
        width = bits.residual - 2 if name == "token_embedding" else width
        matrices[name] = _matrix(rng, cfg, name, width)
    turns = np.arange(cfg.ctx_len)[:, None] / 10 ** (np.arange(cfg.head_dim // 2) / cfg.head_dim)
    turn = 2**arith.ROTARY_BITS
    dots = 2 ** (bits.query + bits.key - 2) * INPUT_RMS**2 * np.sqrt(cfg.head_dim)
    largest = arith.limit(bits.residual) // 4
    head_shift = round(
        matrices["token_embedding"].shift + bits.residual - 2 + bits.norm + np.log2(cfg.d_model) / 2
    ) - min(LOGIT_SIZE_BITS, bits.logit - 1)
    return DecoderModel(
        config=cfg,
        matrices=matrices,
        norms={name: _norm(rng, cfg) for name in cfg.norm_names()},
        layers=tuple(
            LayerScalars(
                score_shift=max(round(np.log2(dots)) - 10, 0),
                attn_shift=16,
                gate_frac=int(rng.integers(bits.gate - 5, bits.gate - 1)),
                hidden_shift=max(2 * bits.gate - bits.hidden, 0) if cfg.gated else 2,
            )
            for _ in range(cfg.n_layers)
        ),
        attn_mult=tuple(rng.integers(2**14, 2**16, cfg.cache_width) for _ in range(cfg.n_layers)),
        head_shift=max(head_shift, 0) if cfg.tied_head else 0,
        logit_scale=2.0**-20,
        position_embedding=rng.integers(-32767, 32768, (cfg.ctx_len, cfg.d_model))
        if learned
        else None,
        position_mult=int(min(largest >> 15, arith.MAX_MULT)) if learned else 0,
        rotary_cos=None if learned else np.rint(turn * np.cos(turns)).astype(np.int64),
        rotary_sin=None if learned else np.rint(turn * np.sin(turns)).astype(np.int64),
    )


def _matrix(rng: np.random.Generator, cfg: ModelConfig, name: str, out_bits: int) -> Matrix:
    kind = WeightFormat.parse(cfg.format_of(name))
    out, inp = cfg.matrix_shape(name)
    codes = rng.integers(kind.low, kind.high + 1, (out, inp)).astype(np.int16)
    groups = (out, inp // kind.group) if kind.group else None
    scale = rng.integers(1, 256, groups) if groups else None
    low, min_shift = None, 0
    if kind.minimum:  # about what centres the codes, in units of 2**min_shift
        min_shift = int(rng.choice(MIN_SHIFTS))
        centre = -scale * kind.high / 2 / 2**min_shift
        low = np.clip(np.rint(centre + rng.normal(0, 3, groups)), -128, 127).astype(np.int64)
    mult = rng.integers(2**14, 2**16, out)
    plain = Matrix(kind, codes, mult, 0, scale, low, min_shift=min_shift)
    size = max(np.sqrt(np.mean(plain.weight(slice(64)).astype(float) ** 2)), 0.5)
    activation = 1 if name == "token_embedding" else arith.limit(16) * INPUT_RMS * np.sqrt(inp)
    wanted = arith.limit(out_bits) * INPUT_RMS
    shift = max(round(np.log2(size * activation * 2**15.5 / wanted)), 0)
    bias, bias_shift = None, 0
    if cfg.has_bias(name):
        bias_shift = max(shift + out_bits - 34, 0)
        most = min(2 ** (shift + out_bits - 3 - bias_shift), 2**31 - 1)
        bias = rng.integers(-most, most + 1, out)
    return Matrix(kind, codes, mult, shift, scale, low, min_shift, bias, bias_shift)


def _norm(rng: np.random.Generator, cfg: ModelConfig) -> Norm:
    gain = rng.integers(2**13, 2**15, cfg.d_model)
    shift = arith.NORM_FRAC_BITS + 16 - cfg.bits.norm + 1
    bias = rng.integers(-(2**24), 2**24, cfg.d_model) if cfg.norm_bias else None
    eps = int(rng.integers(0, 2**cfg.bits.residual))
    return Norm(gain, shift, eps, bias, int(rng.integers(0, 3)) if cfg.norm_bias else 0)
