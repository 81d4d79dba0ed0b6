"""The integer reference: the deployed function in numpy, with a named tap at every stage.

One token at a time, with a KV cache, exactly as the hardware computes.
:mod:`model.contract.windows` computes the same function for whole windows of tokens (the validation
loss).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..support.errors import UserError
from . import arith
from .context_window import drawn
from .integer_model import IntegerModel
from .kv_cache import CachedSequence, Tap, no_tap
from .sampling import Sampler, SamplingSettings


class Reference(CachedSequence):
    """Integer model with a KV cache.

    Parameters
    ----------
    model : IntegerModel
    tap : Tap, optional
        Called with a tap's name and its integers. Names, in order: ``embed``; for each layer i
        ``layers.i.`` and ``attn_norm``, ``q``, ``k``, ``v``, ``scores`` [n_heads, positions],
        ``probabilities`` [n_heads, positions], ``attn``, ``attn_residual``, ``ffn_norm``,
        ``ffn_hidden``, ``ffn_residual``; then ``final_norm`` and ``logits`` [vocab_size].
    """

    def __init__(self, model: IntegerModel, tap: Tap = no_tap):
        cfg = model.config
        super().__init__(cfg.n_layers, cfg.ctx_len, cfg.n_heads, cfg.head_dim, tap)
        self.model = model

    def step(self, token: int) -> np.ndarray:
        """Feed one token; integer logits [vocab_size] of the next.

        Raises UserError when the context is full.
        """
        model, cfg, tap = self.model, self.model.config, self.tap
        end = self._end_of(1)
        residual = arith.embed(
            model.token_embedding[token],
            model.position_embedding[self.position],
            model.token_mult,
            model.position_mult,
        )
        tap("embed", residual)
        for i in range(cfg.n_layers):
            residual = self._layer(i, residual)
        hidden = self._norm("final_norm", residual)
        tap("final_norm", hidden)
        logits = model.token_embedding @ hidden
        tap("logits", logits)
        self.position = end
        return logits

    def _layer(self, i: int, residual: np.ndarray) -> np.ndarray:
        cfg, tap, now = self.model.config, self.tap, self.position
        layer = f"layers.{i}"
        hidden = self._norm(f"{layer}.attn_norm", residual)
        tap(f"{layer}.attn_norm", hidden)
        q, k, v = (
            self._project(f"{layer}.{name}_proj", hidden, arith.to_activation) for name in "qkv"
        )
        for name, value in zip("qkv", (q, k, v), strict=True):
            tap(f"{layer}.{name}", value)
        self._keys[i, now] = k.reshape(cfg.n_heads, cfg.head_dim)
        self._values[i, now] = v.reshape(cfg.n_heads, cfg.head_dim)
        attn = self._attend(i, q)
        tap(f"{layer}.attn", attn)
        update = self._project(f"{layer}.o_proj", attn, arith.to_residual)
        residual = arith.add_residual(residual, update)
        tap(f"{layer}.attn_residual", residual)
        hidden = self._norm(f"{layer}.ffn_norm", residual)
        tap(f"{layer}.ffn_norm", hidden)
        hidden = self._project(f"{layer}.up_proj", hidden, arith.to_relu)
        tap(f"{layer}.ffn_hidden", hidden)
        update = self._project(f"{layer}.down_proj", hidden, arith.to_residual)
        residual = arith.add_residual(residual, update)
        tap(f"{layer}.ffn_residual", residual)
        return residual

    def _attend(self, i: int, q: np.ndarray) -> np.ndarray:
        cfg, end = self.model.config, self.position + 1
        softmax = arith.Softmax(self.model.score_shifts[i])
        keys, values = self._keys[i, :end], self._values[i, :end]
        dot = np.einsum("hd,phd->hp", q.reshape(cfg.n_heads, cfg.head_dim), keys)
        scores = softmax.scores(dot)
        self.tap(f"layers.{i}.scores", scores)
        p = softmax.probabilities(scores)
        self.tap(f"layers.{i}.probabilities", p)
        acc = np.einsum("hp,phd->hd", p, values)
        return softmax.divide(acc, p.sum(axis=1, keepdims=True)).reshape(cfg.d_model)

    def _norm(self, name: str, residual: np.ndarray) -> np.ndarray:
        norm = self.model.norms[name]
        return arith.RMSNorm(self.model.config.d_model, norm.shift)(residual, norm.gain)

    def _project(self, name: str, hidden: np.ndarray, requantizer) -> np.ndarray:
        matrix = self.model.matrices[name]
        return requantizer(matrix.shift)(matrix.weight @ hidden, matrix.mult)

    def generate(self, prompt: list[int], count: int, settings: SamplingSettings) -> Iterator[int]:
        """Yield up to ``count`` tokens after ``prompt``, as the core does.

        Starts a new sequence. Stops early when the context is full: a prompt of n tokens leaves
        at most ``ctx_len - n + 1``. Raises UserError for an empty or too long prompt, a token
        outside the vocabulary, or ``count`` below 1.
        """
        check_request(self.model.config, prompt, count)
        self.reset()
        for token in prompt:
            logits = self.step(token)
        yield from drawn(logits, Sampler(settings), self, count, self.model.config.ctx_len)


def check_request(config, prompt: list[int], count: int):
    """Raise UserError if ``prompt`` and ``count`` are no request that the core can serve."""
    if not prompt:
        raise UserError("the prompt must have at least 1 token, but is empty")
    if len(prompt) > config.ctx_len:
        raise UserError(
            f"the prompt has {len(prompt)} tokens, but the context holds {config.ctx_len}; "
            "shorten the prompt"
        )
    for token in prompt:
        if not 0 <= token < config.vocab_size:
            raise UserError(f"token {token} is outside the vocabulary of {config.vocab_size}")
    if count < 1:
        raise UserError(f"tokens must be at least 1, not {count}")
