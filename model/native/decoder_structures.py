"""The structures of ``decoder.c``, field by field."""

from __future__ import annotations

import ctypes

_INT, _POINTER = ctypes.c_int64, ctypes.c_void_p


def _fields(integers: str = "", pointers: str = "") -> list[tuple[str, type]]:
    return [
        *((name, _INT) for name in integers.split()),
        *((name, _POINTER) for name in pointers.split()),
    ]


class C_Matrix(ctypes.Structure):
    """``Matrix``"""

    _fields_ = _fields(
        "out inp padded group shift nibbles offset min_shift", "codes scale low mult added"
    )


class C_Norm(ctypes.Structure):
    """``Norm``"""

    _fields_ = _fields("shift eps", "gain bias")


class C_Layer(ctypes.Structure):
    """``Layer``"""

    _fields_ = (
        *((name, C_Norm) for name in ("attn_norm", "ffn_norm")),
        *((name, C_Matrix) for name in ("q", "k", "v", "o", "gate", "up", "down")),
        ("attn_mult", _POINTER),
        *_fields("score_shift attn_shift gate_frac hidden_shift"),
    )


class C_Model(ctypes.Structure):
    """``Model``"""

    _fields_ = (
        *_fields("vocab_size d_model n_heads n_kv_heads head_dim n_layers d_ff ctx_len"),
        *_fields(
            "layer_norm rotary gated residual norm query attention gate hidden key value logit"
        ),
        *_fields("mean_mult mean_shift position_mult position_shift embed_shift head_shift"),
        *_fields("", "rsqrt reciprocal exp2 gate_table position_embedding cos sin"),
        *((name, C_Matrix) for name in ("embedding", "head")),
        ("final_norm", C_Norm),
        ("layers", _POINTER),
    )
