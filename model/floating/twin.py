"""The float twin in numpy: the model before quantization, as stored beside the integers.

Weights by name: ``token_embedding`` [vocab_size, d_model], ``position_embedding`` [ctx_len,
d_model], ``layers.i.{attn,ffn}_norm.gain`` and ``final_norm.gain`` [d_model],
``layers.i.{q,k,v,o,up,down}_proj.weight`` [out, in], and optionally ``logit_scale`` (scalar, 1 if
absent).
"""

from __future__ import annotations

import numpy as np

from ..contract.config import ModelConfig
from ..contract.windows import causal_mask, check_windows
from ..support.errors import UserError

NORM_EPS = 1e-5


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Shapes of all weights that a float twin must have."""
    return {
        "token_embedding": (config.vocab_size, config.d_model),
        "position_embedding": (config.ctx_len, config.d_model),
        **{f"{name}.gain": (config.d_model,) for name in config.norm_names()},
        **{f"{name}.weight": config.matrix_shape(name) for name in config.matrix_names()},
    }


class FloatModel:
    """Float forward pass over windows of tokens.

    Parameters
    ----------
    config : ModelConfig
    weights : dict of name to array
    dtype : numpy float type of the whole computation

    Raises
    ------
    UserError
        Naming the first weight that is missing or has a wrong shape.
    """

    def __init__(self, config: ModelConfig, weights: dict[str, np.ndarray], dtype=np.float32):
        for name, shape in weight_shapes(config).items():
            if name not in weights:
                raise UserError(f"float weight {name} is missing from the model")
            if np.shape(weights[name]) != shape:
                raise UserError(
                    f"float weight {name} must have shape {shape}, not {np.shape(weights[name])}"
                )
        self.config = config
        self.weights = {name: np.asarray(array, dtype) for name, array in weights.items()}
        self._logit_scale = self.weights.get("logit_scale", dtype(1))

    def logits(self, tokens: np.ndarray) -> np.ndarray:
        """Logits in nats [batch, length, vocab_size] of int windows [batch, length].

        Raises UserError if the windows are longer than the context or a token is outside the
        vocabulary.
        """
        tokens = check_windows(self.config, tokens)
        embedding = self.weights["token_embedding"]
        residual = embedding[tokens] + self.weights["position_embedding"][: tokens.shape[1]]
        for i in range(self.config.n_layers):
            residual = residual + self._attention(f"layers.{i}", residual)
            residual = residual + self._feed_forward(f"layers.{i}", residual)
        return self._norm("final_norm", residual) @ embedding.T * self._logit_scale

    def _norm(self, name: str, x: np.ndarray) -> np.ndarray:
        mean_square = np.mean(x * x, axis=-1, keepdims=True)
        return x / np.sqrt(mean_square + x.dtype.type(NORM_EPS)) * self.weights[f"{name}.gain"]

    def _project(self, name: str, x: np.ndarray) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T

    def _attention(self, layer: str, residual: np.ndarray) -> np.ndarray:
        cfg, length = self.config, residual.shape[1]
        hidden = self._norm(f"{layer}.attn_norm", residual)
        q, k, v = (
            self._project(f"{layer}.{name}_proj", hidden)
            .reshape(-1, length, cfg.n_heads, cfg.head_dim)
            .swapaxes(1, 2)
            for name in "qkv"
        )
        scores = q @ k.swapaxes(-1, -2) / q.dtype.type(cfg.head_dim**0.5)
        scores = np.where(causal_mask(length), scores, q.dtype.type(-np.inf))
        p = np.exp(scores - scores.max(axis=-1, keepdims=True))
        attn = (p @ v) / p.sum(axis=-1, keepdims=True)
        return self._project(f"{layer}.o_proj", attn.swapaxes(1, 2).reshape(residual.shape))

    def _feed_forward(self, layer: str, residual: np.ndarray) -> np.ndarray:
        hidden = self._project(f"{layer}.up_proj", self._norm(f"{layer}.ffn_norm", residual))
        return self._project(f"{layer}.down_proj", np.maximum(hidden, 0))
