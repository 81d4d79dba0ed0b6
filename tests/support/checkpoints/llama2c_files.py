"""llama2.c files of random models, as its export.py writes them, and its run.c in plain numpy."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

SIZES = {"dim": 24, "hidden": 40, "layers": 2, "heads": 3, "kv": 1, "vocab": 29, "length": 32}
KINDS = ("att_norm", "wq", "wk", "wv", "wo", "ffn_norm", "w1", "w2", "w3")


def shapes(sizes: dict) -> dict[str, tuple[int, ...]]:
    """Of all layers' tensors together, by run.c's names."""
    d, h, n = sizes["dim"], sizes["hidden"], sizes["layers"]
    kv = d // sizes["heads"] * sizes["kv"]
    return {
        **{"emb": (sizes["vocab"], d), "att_norm": (n, d), "wq": (n, d, d), "wk": (n, kv, d)},
        **{"wv": (n, kv, d), "wo": (n, d, d), "ffn_norm": (n, d), "w1": (n, h, d)},
        **{"w2": (n, d, h), "w3": (n, h, d), "norm": (d,), "cls": (sizes["vocab"], d)},
    }


def random_weights(sizes: dict = SIZES) -> dict[str, np.ndarray]:
    """Random weights by run.c's names, a classifier of its own among them."""
    rng = np.random.default_rng(0)
    return {
        name: (rng.normal(size=shape) * 0.3 + ("norm" in name)).astype(np.float32)
        for name, shape in shapes(sizes).items()
    }


def write(path: Path, weights, version: int, shared: bool, sizes=SIZES, group: int = 8) -> Path:
    """A file of one version; without the classifier if it is ``shared``."""
    fields = ["dim", "hidden", "layers", "heads", "kv", "vocab", "length"]
    numbers = [sizes[field] for field in fields]
    cls = [] if shared else ["cls"]
    if version == 0:
        numbers[5] *= 1 if shared else -1
        head = struct.pack("<7i", *numbers)
        table = np.zeros(sizes["length"] * sizes["dim"] // sizes["heads"], np.float32)
        parts = [weights[name].tobytes() for name in ("emb", *KINDS, "norm")]
        parts += [table.tobytes(), *(weights[name].tobytes() for name in cls)]
        path.write_bytes(head + b"".join(parts))
        return path
    head = struct.pack("<Ii7iB", 0x616B3432, version, *numbers, shared)
    head += struct.pack("<i", group) if version == 2 else b""
    parts = [head.ljust(256, b"\0")]
    parts += [weights[name].tobytes() for name in ("att_norm", "ffn_norm", "norm")]
    for name in ("emb", *(kind for kind in KINDS if "norm" not in kind), *cls):
        layers = weights[name] if weights[name].ndim == 3 else [weights[name]]
        for layer in layers:
            if version == 1:
                parts.append(layer.tobytes())
            else:
                codes, scale = quantized(layer, group)
                parts += [codes.tobytes(), scale.tobytes()]
    path.write_bytes(b"".join(parts))
    return path


def quantized(weights: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
    """export.py's quantize_q80: int8 codes and float32 scales, a group in each row."""
    groups = weights.reshape(-1, group)
    scale = (np.abs(groups).max(axis=1) / np.float32(127)).astype(np.float32)
    return np.rint(groups / scale[:, None]).astype(np.int8), scale


def dequantized(weights: dict[str, np.ndarray], group: int) -> dict[str, np.ndarray]:
    """What a file of version 2 holds of them."""

    def rounded(array):
        codes, scale = quantized(array, group)
        return (codes * scale[:, None]).reshape(array.shape)

    return {n: w if "norm" in n else rounded(w) for n, w in weights.items()}


def read_legacy(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """(sizes, weights) of a legacy file, as run.c maps it."""
    data = path.read_bytes()
    sizes = dict(zip(SIZES, struct.unpack("<7i", data[:28]), strict=True))
    shared, sizes["vocab"] = sizes["vocab"] > 0, abs(sizes["vocab"])
    floats, place, weights = np.frombuffer(data, np.float32, offset=28), 0, {}
    for name in ("emb", *KINDS, "norm"):
        shape = shapes(sizes)[name]
        weights[name] = floats[place : place + math.prod(shape)].reshape(shape)
        place += math.prod(shape)
    place += sizes["length"] * sizes["dim"] // sizes["heads"]
    weights["cls"] = weights["emb"] if shared else floats[place:].reshape(weights["emb"].shape)
    return sizes, weights


class Run:
    """run.c's forward: one token after another, rotary pairs of neighbours, a KV cache."""

    def __init__(self, sizes: dict, weights: dict[str, np.ndarray]):
        self.sizes, self.weights = sizes, weights
        self.keys = [[] for _ in range(sizes["layers"])]
        self.values = [[] for _ in range(sizes["layers"])]

    def forward(self, token: int) -> np.ndarray:
        """Logits after the next token."""
        s, w = self.sizes, self.weights
        x, size = w["emb"][token].copy(), s["dim"] // s["heads"]
        for i in range(s["layers"]):
            h = rms(x, w["att_norm"][i])
            q, k, v = w["wq"][i] @ h, w["wk"][i] @ h, w["wv"][i] @ h
            position = len(self.keys[i])
            q, k = turn(q, position, size), turn(k, position, size)
            self.keys[i].append(k.reshape(s["kv"], size))
            self.values[i].append(v.reshape(s["kv"], size))
            heads = []
            for head in range(s["heads"]):
                shared = head // (s["heads"] // s["kv"])
                query = q[head * size : (head + 1) * size]
                scores = np.array([query @ k[shared] for k in self.keys[i]]) / math.sqrt(size)
                powers = np.exp(scores - scores.max())
                powers /= powers.sum()
                values = [v[shared] for v in self.values[i]]
                heads.append(sum(p * v for p, v in zip(powers, values, strict=True)))
            x += w["wo"][i] @ np.concatenate(heads)
            h = rms(x, w["ffn_norm"][i])
            gate = w["w1"][i] @ h
            x += w["w2"][i] @ (gate / (1 + np.exp(-gate)) * (w["w3"][i] @ h))
        return w["cls"] @ rms(x, w["norm"])


def rms(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
    return gain * x / np.sqrt((x * x).mean() + 1e-5)


def turn(x: np.ndarray, position: int, size: int) -> np.ndarray:
    out = x.copy()
    for i in range(0, len(x), 2):
        angle = position / 10000 ** (i % size / size)
        out[i] = x[i] * math.cos(angle) - x[i + 1] * math.sin(angle)
        out[i + 1] = x[i] * math.sin(angle) + x[i + 1] * math.cos(angle)
    return out
