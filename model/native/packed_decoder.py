"""An imported model as ``decoder.c`` takes it: structures, and what they point to."""

from __future__ import annotations

import ctypes

import numpy as np

from ..contract.decoder import arith
from ..contract.decoder.matrix import Matrix
from ..contract.decoder.model import DecoderModel, Norm
from .decoder_pack import pack
from .decoder_structures import C_Layer, C_Matrix, C_Model, C_Norm
from .weight_memory import WeightMemory


class PackedDecoder:
    """``c_model``, of a DecoderModel, is valid as long as this object lives.

    ``input_zero`` is what the C code adds to activations before it multiplies them.
    """

    def __init__(self, model: DecoderModel, input_zero: int):
        self._model, self._input_zero = model, input_zero
        self._memory = WeightMemory()
        self._layers = (C_Layer * len(model.layers))(*map(self._layer, range(len(model.layers))))
        self.c_model = self._packed()

    def _packed(self) -> C_Model:
        model, cfg, place = self._model, self._model.config, self._memory.address
        mean_mult, mean_shift = arith.mean_reciprocal(cfg.d_model)
        head, head_shift = model.head
        gates = arith.gate_table(cfg.activation)
        embedding = self._matrix(model.matrices["token_embedding"])
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
            rsqrt=place(arith.rsqrt_table(cfg.d_model), np.int64),
            reciprocal=place(arith.reciprocal_table(), np.int64),
            exp2=place(arith.exp2_mantissas(), np.int32),
            # once more the last: what lies beyond the table is between two equal entries
            gate_table=place([*gates, gates[-1]], np.int32),
            position_embedding=place(model.position_embedding, np.int16),
            cos=place(model.rotary_cos, np.int16),
            sin=place(model.rotary_sin, np.int16),
            embedding=embedding,
            head=embedding if cfg.tied_head else self._matrix(head),
            final_norm=self._norm(model.norms["final_norm"]),
            layers=ctypes.addressof(self._layers),
        )

    def _layer(self, i: int) -> C_Layer:
        model, layer = self._model, f"layers.{i}."
        kinds = {kind: f"{layer}{kind}_proj" for kind in ("q", "k", "v", "o", "gate", "up", "down")}
        return C_Layer(
            attn_norm=self._norm(model.norms[f"{layer}attn_norm"]),
            ffn_norm=self._norm(model.norms[f"{layer}ffn_norm"]),
            **{
                kind: self._matrix(model.matrices[name])
                for kind, name in kinds.items()
                if name in model.matrices
            },
            attn_mult=self._memory.address(model.attn_mult[i], np.uint16),
            **vars(model.layers[i]),
        )

    def _norm(self, norm: Norm) -> C_Norm:
        bias = None if norm.bias is None else np.asarray(norm.bias, np.int64) << norm.bias_shift
        place = self._memory.address
        return C_Norm(norm.shift, norm.eps, place(norm.gain, np.int64), place(bias, np.int64))

    def _matrix(self, matrix: Matrix) -> C_Matrix:
        packed, place = pack(matrix, self._input_zero), self._memory.address
        return C_Matrix(
            *(*matrix.shape, packed.padded, matrix.format.group, matrix.shift),
            *(packed.nibbles, packed.offset, matrix.min_shift),
            codes=place(packed.codes, np.int8),
            scale=place(packed.scale, np.uint8),
            low=place(packed.low, np.int8),
            mult=place(packed.mult, np.uint16),
            added=place(packed.added, np.int64),
        )
