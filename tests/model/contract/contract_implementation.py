"""The integer function from docs/number_contract.md alone: nothing of the project is imported.

Plain Python on one token at a time, but for matrix products, which numpy sums in int64.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import safetensors.numpy

MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")


def round_shift(x: int, s: int) -> int:
    return (x + 2 ** (s - 1)) >> s if s else x


def clamp(x: int, n: int) -> int:
    return max(-n, min(x, n))


def nearest(value: Fraction) -> int:
    """The nearest integer, of two the upper one."""
    return math.floor(value + Fraction(1, 2))


def nearest_root(square: Fraction) -> int:
    """√square rounded to the nearest integer, without floats."""
    twice = math.isqrt(math.floor(4 * square))
    return (twice + 1) // 2


def nearest_power(t: int) -> int:
    """255 · 2^(−t/32) rounded to the nearest integer, half up, without floats: n is the largest
    with n − ½ ≤ 255 · 2^(−t/32), or (2n − 1)³² · 2ᵗ ≤ 510³²."""
    return max(n for n in range(256) if n == 0 or (2 * n - 1) ** 32 * 2**t <= 510**32)


EXP2 = [nearest_power(t) for t in range(512)]
RECIPROCAL = [nearest(512 / (1 + Fraction(2 * index + 1, 512))) for index in range(256)]


def exp2(t: int) -> int:
    return EXP2[min(t, 511)]


def inverse_rms(d_model: int, index: int) -> int:
    return nearest_root(Fraction(256**2 * d_model * 64 * 2, 2 * index + 1))


class Model:
    """An artifact's integers. ``step`` feeds a token, ``generate`` serves a request."""

    def __init__(self, content: bytes):
        size = int.from_bytes(content[:8], "little")
        facts = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["gateformer"])
        assert facts["spec_version"] == 1
        self.config, self.scalars, self.digest = facts["config"], facts["scalars"], facts["digest"]
        stored = safetensors.numpy.load(content)
        self.tensors = {
            name: array
            for name, array in stored.items()
            if not name.startswith("float.") and not name.endswith(".trits")
        }
        for i in range(self.config["n_layers"]):
            for kind in MATRICES:
                name = f"layers.{i}.{kind}"
                self.tensors[f"{name}.weight"] = self._unpacked(name, stored[f"{name}.trits"])
        self.wide = {name: array.astype(np.int64) for name, array in self.tensors.items()}
        d_model = self.config["d_model"]
        self.inverse_rms = {i: inverse_rms(d_model, i) for i in range(64, 256)}
        self.begin()

    def _unpacked(self, name: str, planes: np.ndarray) -> np.ndarray:
        """INT8 [out, in] of the packed planes."""
        d_model, d_ff = self.config["d_model"], self.config["d_ff"]
        kind = name.rsplit(".", 1)[1]
        out = d_ff if kind == "up_proj" else d_model
        columns = d_ff if kind == "down_proj" else d_model
        digits = self.config["digits"][name]
        assert planes.shape == (digits, math.ceil(out * columns / 5))
        weights = [0] * (out * columns)
        for j, plane in enumerate(planes.tolist()):
            for place, byte in enumerate(plane):
                for k in range(min(5, out * columns - 5 * place)):
                    trit = byte // 3**k % 3 - 1
                    weights[5 * place + k] += trit * 3 ** (digits - 1 - j)
        return np.array(weights, np.int8).reshape(out, columns)

    def computed_digest(self) -> str:
        facts = {"config": self.config, "scalars": self.scalars, "spec": 1}
        hasher = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        for name in sorted(self.tensors):
            hasher.update(name.encode() + self.tensors[name].tobytes())
        return hasher.hexdigest()

    def begin(self) -> None:
        """A new sequence: nothing was fed."""
        layers = range(self.config["n_layers"])
        self.keys, self.values = [[] for _ in layers], [[] for _ in layers]
        self.position = 0

    def step(self, token: int) -> list[int]:
        """Logits after ``token`` at the next position."""
        scalars, p = self.scalars, self.position
        rows = self.tensors["token_embedding"][token].tolist()
        places = self.tensors["position_embedding"][p].tolist()
        x = [
            clamp(row * scalars["token_mult"] + place * scalars["position_mult"], 32767)
            for row, place in zip(rows, places, strict=True)
        ]
        for i in range(self.config["n_layers"]):
            layer = f"layers.{i}."
            h = self._norm(f"{layer}attn_norm", x)
            q, k, v = (self._requantize(f"{layer}{kind}_proj", h, -127) for kind in "qkv")
            self.keys[i].append(k)
            self.values[i].append(v)
            x = self._add(f"{layer}o_proj", self._attention(i, q), x)
            h = self._norm(f"{layer}ffn_norm", x)
            f = self._requantize(f"{layer}up_proj", h, 0)
            x = self._add(f"{layer}down_proj", f, x)
        h = self._norm("final_norm", x)
        self.position += 1
        return (self.wide["token_embedding"] @ h).tolist()

    def _norm(self, name: str, x: list[int]) -> list[int]:
        total = max(sum(value * value for value in x), 1)
        e = 0
        while 4 ** (e + 1) <= total:
            e += 1
        r = self.inverse_rms[64 * total // 4**e]
        gains = self.tensors[f"{name}.gain"].tolist()
        shift = self.scalars["shifts"][name]
        return [
            clamp(round_shift(round_shift(value * r, e) * gain, shift), 127)
            for value, gain in zip(x, gains, strict=True)
        ]

    def _products(self, name: str, h: list[int]) -> list[int]:
        """``round_shift(acc * mult, shift)`` of every row."""
        acc = (self.wide[f"{name}.weight"] @ np.array(h, np.int64)).tolist()
        mult, shift = self.tensors[f"{name}.mult"].tolist(), self.scalars["shifts"][name]
        return [round_shift(a * m, shift) for a, m in zip(acc, mult, strict=True)]

    def _requantize(self, name: str, h: list[int], low: int) -> list[int]:
        return [max(low, min(value, 127)) for value in self._products(name, h)]

    def _add(self, name: str, h: list[int], x: list[int]) -> list[int]:
        increments = self._products(name, h)
        return [
            clamp(value + clamp(increment, 32767), 32767)
            for value, increment in zip(x, increments, strict=True)
        ]

    def _attention(self, i: int, q: list[int]) -> list[int]:
        width, output = self.config["d_model"] // self.config["n_heads"], []
        keys, values = np.array(self.keys[i], np.int64), np.array(self.values[i], np.int64)
        for head in range(self.config["n_heads"]):
            part = slice(head * width, (head + 1) * width)
            dots = (keys[:, part] @ np.array(q[part], np.int64)).tolist()
            scores = [round_shift(dot, self.scalars["score_shifts"][i]) for dot in dots]
            prob = [exp2(max(scores) - score) for score in scores]
            total = sum(prob)
            e = total.bit_length() - 1
            r = RECIPROCAL[256 * total // 2**e - 256]
            sums = (np.array(prob, np.int64) @ values[:, part]).tolist()
            output += [clamp(round_shift(acc * r, 9 + e), 127) for acc in sums]
        return output

    def generate(
        self, prompt: list[int], count: int, mult: int = 0, shift: int = 0, top_k: int = 0, seed=0
    ) -> Iterator[int]:
        """Up to ``count`` tokens after the prompt; greedy with a ``mult`` of 0."""
        self.begin()
        state = seeded(seed)
        for token in prompt:
            logits = self.step(token)
        for remaining in range(count, 0, -1):
            if mult == 0:
                token = logits.index(max(logits))
            else:
                state = xorshift32(state)
                token = sampled(logits, mult, shift, top_k, state)
            yield token
            if remaining == 1 or self.position == self.config["ctx_len"]:
                return
            logits = self.step(token)


def sampled(logits: list[int], mult: int, shift: int, top_k: int, number: int) -> int:
    best = max(logits)
    keys = [min(round_shift((best - logit) * mult, shift), 511) for logit in logits]
    order = sorted(range(len(keys)), key=lambda i: (keys[i], i))
    stay = set(order[:top_k] if top_k else order)
    p = [exp2(key) if i in stay else 0 for i, key in enumerate(keys)]
    threshold = ((number >> 8) * sum(p)) >> 24
    reached = 0
    for i, share in enumerate(p):
        reached += share
        if reached > threshold:
            return i
    raise AssertionError("the threshold is below the total")


def xorshift32(y: int) -> int:
    y ^= y << 13 & 0xFFFFFFFF
    y ^= y >> 17
    y ^= y << 5 & 0xFFFFFFFF
    return y


def seeded(seed: int) -> int:
    state = seed ^ 0x9E3779B9 or 1
    for _ in range(16):
        state = xorshift32(state)
    return state


def temperature(value: float, logit_scale: float) -> tuple[int, int]:
    """(temperature_mult, temperature_shift)."""
    if value == 0:
        return 0, 0
    scale = min(logit_scale * math.log2(math.e) / value * 32, 255)
    shift = max(s for s in range(32) if s == 0 or round(scale * 2**s) <= 255)
    return max(round(scale * 2**shift), 1), shift
