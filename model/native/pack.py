"""An integer model as ``stream.c`` takes it: macros of its shape, and one buffer.

A weight is stored plus an offset, so that it is unsigned: 2 bits for ternary ones, 4 for two
digits, 8 for more and for the output head. One vector holds four inputs each of as many rows as
there are 32-bit lanes, 8, 4 or 2 bits per field; rows of the same lane are fields of one byte.
"""

from __future__ import annotations

import numpy as np

from ..contract import arith
from ..contract.integer_model import IntegerModel, Norm
from ..support.errors import UserError

RECORD = 64
"""Bytes to multiples of which everything in the buffer is aligned."""
INPUT_GROUP = 8
"""Columns to multiples of which a matrix is padded."""
BITS = {1: 2, 2: 4, 3: 8, 4: 8, 5: 8}
"""Bits of a stored weight by its digits."""

_LIMIT = 2**31


def macros(model: IntegerModel) -> dict[str, int]:
    """What ``stream.c`` is compiled with: the shape, and which products need 64 bits.

    Raises UserError, naming the size, if a sum of products does not fit 32 bits.
    """
    cfg = model.config
    for name in ("d_model", "d_ff"):
        if getattr(cfg, name) * 255 * 128 >= _LIMIT // 2:
            raise UserError(
                f"{name} must be at most {(_LIMIT // 2 - 1) // (255 * 128)} for the C stream, "
                f"not {getattr(cfg, name)}"
            )
    return {
        "VOCAB_SIZE": cfg.vocab_size,
        "D_MODEL": cfg.d_model,
        "N_HEADS": cfg.n_heads,
        "N_LAYERS": cfg.n_layers,
        "D_FF": cfg.d_ff,
        "CTX_LEN": cfg.ctx_len,
        "WIDE_PROJECT": _wide(
            max(
                _with_half(matrix.acc_bound * int(matrix.mult.max()), matrix.shift)
                for matrix in model.matrices.values()
            )
        ),
        "WIDE_NORM": _wide(_norm_bound(model)),
        "WIDE_DIVIDE": _wide(_divide_bound(cfg.ctx_len)),
        "WIDE_LOGIT": _wide(2 * _logit_bound(model) * 255 + 2**30),
    }


