"""The integer function of an imported model in C, equal to
:class:`model.contract.decoder.reference.DecoderReference`."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator

import numpy as np

from ..contract.decoder.model import DecoderModel
from ..contract.windows import check_windows
from ..support.errors import UserError
from . import library
from .packed_decoder import PackedDecoder

HEADERS = ("rows", "avx512", "avx2", "plain", "pool", "model", "values", "attention", "memory")
SOURCES = ("decoder.c", *(f"decoder_{name}.h" for name in HEADERS))
LAYER_STAGES = ("attn_norm", "q", "k", "v", "attn", "attn_residual")
LAYER_STAGES += ("ffn_norm", "gate", "up", "hidden", "ffn_residual")
"""Stages whose limited values decoder.c counts, in its order."""


class DecoderStream:
    """A DecoderModel with a KV cache.

    Not for several threads at once; each takes a stream of its own (:meth:`another`).

    Parameters
    ----------
    model : DecoderModel
    flags : options of the compiler, after those that all streams have
    threads : int, that share the work of each token; the integers do not depend on it

    Raises
    ------
    UserError
        If there is no compiler, or not enough memory.
    ToolError
        If the compiler fails.
    """

    def __init__(self, model: DecoderModel, flags: tuple[str, ...] = (), threads: int = 1):
        self.model = model
        self._library = _load(library.compiled(SOURCES, "decoder", flags))
        self._packed = PackedDecoder(model, self._library.decoder_input_zero())
        self._start(threads)

    def _start(self, threads: int) -> None:
        self.position = 0
        self._handle = self._library.decoder_new(ctypes.byref(self._packed.c_model), threads)
        if not self._handle:
            raise UserError(
                f"not enough memory for keys and values of {self.model.config.ctx_len} positions"
            )

    def another(self, threads: int = 1) -> DecoderStream:
        """A new stream of the same model, which shares the weights; UserError as a stream."""
        stream = object.__new__(DecoderStream)
        stream.model, stream._library, stream._packed = self.model, self._library, self._packed
        stream._start(threads)
        return stream

    def __del__(self):
        if getattr(self, "_handle", None):
            self._library.decoder_free(self._handle)

    @property
    def instructions(self) -> str:
        """What multiplies: ``AVX512-VNNI``, ``AVX2`` or ``plain C``."""
        return self._library.decoder_dot().decode()

    @property
    def threads(self) -> int:
        """As many as asked for, or fewer if the system gave no more."""
        return self._library.decoder_threads(self._handle)

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
        found = np.zeros(len(stages), np.int64)
        self._library.decoder_saturated(self._handle, found.ctypes.data, len(found))
        counts = zip(stages, found.tolist(), strict=True)
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


@functools.cache
def _load(path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(path))
    pointer = ctypes.c_void_p
    loaded.decoder_dot.restype = ctypes.c_char_p
    integer = ctypes.c_int64
    loaded.decoder_input_zero.restype = integer
    loaded.decoder_new.argtypes, loaded.decoder_new.restype = [pointer, integer], pointer
    loaded.decoder_free.argtypes = loaded.decoder_reset.argtypes = [pointer]
    loaded.decoder_threads.argtypes, loaded.decoder_threads.restype = [pointer], integer
    loaded.decoder_feed.argtypes = [pointer, pointer, integer, integer, pointer]
    loaded.decoder_saturated.argtypes = [pointer, pointer, integer]
    return loaded
