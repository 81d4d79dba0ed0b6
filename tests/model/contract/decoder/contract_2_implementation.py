"""The function of docs/number_contract_2.md, written from that page alone.

Plain integers; numpy only reads the file and computes the float64 tables. Nothing of gateformer is
imported, so that a mistake of the package cannot repeat itself here.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np

TYPES = {"I8": "<i1", "U8": "<u1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "F32": "<f4"}


def round_shift(x: int, s: int) -> int:
    return (x + (1 << s >> 1)) >> s


def clamp(x: int, n: int) -> int:
    limit = (1 << (n - 1)) - 1
    return max(-limit, min(limit, x))


EXP2 = [round(32767 * 2 ** (-i / 256)) for i in range(256)]
RECIPROCAL = [round(65536 / (1 + (i + 0.5) / 1024)) for i in range(1024)]
ACTIVATIONS = {
    "relu": lambda z: 1.0,
    "silu": lambda z: 1 / (1 + math.exp(-z)),
    "gelu": lambda z: (1 + math.erf(z / math.sqrt(2))) / 2,
    "gelu_tanh": lambda z: (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2,
}
GATES = {
    name: [round(65536 * share(i / 32)) for i in range(512)] + [65536]
    for name, share in ACTIVATIONS.items()
}


def exp2(t: int) -> int:
    return 0 if t >= 4096 else round_shift(EXP2[t % 256], t // 256)


def gate_share(g: int, frac: int, activation: str) -> int:
    table = GATES[activation]
    w = abs(g) << (14 - frac)
    i = w >> 9
    share = 65536
    if i < 512:
        share = table[i] + round_shift((table[i + 1] - table[i]) * (w % 512), 9)
    return 65536 - share if g < 0 else share


def read(path: str | Path) -> Decoder:
    """The decoder of an artifact of version 2."""
    data = Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    facts = json.loads(header.pop("__metadata__")["gateformer"])
    assert facts["spec_version"] == 2
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        values = np.frombuffer(data[8 + size + first : 8 + size + last], TYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return Decoder(facts, tensors)


class Decoder:
    """``facts`` is the metadata entry, ``tensors`` the arrays of the file."""

    def __init__(self, facts: dict, tensors: dict[str, np.ndarray]) -> None:
        self.facts, self.tensors = facts, tensors
        self.config, self.scalars = facts["config"], facts["scalars"]
        self.weights = {name: self._weights(name) for name in self.config["formats"]}

    def digest(self) -> str:
        head = {"config": self.config, "scalars": self.scalars, "spec": 2}
        sha = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
        for name in sorted(self.tensors):
            if self.tensors[name].dtype.kind != "f":
                sha.update(name.encode())
                sha.update(self.tensors[name].tobytes())
        return sha.hexdigest()

    def _shape(self, name: str) -> tuple[int, int]:
        c = self.config
        d, wide, narrow = (
            c["d_model"],
            c["n_heads"] * c["head_dim"],
            c["n_kv_heads"] * c["head_dim"],
        )
        return {
            "token_embedding": (c["vocab_size"], d),
            "lm_head": (c["vocab_size"], d),
            "q_proj": (wide, d),
            "k_proj": (narrow, d),
            "v_proj": (narrow, d),
            "o_proj": (d, wide),
            "gate_proj": (c["d_ff"], d),
            "up_proj": (c["d_ff"], d),
            "down_proj": (d, c["d_ff"]),
        }[name.split(".")[-1]]

    def _weights(self, name: str) -> list[list[int]]:
        rows, columns = self._shape(name)
        count = rows * columns
        kind, *rest = self.config["formats"][name].split(":")
        if kind == "trits":
            flat = [0] * count
            for plane in self.tensors[name + ".trits"].tolist():
                trits = [byte // 3**k % 3 - 1 for byte in plane for k in range(5)]
                flat = [3 * w + t for w, t in zip(flat, trits, strict=False)]
            return [flat[r * columns : (r + 1) * columns] for r in range(rows)]
        bits = int(rest[0]) if kind == "block" else int(kind[3:])
        group = int(rest[1]) if kind == "block" else columns
        unsigned = "min" in rest
        stream = int.from_bytes(self.tensors[name + ".codes"].tobytes(), "little")
        flat = [stream >> (bits * i) & ((1 << bits) - 1) for i in range(count)]
        if not unsigned:
            flat = [code - (code >> (bits - 1) << bits) for code in flat]
        if kind != "block":
            return [flat[r * columns : (r + 1) * columns] for r in range(rows)]
        scale = self.tensors[name + ".group_scale"].tolist()
        low = [[0] * (columns // group)] * rows
        if unsigned:
            low = self.tensors[name + ".group_min"].tolist()
        shift = self.scalars["matrices"][name]["min_shift"]
        return [
            [
                scale[r][c // group] * flat[r * columns + c] + (low[r][c // group] << shift)
                for c in range(columns)
            ]
            for r in range(rows)
        ]

    def _project(self, name: str, a: list[int], bits: int, shift: int | None = None) -> list[int]:
        scalars = self.scalars["matrices"][name]
        mult = self.tensors[name + ".mult"].tolist()
        bias = self.tensors.get(name + ".bias", np.zeros(len(mult), int)).tolist()
        out = []
        for row, m, b in zip(self.weights[name], mult, bias, strict=True):
            total = sum(w * v for w, v in zip(row, a, strict=True)) * m
            total += b << scalars["bias_shift"]
            out.append(
                clamp(round_shift(total, scalars["shift"] if shift is None else shift), bits)
            )
        return out

    def _norm(self, x: list[int], name: str) -> list[int]:
        d, scalars = len(x), self.scalars["norms"][name]
        if self.config["norm"] == "layer":
            b = (d - 1).bit_length()
            c = round(2 ** (23 + b) / d)
            mean = round_shift(sum(x) * c, 23 + b)
            x = [v - mean for v in x]
        s = max(sum(v * v for v in x) + scalars["eps"], 1)
        e = (s.bit_length() - 1) // 2
        index = (512 * s) >> (2 * e)
        r = round(4096 * math.sqrt(d * 512 / (index + 0.5)))
        gain = self.tensors[name + ".gain"].tolist()
        bias = [0] * d
        if self.config["norm_bias"]:
            bias = self.tensors[name + ".bias"].tolist()
        return [
            clamp(
                round_shift(
                    round_shift(v * r, e) * g + (b << scalars["bias_shift"]), scalars["shift"]
                ),
                self.config["bits"]["norm"],
            )
            for v, g, b in zip(x, gain, bias, strict=True)
        ]

    def _turn(self, x: list[int], p: int, bits: int, n: int) -> list[int]:
        dim = self.config["head_dim"]
        half, out = dim // 2, list(x)
        cos, sin = self.tensors["rotary.cos"][p].tolist(), self.tensors["rotary.sin"][p].tolist()
        for head in range(0, len(x), dim):
            for j in range(half):
                a, b, c, s = x[head + j], x[head + j + half], cos[j], sin[j]
                out[head + j] = clamp(round_shift(a * c - b * s, n), bits)
                out[head + j + half] = clamp(round_shift(b * c + a * s, n), bits)
        return out

    def _attention(self, i: int, q: list[int], keys: list, values: list) -> list[int]:
        c, layer = self.config, self.scalars["layers"][i]
        mult, dim, out = self.tensors[f"layers.{i}.attn_mult"].tolist(), self.config["head_dim"], []
        for h in range(c["n_heads"]):
            first = h * c["n_kv_heads"] // c["n_heads"] * dim
            head = q[h * dim : (h + 1) * dim]
            score = [
                round_shift(
                    sum(a * b for a, b in zip(head, k[first : first + dim], strict=True)),
                    layer["score_shift"],
                )
                for k in keys
            ]
            prob = [exp2(max(score) - s) for s in score]
            total = sum(prob)
            e = total.bit_length() - 1
            r = RECIPROCAL[(1024 * total >> e) - 1024]
            for channel in range(first, first + dim):
                acc = sum(w * v[channel] for w, v in zip(prob, values, strict=True))
                mean = round_shift(acc * r, 8 + e)
                a = round_shift(mean * mult[channel], layer["attn_shift"])
                out.append(clamp(a, c["bits"]["attention"]))
        return out

    def _feed_forward(self, i: int, h: list[int]) -> list[int]:
        c, layer, bits = self.config, self.scalars["layers"][i], self.config["bits"]
        up = self._project(f"layers.{i}.up_proj", h, bits["gate"])
        g = self._project(f"layers.{i}.gate_proj", h, bits["gate"]) if c["gated"] else up
        f = []
        for value, u in zip(g, up, strict=True):
            y = value * gate_share(value, layer["gate_frac"], c["activation"])
            y = round_shift(y, 14) * (u if c["gated"] else 1)
            f.append(clamp(round_shift(y, layer["hidden_shift"]), bits["hidden"]))
        return f

    def _embed(self, t: int, p: int) -> list[int]:
        mult = int(self.tensors["token_embedding.mult"][t])
        shift = self.scalars["matrices"]["token_embedding"]["shift"]
        x = [round_shift(w * mult, shift) for w in self.weights["token_embedding"][t]]
        if self.config["positions"] == "learned":
            m, s = self.scalars["position_mult"], self.scalars["position_shift"]
            row = self.tensors["position_embedding"][p].tolist()
            x = [v + round_shift(w * m, s) for v, w in zip(x, row, strict=True)]
        return [clamp(v, self.config["bits"]["residual"]) for v in x]

    def logits(self, tokens: list[int]) -> list[list[int]]:
        """The logits after each of ``tokens``, which are fed from position 0 on."""
        c, bits = self.config, self.config["bits"]
        keys: list = [[] for _ in range(c["n_layers"])]
        values: list = [[] for _ in range(c["n_layers"])]
        rotary, out = c["positions"] == "rotary", []
        logit = bits.get("logit", 32)
        for p, t in enumerate(tokens):
            x = self._embed(t, p)
            for i in range(c["n_layers"]):
                h = self._norm(x, f"layers.{i}.attn_norm")
                q = self._project(f"layers.{i}.q_proj", h, bits["query"])
                k = self._project(f"layers.{i}.k_proj", h, bits["query" if rotary else "key"])
                if rotary:
                    q = self._turn(q, p, bits["query"], 14)
                    k = self._turn(k, p, bits["key"], 14 + bits["query"] - bits["key"])
                keys[i].append(k)
                values[i].append(self._project(f"layers.{i}.v_proj", h, bits["value"]))
                x = self._add(x, f"layers.{i}.o_proj", self._attention(i, q, keys[i], values[i]))
                h = self._norm(x, f"layers.{i}.ffn_norm")
                x = self._add(x, f"layers.{i}.down_proj", self._feed_forward(i, h))
            h = self._norm(x, "final_norm")
            if c["tied_head"]:
                out.append(self._project("token_embedding", h, logit, self.scalars["head_shift"]))
            else:
                out.append(self._project("lm_head", h, logit))
        return out

    def _add(self, x: list[int], name: str, a: list[int]) -> list[int]:
        bits = self.config["bits"]["residual"]
        return [clamp(v + w, bits) for v, w in zip(x, self._project(name, a, bits), strict=True)]
