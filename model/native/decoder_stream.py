"""The integer function of an imported model in C, equal to
:class:`model.contract.decoder.reference.DecoderReference`."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator

import numpy as np

from ..contract.decoder import arith
from ..contract.decoder.matrix import Matrix
from ..contract.decoder.model import DecoderModel, Norm
from ..contract.windows import check_windows
from ..support.errors import UserError
from . import library
from .decoder_pack import pack
from .decoder_structures import C_Layer, C_Matrix, C_Model, C_Norm

SOURCES = ("decoder.c", "decoder_dot.h", "decoder_rows.h")
LAYER_STAGES = ("attn_norm", "q", "k", "v", "attn", "attn_residual")
LAYER_STAGES += ("ffn_norm", "gate", "up", "hidden", "ffn_residual")
"""Stages whose limited values decoder.c counts, in its order."""


class DecoderStream:
    """A DecoderModel with a KV cache.

    Parameters
    ----------
    model : DecoderModel
    flags : options of the compiler, after those that all streams have

    Raises
    ------
    UserError
        If there is no compiler, or not enough memory.
    ToolError
        If the compiler fails.
    """

    def __init__(self, model: DecoderModel, flags: tuple[str, ...] = ()):
        self.model = model
        self._library = _load(library.compiled(SOURCES, "decoder", flags))
        self._kept: list = []  # what C has pointers to
        self._saturated = np.zeros(3 + len(LAYER_STAGES) * model.config.n_layers, np.int64)
        self._c_model = self._packed()
        self._handle = self._library.decoder_new(ctypes.byref(self._c_model))
        if not self._handle:
            raise UserError(
                f"not enough memory for keys and values of {model.config.ctx_len} positions"
            )
        self.position = 0

    def __del__(self):
        if getattr(self, "_handle", None):
            self._library.decoder_free(self._handle)

    @property
    def instructions(self) -> str:
        """What multiplies: ``AVX512-VNNI`` or ``plain C``."""
        return self._library.decoder_dot().decode()

    def reset(self) -> None:
        """Forget all tokens."""
        self._library.decoder_reset(self._handle)
        self.position = 0

    def step(self, token: int) -> np.ndarray:
        """Feed one token; integer logits int32 [vocab_size] of the next.

        Raises UserError when the context is full or the token is outside the vocabulary.
        """
        return self._feed([token], False)

    def last(self, tokens) -> np.ndarray:
        """Feed tokens [n]; logits int32 [vocab_size] after the last. UserError as :meth:`step`."""
        return self._feed(tokens, False)

    def feed(self, tokens) -> np.ndarray:
        """Feed tokens [n]; logits int32 [n, vocab_size] after each. UserError as :meth:`step`."""
        return self._feed(tokens, True)

    def windows(self, tokens) -> Iterator[np.ndarray]:
        """Logits int32 [length, vocab_size] of each window of tokens [batch, length], begun anew.

        Raises UserError if they are longer than the context or a token is outside the vocabulary.
        """
        for window in check_windows(self.model.config, tokens):
            self.reset()
            yield self.feed(window)

    @property
    def saturations(self) -> dict[str, int]:
        """Values that were limited, by stage, since construction: those of the reference."""
        layers = range(self.model.config.n_layers)
        names = [f"layers.{i}.{stage}" for i in layers for stage in LAYER_STAGES]
        stages = ["embed", *names, "final_norm", "logits"]
        counts = zip(stages, self._saturated.tolist(), strict=True)
        gated = self.model.config.gated
        return {stage: count for stage, count in counts if gated or not stage.endswith(".up")}

    def _feed(self, tokens, every: bool) -> np.ndarray:
        cfg = self.model.config
        ids = np.ascontiguousarray(check_windows(cfg, [tokens])[0], np.int32)
        if self.position + len(ids) > cfg.ctx_len:
            raise UserError(f"the context of {cfg.ctx_len} tokens is full; start a new sequence")
        shape = (len(ids), cfg.vocab_size) if every else (cfg.vocab_size,)
        logits = np.empty(shape, np.int32)
        if len(ids):
            self._library.decoder_feed(
                self._handle, ids.ctypes.data, len(ids), every, logits.ctypes.data
            )
            self.position += len(ids)
        return logits

    def _packed(self) -> C_Model:
        model, cfg = self.model, self.model.config
        mean_mult, mean_shift = arith.mean_reciprocal(cfg.d_model)
        head, head_shift = model.head
        embedding = self._matrix(model.matrices["token_embedding"])
        layers = (C_Layer * cfg.n_layers)(*(self._layer(i) for i in range(cfg.n_layers)))
        self._kept.append(layers)
        sizes = ("vocab_size", "d_model", "n_heads", "n_kv_heads", "head_dim", "n_layers")
        return C_Model(
            **{name: getattr(cfg, name) for name in (*sizes, "d_ff", "ctx_len")},
            layer_norm=cfg.norm == "layer",
            rotary=cfg.positions == "rotary",
            gated=cfg.gated,
            **vars(cfg.bits),
            mean_mult=mean_mult,
            mean_shift=mean_shift,
            position_mult=model.position_mult,
            position_shift=model.position_shift,
            embed_shift=model.matrices["token_embedding"].shift,
            head_shift=head_shift,
            rsqrt=self._array(arith.rsqrt_table(cfg.d_model), np.int64),
            exp2=self._array(arith.exp2_mantissas(), np.int64),
            reciprocal=self._array(arith.reciprocal_table(), np.int64),
            gate_table=self._array(arith.gate_table(cfg.activation), np.int64),
            position_embedding=self._array(model.position_embedding, np.int16),
            cos=self._array(model.rotary_cos, np.int16),
            sin=self._array(model.rotary_sin, np.int16),
            embedding=embedding,
            head=embedding if cfg.tied_head else self._matrix(head),
            final_norm=self._norm(model.norms["final_norm"]),
            layers=ctypes.addressof(layers),
            saturated=self._saturated.ctypes.data,
        )

    def _layer(self, i: int) -> C_Layer:
        model, layer = self.model, f"layers.{i}."
        kinds = {kind: f"{layer}{kind}_proj" for kind in ("q", "k", "v", "o", "gate", "up", "down")}
        return C_Layer(
            attn_norm=self._norm(model.norms[f"{layer}attn_norm"]),
            ffn_norm=self._norm(model.norms[f"{layer}ffn_norm"]),
            **{
                kind: self._matrix(model.matrices[name])
                for kind, name in kinds.items()
                if name in model.matrices
            },
            attn_mult=self._array(model.attn_mult[i], np.uint16),
            **vars(model.layers[i]),
        )

    def _norm(self, norm: Norm) -> C_Norm:
        bias = None if norm.bias is None else np.asarray(norm.bias, np.int64) << norm.bias_shift
        gain = self._array(norm.gain, np.int64)
        return C_Norm(norm.shift, norm.eps, gain, self._array(bias, np.int64))

    def _matrix(self, matrix: Matrix) -> C_Matrix:
        packed = pack(matrix)
        return C_Matrix(
            *(*matrix.shape, packed.padded, matrix.format.group, matrix.shift),
            *(packed.nibbles, packed.offset, matrix.min_shift),
            codes=self._array(packed.codes, np.int8),
            scale=self._array(packed.scale, np.uint8),
            low=self._array(packed.low, np.int8),
            mult=self._array(packed.mult, np.uint16),
            bias=self._array(packed.bias, np.int64),
        )

    def _array(self, values, dtype) -> int | None:
        """Address of a copy of ``values`` that lives as long as the stream; None of None."""
        if values is None:
            return None
        array = np.ascontiguousarray(values, dtype)
        self._kept.append(array)
        return array.ctypes.data


@functools.cache
def _load(path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(path))
    pointer = ctypes.c_void_p
    loaded.decoder_dot.restype = ctypes.c_char_p
    loaded.decoder_new.argtypes, loaded.decoder_new.restype = [pointer], pointer
    loaded.decoder_free.argtypes = loaded.decoder_reset.argtypes = [pointer]
    loaded.decoder_feed.argtypes = [pointer, pointer, ctypes.c_int64, ctypes.c_int64, pointer]
    return loaded
