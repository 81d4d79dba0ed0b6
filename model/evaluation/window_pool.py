"""Windows of a text through an imported model, and its float model, several at the same time."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..contract.decoder.model import DecoderModel
from ..contract.decoder.reference import DecoderReference
from ..floating.decoder import FloatDecoder
from ..native.decoder_stream import DecoderStream
from ..support.errors import ToolError, UserError
from .quality import Comparison, compare, losses

PIECE = 64
"""Tokens whose integer logits are held at once."""


class WindowPool:
    """As many windows at the same time as there are ``threads``, each by a stream of its own.

    The integers are computed in C, or by the reference where there is no compiler for it.

    Parameters
    ----------
    model : DecoderModel
    decoder : FloatDecoder or None, to compare with
    threads : int
    """

    def __init__(self, model: DecoderModel, decoder: FloatDecoder | None, threads: int):
        self._model, self._decoder = model, decoder
        self._prefix = np.asarray(model.prefix, np.int64)
        try:
            stream = DecoderStream(model)
            self._streams = [stream, *(stream.another() for _ in range(threads - 1))]
        except (UserError, ToolError):
            self._streams = [DecoderReference(model)]
        self._free: queue.SimpleQueue = queue.SimpleQueue()
        for stream in self._streams:
            self._free.put(stream)

    def results(
        self, inputs: np.ndarray, targets: np.ndarray, progress: Callable[[int, int], None]
    ) -> list[Comparison] | list[np.ndarray]:
        """Comparisons of the pieces of all windows, in order; losses [n] without a float model.

        ``inputs`` and ``targets`` are int [windows, length]; ``progress`` is called with (done,
        total) windows.
        """
        found: list = []
        pool = ThreadPoolExecutor(len(self._streams))
        try:
            for done, pieces in enumerate(pool.map(self._window, inputs, targets), 1):
                found += pieces
                progress(done, len(inputs))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return found

    def saturated(self, inputs: np.ndarray) -> dict[str, float]:
        """Share of the values that were limited, by stage, when all of ``inputs`` were computed."""
        reference = DecoderReference(self._model)  # knows how many values a stage has
        reference.feed([*self._prefix, *inputs[0][:1]])
        values = {name: n for name, (_, n) in reference.saturations.items()}
        fed = len(inputs) * (inputs.shape[1] + len(self._prefix)) / (1 + len(self._prefix))
        limited = dict.fromkeys(values, 0)
        for stream in self._streams:
            for name, count in stream.saturations.items():
                limited[name] += count[0] if isinstance(count, list) else count
        return {name: limited[name] / (values[name] * fed) for name in values}

    def _window(self, window: np.ndarray, target: np.ndarray) -> list:
        stream = self._free.get()
        try:
            return self._pieces(stream, window, target)
        finally:
            self._free.put(stream)

    def _pieces(self, stream, window: np.ndarray, target: np.ndarray) -> list:
        scale, floats, found = self._model.logit_scale, None, []
        if self._decoder is not None:
            tokens = np.concatenate([self._prefix, window])[None]
            floats = self._decoder.logits(tokens)[0][len(self._prefix) :]
        stream.reset()
        if len(self._prefix):
            stream.feed(self._prefix)
        for start in range(0, len(window), PIECE):
            piece = slice(start, start + PIECE)
            integers = stream.feed(window[piece])
            if floats is None:
                found.append(losses(integers, target[piece], scale))
            else:
                found.append(compare(integers, floats[piece], target[piece], scale))
        return found