def pack(model: IntegerModel, lanes: int) -> bytearray:
    """The buffer for vectors of ``lanes`` 32-bit lanes; ``stream_new`` of stream.c reads it."""
    cfg, block = model.config, 4 * lanes
    head = _padded(cfg.head_dim, max(lanes, INPUT_GROUP))
    heads = (np.arange(cfg.d_model) // cfg.head_dim) * head + np.arange(cfg.d_model) % cfg.head_dim
    attn = cfg.n_heads * head
    out = _Buffer()
    out.add([model.token_mult, model.position_mult], np.int32)
    wide = _padded(cfg.d_model, block)
    for embedding in (model.token_embedding, model.position_embedding):
        out.add(_columns(embedding, wide), np.int8)
    out.add(arith.RMSNorm(cfg.d_model, 0).table, np.int32)
    out.add(arith.Softmax(0).table, np.int32)
    out.add(exp2_mantissas(), np.int32)

    def add_norm(norm: Norm) -> None:
        out.add([norm.shift], np.int32)
        out.add(_columns(norm.gain[None], wide), np.int8)

    def add_matrix(weight, mult, shift, bits, offset) -> None:
        rows, columns = (_padded(weight.shape[i], to) for i, to in ((0, block), (1, INPUT_GROUP)))
        unsigned = np.zeros((rows, columns), np.int64)
        unsigned[: weight.shape[0], : weight.shape[1]] = weight + offset
        out.add([bits, offset, shift], np.int32)
        out.add(np.pad(mult, (0, rows - len(mult))), np.uint8)
        out.add(_fields(unsigned, bits, lanes), np.uint8)

    for i in range(cfg.n_layers):
        layer = f"layers.{i}."
        out.add([model.score_shifts[i]], np.int32)
        for kind in ("attn_norm", "q_proj", "k_proj", "v_proj", "o_proj"):
            if kind == "attn_norm":
                add_norm(model.norms[layer + kind])
                continue
            matrix = model.matrices[layer + kind]
            weight, mult = matrix.weight, matrix.mult
            if kind == "o_proj":
                weight = _placed(weight.T, heads, attn).T
            else:
                weight, mult = _placed(weight, heads, attn), _placed(mult, heads, attn)
            offset = arith.max_weight(matrix.digits)
            add_matrix(weight, mult, matrix.shift, BITS[matrix.digits], offset)
        add_norm(model.norms[f"{layer}ffn_norm"])
        for kind in ("up_proj", "down_proj"):
            matrix = model.matrices[layer + kind]
            offset = arith.max_weight(matrix.digits)
            add_matrix(matrix.weight, matrix.mult, matrix.shift, BITS[matrix.digits], offset)
    add_norm(model.norms["final_norm"])
    ones = np.ones(cfg.vocab_size, np.int64)
    add_matrix(model.token_embedding, ones, 0, 8, arith.ACT_MAX)
    return out.content


def exp2_mantissas() -> np.ndarray:
    """One octave of ``arith.EXP2`` with 16 more bits.

    ``(mantissa[t % 32] + (1 << 15 << t // 32)) >> (16 + t // 32)`` is ``EXP2(t)`` for every t.
    """
    size = 2**arith.EXP2.FRAC_BITS
    largest = int(arith.EXP2.table[0]) << 16
    return np.rint(largest * np.exp2(-np.arange(size) / size)).astype(np.int64)


class _Buffer:
    """Arrays one behind the other, each at a multiple of RECORD."""

    def __init__(self):
        self.content = bytearray()

    def add(self, values, dtype) -> None:
        self.content += np.asarray(values).astype(dtype).tobytes()
        self.content += bytes(-len(self.content) % RECORD)


def _padded(size: int, to: int) -> int:
    return -(-size // to) * to


def _columns(rows: np.ndarray, width: int) -> np.ndarray:
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])))


def _placed(rows: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    """Zeros [count, …] with ``rows`` at their places."""
    placed = np.zeros((count, *rows.shape[1:]), rows.dtype)
    placed[places] = rows
    return placed


def _fields(unsigned: np.ndarray, bits: int, lanes: int) -> np.ndarray:
    """Bytes [block, group of 4 inputs, vector, lane, input] of weights [rows, columns]."""
    fields = 8 // bits
    split = unsigned.reshape(-1, 4 // fields, fields, lanes, unsigned.shape[1] // 4, 4)
    shifted = split << (bits * np.arange(fields))[:, None, None, None]
    return shifted.sum(axis=2).transpose(0, 3, 1, 2, 4)


def _wide(bound: int) -> int:
    return int(bound >= _LIMIT)


def _with_half(bound: int, shift: int) -> int:
    return bound + (1 << shift >> 1)


def _norm_bound(model: IntegerModel) -> int:
    """Bound of both products of every RMSNorm with what is added for rounding."""
    bounds = []
    for norm in model.norms.values():
        rms = arith.RMSNorm(model.config.d_model, norm.shift)
        bounds.append(_with_half(arith.RESIDUAL_MAX * int(rms.table.max()), rms.max_exponent))
        bounds.append(_with_half(rms.max_normalized * arith.ACT_MAX, norm.shift))
    return max(bounds)


def _divide_bound(ctx_len: int) -> int:
    """Bound of a weighted sum of values times its reciprocal, with what is added for rounding."""
    softmax = arith.Softmax(0)
    total = ctx_len * int(arith.EXP2.table.max())
    exponent, _ = softmax.exponent_and_index(total)
    product = total * arith.ACT_MAX * int(softmax.table.max())
    return _with_half(product, softmax.RECIPROCAL_BITS + int(exponent))


def _logit_bound(model: IntegerModel) -> int:
    return int(np.abs(model.token_embedding).sum(axis=1).max()) * arith.ACT_MAX
