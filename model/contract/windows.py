"""The integer function for whole windows of tokens at once: validation loss and calibration.

Equal to :class:`model.contract.reference.Reference` fed with the same tokens one by one. Matrix
products run in float64, which is exact: their sums stay far below 2**53.
"""

from __future__ import annotations

import numpy as np

from ..support.errors import UserError
from . import arith
from .config import ModelConfig
from .integer_model import IntegerModel, Matrix, Norm
from .kv_cache import Tap, no_tap

_MASKED = -(2**40)
"""Score of a later position: so far below the maximum that its probability is exactly 0."""


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Integer matrix product by way of float64 BLAS; int64."""
    return np.rint(a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)


def normalize(norm: Norm, residual: np.ndarray) -> np.ndarray:
    """RMSNorm of residual vectors [..., d_model]: INT8."""
    return arith.RMSNorm(residual.shape[-1], norm.shift)(residual, norm.gain)


def project(matrix: Matrix, hidden: np.ndarray, requantizer) -> np.ndarray:
    """One quantized matrix applied to [..., in]; ``requantizer`` is ``arith.to_…``."""
    return requantizer(matrix.shift)(matmul(hidden, matrix.weight.T), matrix.mult)


def score_dots(cfg: ModelConfig, q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """q . k [batch, n_heads, query, position] of q and k [batch, length, d_model]."""
    return matmul(_split_heads(cfg, q), _split_heads(cfg, k).swapaxes(-1, -2))


def causal_mask(length: int) -> np.ndarray:
    """[query, position], true where the query may look."""
    return np.tri(length, dtype=bool)


def attend(cfg: ModelConfig, score_shift: int, q, k, v, tap: Tap = no_tap, prefix: str = ""):
    """Causal attention: INT8 [batch, length, d_model] of INT8 q, k, v of the same shape."""
    softmax = arith.Softmax(score_shift)
    scores = softmax.scores(score_dots(cfg, q, k))
    scores = np.where(causal_mask(q.shape[1]), scores, _MASKED)
    tap(f"{prefix}scores", scores)
    p = softmax.probabilities(scores)
    tap(f"{prefix}probabilities", p)
    acc = matmul(p, _split_heads(cfg, v))
    return softmax.divide(acc, p.sum(axis=-1, keepdims=True)).swapaxes(1, 2).reshape(q.shape)


def _split_heads(cfg: ModelConfig, x: np.ndarray) -> np.ndarray:
    return x.reshape(*x.shape[:2], cfg.n_heads, cfg.head_dim).swapaxes(1, 2)


def window_logits(model: IntegerModel, tokens: np.ndarray, tap: Tap = no_tap) -> np.ndarray:
    """Integer logits [batch, length, vocab_size] of the token windows [batch, length].

    ``tap`` gets the names of :class:`model.contract.reference.Reference` with arrays
    [batch, length, …]; scores and probabilities are [batch, n_heads, query, position].

    Raises
    ------
    UserError
        If the windows are longer than the context or a token is outside the vocabulary.
    """
    tokens = check_windows(model.config, tokens)
    residual = arith.embed(
        model.token_embedding[tokens],
        model.position_embedding[: tokens.shape[1]],
        model.token_mult,
        model.position_mult,
    )
    tap("embed", residual)
    for i in range(model.config.n_layers):
        residual = _layer(model, i, residual, tap)
    hidden = normalize(model.norms["final_norm"], residual)
    tap("final_norm", hidden)
    logits = matmul(hidden, model.token_embedding.T)
    tap("logits", logits)
    return logits


def _layer(model: IntegerModel, i: int, residual: np.ndarray, tap: Tap) -> np.ndarray:
    layer, matrices, norms = f"layers.{i}.", model.matrices, model.norms

    def stage(name, value):
        tap(layer + name, value)
        return value

    hidden = stage("attn_norm", normalize(norms[f"{layer}attn_norm"], residual))
    q, k, v = (
        stage(name, project(matrices[f"{layer}{name}_proj"], hidden, arith.to_activation))
        for name in "qkv"
    )
    attn = stage("attn", attend(model.config, model.score_shifts[i], q, k, v, tap, layer))
    update = project(matrices[f"{layer}o_proj"], attn, arith.to_residual)
    residual = stage("attn_residual", arith.add_residual(residual, update))
    hidden = stage("ffn_norm", normalize(norms[f"{layer}ffn_norm"], residual))
    hidden = stage("ffn_hidden", project(matrices[f"{layer}up_proj"], hidden, arith.to_relu))
    update = project(matrices[f"{layer}down_proj"], hidden, arith.to_residual)
    return stage("ffn_residual", arith.add_residual(residual, update))


def check_windows(cfg: ModelConfig, tokens: np.ndarray) -> np.ndarray:
    """``tokens`` as an int64 array [batch, length]; UserError if the model cannot take them."""
    tokens = np.asarray(tokens, np.int64)
    if tokens.ndim != 2:
        raise UserError(f"token windows must have shape (batch, length), not {tokens.shape}")
    if tokens.shape[1] > cfg.ctx_len:
        raise UserError(
            f"windows of {tokens.shape[1]} tokens are longer than the context of {cfg.ctx_len}"
        )
    outside = tokens[(tokens < 0) | (tokens >= cfg.vocab_size)]
    if outside.size:
        raise UserError(f"token {outside[0]} is outside the vocabulary of {cfg.vocab_size}")
    return tokens


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean negative log-likelihood in nats of ``targets`` […] under float logits […, vocab]."""
    logits = np.asarray(logits, np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(shifted, np.asarray(targets)[..., None], axis=-1)[..., 0]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=-1)) - chosen))


def validation_windows(
    tokens: np.ndarray, ctx_len: int, what: str = "the validation text"
) -> tuple[np.ndarray, np.ndarray]:
    """(inputs, targets), both [n, ctx_len]: non-overlapping windows, every position counts.

    Tokens after the last whole window are left out. Raises UserError when not even one window
    and its last target fit, of ``what``.
    """
    tokens = np.asarray(tokens, np.int64)
    count = (len(tokens) - 1) // ctx_len
    if count < 1:
        raise UserError(
            f"{what} has {len(tokens)} tokens, but one window of {ctx_len} needs "
            f"{ctx_len + 1}; use a longer text"
        )
    end = count * ctx_len
    return tokens[:end].reshape(count, ctx_len), tokens[1 : end + 1].reshape(count, ctx_len)
