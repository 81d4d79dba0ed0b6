"""The integer function of an imported model in numpy, with a tap at every stage.

Any number of tokens at a time, with a KV cache: one by one as the hardware computes, or whole
windows. The same code does both, so they cannot differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from .. import arith as arith_1
from ..context_window import drawn
from ..kv_cache import CachedSequence, Tap, no_tap
from ..reference import check_request
from ..windows import check_windows
from . import arith
from .matrix import Matrix
from .model import DecoderModel
from .sampling import DecoderSampler, DecoderSettings

_MASKED = -(2**50)
"""Score of a later position: its probability is exactly 0."""


class DecoderReference(CachedSequence):
    """A DecoderModel with a KV cache.

    Parameters
    ----------
    model : DecoderModel
    tap : Tap, optional
        Called with a stage's name and its integers, [tokens, features]. Names, in order: ``embed``;
        for each layer i ``layers.i.`` and ``attn_norm``, ``q`` and ``k`` (turned), ``v``,
        ``scores``, ``probabilities`` [n_heads, tokens, positions], ``attn``, ``attn_residual``,
        ``ffn_norm``, ``gate`` (what the activation takes), ``up`` (if gated), ``hidden``,
        ``ffn_residual``; then ``final_norm`` and ``logits`` [tokens, vocab_size].

    Attributes
    ----------
    saturations : dict of stage to [values that were limited, all values], since construction
    """

    def __init__(self, model: DecoderModel, tap: Tap = no_tap):
        cfg = model.config
        super().__init__(cfg.n_layers, cfg.ctx_len, cfg.n_kv_heads, cfg.head_dim, tap)
        self.model = model
        self.saturations: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    def step(self, token: int) -> np.ndarray:
        """Feed one token; integer logits [vocab_size] of the next.

        Raises UserError when the context is full or the token is outside the vocabulary.
        """
        return self.feed([token])[0]

    def generate(
        self, prompt: Sequence[int], count: int, settings: DecoderSettings
    ) -> Iterator[int]:
        """Yield up to ``count`` tokens after ``prompt``: as
        :meth:`model.contract.reference.Reference.generate`."""
        check_request(self.model.config, prompt, count)
        self.reset()
        logits = self.feed(prompt)[-1]
        yield from drawn(logits, DecoderSampler(settings), self, count, self.model.config.ctx_len)

    def feed(self, tokens) -> np.ndarray:
        """Feed tokens [n]; integer logits [n, vocab_size] of the one after each.

        Raises UserError when they do not fit the context or one is outside the vocabulary.
        """
        model, cfg, bits = self.model, self.model.config, self.model.config.bits
        tokens = check_windows(cfg, [tokens])[0]
        end = self._end_of(len(tokens))
        now = slice(self.position, end)
        embedding = model.matrices["token_embedding"]
        scaled = (
            embedding.weight(tokens).astype(np.int64)
            * np.asarray(embedding.mult[tokens], np.int64)[:, None]
        )
        x = arith_1.round_shift(scaled, embedding.shift)
        if model.position_embedding is not None:
            place = np.asarray(model.position_embedding[now], np.int64) * model.position_mult
            x = x + arith_1.round_shift(place, model.position_shift)
        x = self._tapped("embed", arith.clamp(x, bits.residual, self._count("embed")))
        for i in range(cfg.n_layers):
            x = self._attention_block(i, x, now)
            x = self._feed_forward_block(i, x)
        head, shift = model.head
        hidden = self._norm("final_norm", x)
        logits = self._requantized("logits", head, hidden, cfg.bits.logit, shift)
        self.position = end
        return logits

    def _attention_block(self, i: int, x: np.ndarray, now: slice) -> np.ndarray:
        model, cfg, bits = self.model, self.model.config, self.model.config.bits
        layer = f"layers.{i}."
        h = self._norm(f"{layer}attn_norm", x)
        q, k, v = (model.matrices[f"{layer}{name}_proj"] for name in "qkv")
        rotary = model.rotary_cos is not None
        q = self._requantized(f"{layer}q", q, h, bits.query, tap=not rotary)
        k_bits = bits.query if rotary else bits.key
        k = self._requantized(f"{layer}k", k, h, k_bits, tap=not rotary)
        v = self._requantized(f"{layer}v", v, h, bits.value)
        q, k, v = (a.reshape(len(a), -1, cfg.head_dim) for a in (q, k, v))
        if rotary:
            q = self._rotated(f"{layer}q", q, now, bits.query)
            k = self._rotated(f"{layer}k", k, now, bits.key)
        self._keys[i, now], self._values[i, now] = k, v
        attn = self._attend(i, q, now)
        o_proj = model.matrices[f"{layer}o_proj"]
        return self._added(f"{layer}attn_residual", x, o_proj, attn)

    def _rotated(self, stage: str, x: np.ndarray, now: slice, bits: int) -> np.ndarray:
        cos, sin = (
            np.asarray(table[now], np.int64)[:, None]
            for table in (self.model.rotary_cos, self.model.rotary_sin)
        )
        shift = arith.ROTARY_BITS + self.model.config.bits.query - bits
        turned = arith.rotate(x, cos, sin, shift, bits, self._count(stage))
        self.tap(stage, turned.reshape(len(x), -1))
        return turned

    def _attend(self, i: int, q: np.ndarray, now: slice) -> np.ndarray:
        """[tokens, n_heads * head_dim] of q [tokens, n_heads, head_dim]."""
        cfg, layer = self.model.config, self.model.layers[i]
        share = cfg.n_heads // cfg.n_kv_heads
        keys, values = (
            np.repeat(cache[i, : now.stop].astype(np.float64), share, axis=1).swapaxes(0, 1)
            for cache in (self._keys, self._values)
        )
        dot = np.rint(q.astype(np.float64).swapaxes(0, 1) @ keys.swapaxes(1, 2)).astype(np.int64)
        scores = arith_1.round_shift(dot, layer.score_shift)
        seen = np.arange(now.stop) <= np.arange(now.start, now.stop)[:, None]
        scores = np.where(seen, scores, _MASKED)
        self.tap(f"layers.{i}.scores", scores)
        p = arith.exp2(scores.max(axis=-1, keepdims=True) - scores)
        self.tap(f"layers.{i}.probabilities", p)
        acc = np.rint(p.astype(np.float64) @ values).astype(np.int64)
        mean = arith.mean_of_values(acc, p.sum(axis=-1, keepdims=True))
        mult = np.asarray(self.model.attn_mult[i], np.int64).reshape(-1, 1, cfg.head_dim)
        stage = f"layers.{i}.attn"
        attn = arith.requantize(
            mean * np.repeat(mult, share, axis=0),
            layer.attn_shift,
            cfg.bits.attention,
            self._count(stage),
        )
        return self._tapped(stage, attn.swapaxes(0, 1).reshape(len(q), -1))

    def _feed_forward_block(self, i: int, x: np.ndarray) -> np.ndarray:
        model, cfg, bits = self.model, self.model.config, self.model.config.bits
        layer, scalars = f"layers.{i}.", self.model.layers[i]
        matrix = {
            kind: model.matrices.get(f"{layer}{kind}_proj") for kind in ("gate", "up", "down")
        }
        h = self._norm(f"{layer}ffn_norm", x)
        entry = matrix["gate"] if cfg.gated else matrix["up"]
        g = self._requantized(f"{layer}gate", entry, h, bits.gate)
        y = arith.activate(g, scalars.gate_frac, cfg.activation)
        if cfg.gated:
            y = y * self._requantized(f"{layer}up", matrix["up"], h, bits.gate)
        stage = f"{layer}hidden"
        f = arith.requantize(y, scalars.hidden_shift, bits.hidden, self._count(stage))
        self.tap(stage, f)
        return self._added(f"{layer}ffn_residual", x, matrix["down"], f)

    def _norm(self, name: str, x: np.ndarray) -> np.ndarray:
        norm, cfg = self.model.norms[name], self.model.config
        if cfg.norm == "layer":
            x = arith.subtract_mean(x)
        u = arith.normalize(x, norm.eps)
        h = arith.norm_output(
            u,
            np.asarray(norm.gain, np.int64),
            norm.bias,
            norm.bias_shift,
            norm.shift,
            cfg.bits.norm,
            self._count(name),
        )
        return self._tapped(name, h)

    def _requantized(
        self, stage: str, matrix: Matrix, a, bits: int, shift: int | None = None, tap: bool = True
    ) -> np.ndarray:
        shift = matrix.shift if shift is None else shift
        value = arith.requantize(matrix.product(a), shift, bits, self._count(stage))
        return self._tapped(stage, value) if tap else value

    def _added(self, stage: str, x: np.ndarray, matrix: Matrix, a: np.ndarray) -> np.ndarray:
        bits, count = self.model.config.bits.residual, self._count(stage)
        update = arith.requantize(matrix.product(a), matrix.shift, bits, count)
        return self._tapped(stage, arith.clamp(x + update, bits, count))

    def _tapped(self, stage: str, value: np.ndarray) -> np.ndarray:
        self.tap(stage, value)
        return value

    def _count(self, stage: str) -> arith.Count:
        def count(limited: int, values: int) -> None:
            self.saturations[stage][0] += limited
            self.saturations[stage][1] += values

        return count


def window_logits(model: DecoderModel, tokens, tap: Tap = no_tap) -> np.ndarray:
    """Integer logits [batch, length, vocab_size] of token windows [batch, length].

    Each window begins anew. Raises UserError if they are longer than the context or a token is
    outside the vocabulary.
    """
    reference = DecoderReference(model, tap)
    logits = []
    for window in check_windows(model.config, tokens):
        reference.reset()
        logits.append(reference.feed(window))
    return np.stack(logits)
