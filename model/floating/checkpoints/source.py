"""A model that people have, whatever file it comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from ..decoder_shape import DecoderShape
from .native_blocks import NativeBlocks

GPT2_TYPE, LLAMA_TYPE, NEOX_TYPE = "GPT-2 type", "Llama type", "GPT-NeoX type"
"""LayerNorm and learned positions; RMSNorm, RoPE and a gated FFN; LayerNorm and RoPE."""


@dataclasses.dataclass(frozen=True, eq=False)
class SourceModel:
    """A checkpoint that was opened: its settings, and its weights on demand.

    Parameters
    ----------
    name : str, of the directory or of the file without its suffix
    kind : str, "Hugging Face directory", "nanoGPT checkpoint", "llama2.c file", "GGUF file" or
        "gateformer artifact"
    family : str, GPT2_TYPE, LLAMA_TYPE or NEOX_TYPE, or that it was trained here
    shape : DecoderShape
    tensors : mapping of str (:meth:`DecoderShape.tensor_shapes`) to float32 array or NativeBlocks,
        [out, in] or [n]; read from the file each time that one is asked for
    """

    name: str
    kind: str
    family: str
    shape: DecoderShape
    tensors: Mapping[str, np.ndarray | NativeBlocks]

    @property
    def n_parameters(self) -> int:
        """Numbers in all tensors; a tied head counts once."""
        return self.shape.n_parameters
