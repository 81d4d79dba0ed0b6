"""The integer function in C, for this machine's processor: equal to
:mod:`model.contract.reference`.

``stream.c`` is compiled for the shape of the model at first use, by the machine's compiler or
ziglang's; the library is kept in the cache.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ..contract.integer_model import IntegerModel
from ..contract.reference import check_request
from ..contract.sampling import SamplingSettings, initial_state
from ..contract.windows import check_windows
from ..support.errors import ToolError, UserError
from . import library
from .pack import macros, pack

SOURCES = (
    "stream.c",
    "stream_attention.h",
    "stream_values.h",
    "stream_model.h",
    "stream_dot.h",
)
GREEDY = SamplingSettings()
TIMES = 4
"""Sequences of which the last is timed: caches and branch prediction are warm then, as in long
use."""
TIMES_TOGETHER = 16
"""The same for several streams, so that all of them run when the last one starts its last."""

_INT32 = np.ctypeslib.ndpointer(np.int32, flags="C")


class CompiledStream:
    """One stream of tokens with a KV cache.

    Not for several threads at once; each takes a stream of its own (:meth:`another`).

    Parameters
    ----------
    model : IntegerModel
    flags : sequence of str
        Options for the compiler behind :data:`FLAGS`: ``-mno-avx512f`` is another instruction set.

    Raises
    ------
    UserError
        If there is no C compiler, or the model is too wide for sums of 32 bits.
    ToolError
        If the compiler fails.
    """

    def __init__(self, model: IntegerModel, flags: Sequence[str] = ()):
        self.model = model
        self._library = _load(_compiled(model, tuple(flags)))
        self._packed = _aligned(pack(model, self._library.stream_lanes()))
        self._start()

    def _start(self) -> None:
        self.position = 0
        self._handle = self._library.stream_new(self._packed.ctypes.data)
        if not self._handle:
            raise MemoryError("the KV cache of a stream")

    def __del__(self):
        if getattr(self, "_handle", None):
            self._library.stream_free(self._handle)

    def another(self) -> CompiledStream:
        """A new stream of the same model, which shares the weights."""
        stream = object.__new__(CompiledStream)
        stream.model, stream._library, stream._packed = self.model, self._library, self._packed
        stream._start()
        return stream

    @property
    def instructions(self) -> str:
        """What multiplies: ``AVX512-VNNI``, ``AVX2``, ``plain C``, …"""
        return self._library.stream_dot().decode()

    def reset(self) -> None:
        """Forget all tokens."""
        self._library.stream_reset(self._handle)
        self.position = 0

    def step(self, token: int) -> np.ndarray:
        """As ``Reference.step``: feed one token; integer logits [vocab_size] of the next.

        Raises UserError when the context is full or the token is outside the vocabulary.
        """
        cfg = self.model.config
        if self.position >= cfg.ctx_len:
            raise UserError(f"the context of {cfg.ctx_len} tokens is full; start a new sequence")
        check_request(cfg, [token], 1)
        self.position += 1
        logits = self._library.stream_step(self._handle, token)
        return np.ctypeslib.as_array(logits, (cfg.vocab_size,)).astype(np.int64)

    def window_logits(self, tokens: np.ndarray) -> np.ndarray:
        """As :func:`model.contract.windows.window_logits`: logits [batch, length, vocab_size]."""
        cfg, windows = self.model.config, check_windows(self.model.config, tokens)
        logits = np.empty((*windows.shape, cfg.vocab_size), np.int64)
        for window, places in zip(windows.tolist(), logits, strict=True):
            self.reset()
            for token, place in zip(window, places, strict=True):
                found = self._library.stream_step(self._handle, token)
                place[:] = np.ctypeslib.as_array(found, (cfg.vocab_size,))
        self.reset()
        return logits

    def generate(self, prompt: list[int], count: int, settings: SamplingSettings) -> list[int]:
        """The tokens that ``Reference.generate`` yields; the same UserErrors."""
        return _generate([self], prompt, count, settings, 1, None)[0].tolist()

    def timed(
        self,
        prompt: list[int],
        count: int,
        settings: SamplingSettings = GREEDY,
        *,
        times: int = TIMES,
    ) -> tuple[list[int], np.ndarray]:
        """As :meth:`generate`, and the seconds of each token from feeding the one before it.

        The sequence is generated ``times`` times, without the interpreter's lock; the last time
        counts.
        """
        (tokens,), seconds = _timed([self], prompt, count, settings, times)
        return tokens.tolist(), seconds


class StreamsInTurn:
    """Several streams in one thread, each with its own sequence, a token of each in turn."""

    def __init__(self, stream: CompiledStream, count: int):
        self.streams = _several(stream, count)

    def timed(self, prompt: list[int], count: int) -> tuple[list[int], np.ndarray]:
        """As :meth:`CompiledStream.timed` of greedy tokens; the seconds are those per token of all
        streams.

        Raises ToolError if the streams do not choose the same tokens.
        """
        tokens, seconds = _timed(self.streams, prompt, count, GREEDY, TIMES)
        return _common(tokens.tolist()), seconds / len(self.streams)


class StreamPool:
    """As many streams in as many threads, each with its own sequence: throughput, not latency."""

    def __init__(self, stream: CompiledStream, threads: int):
        self.streams = _several(stream, threads)
        self._pool = ThreadPoolExecutor(threads)
        self._together = threading.Barrier(threads)

    def timed(self, prompt: list[int], count: int) -> tuple[list[int], np.ndarray]:
        """:meth:`CompiledStream.timed` in every thread at the same time.

        The seconds are those per token of all streams: the inverse of the sum of their rates.
        Raises ToolError if the streams do not choose the same tokens.
        """

        def run(stream):
            self._together.wait()
            return stream.timed(prompt, count, times=TIMES_TOGETHER)

        results = list(self._pool.map(run, self.streams))
        tokens = _common([tokens for tokens, _ in results])
        return tokens, 1 / sum(1 / seconds for _, seconds in results)


def _several(stream: CompiledStream, count: int) -> list[CompiledStream]:
    return [stream, *(stream.another() for _ in range(count - 1))]


def _common(rows: list[list[int]]) -> list[int]:
    """The tokens of all streams; ToolError if they differ."""
    if any(tokens != rows[0] for tokens in rows):
        raise ToolError("streams of the same prompt chose different tokens")
    return rows[0]


def _timed(streams, prompt, count, settings, times) -> tuple[np.ndarray, np.ndarray]:
    """Tokens [streams, count], and the seconds [count] of a token of every stream."""
    nanoseconds = np.zeros(_limit(streams[0], prompt, count), np.int64)
    return _generate(streams, prompt, count, settings, times, nanoseconds), nanoseconds / 1e9


def _limit(stream: CompiledStream, prompt: list[int], count: int) -> int:
    cfg = stream.model.config
    check_request(cfg, prompt, count)
    return min(count, cfg.ctx_len - len(prompt) + 1)


def _generate(streams, prompt, count, settings, times, nanoseconds) -> np.ndarray:
    """The same tokens; nanoseconds [count] of a token of every stream are written, or None."""
    tokens = np.zeros((len(streams), _limit(streams[0], prompt, count)), np.int32)
    handles = (ctypes.c_void_p * len(streams))(*(stream._handle for stream in streams))
    streams[0]._library.stream_generate(
        handles,
        len(streams),
        np.array(prompt, np.int32),
        len(prompt),
        tokens.shape[1],
        settings.temperature_mult,
        settings.temperature_shift,
        settings.top_k,
        initial_state(settings.seed),
        times,
        tokens,
        None if nanoseconds is None else nanoseconds.ctypes.data,
    )
    for stream in streams:
        stream.position = len(prompt) + tokens.shape[1] - 1
    return tokens


def _compiled(model: IntegerModel, flags: tuple[str, ...]) -> Path:
    """The library for a model's shape, out of the cache or made now."""
    defines = tuple(f"-D{name}={value}" for name, value in macros(model).items())
    return library.compiled(SOURCES, "stream", (*flags, *defines))


@functools.cache
def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    handle, int32 = ctypes.c_void_p, ctypes.c_int32
    library.stream_dot.restype = ctypes.c_char_p
    library.stream_new.argtypes, library.stream_new.restype = [ctypes.c_void_p], handle
    library.stream_free.argtypes = library.stream_reset.argtypes = [handle]
    library.stream_step.argtypes = [handle, int32]
    library.stream_step.restype = ctypes.POINTER(int32)
    sampling = [int32, int32, int32, ctypes.c_uint32]
    library.stream_generate.argtypes = [
        *(ctypes.POINTER(handle), int32, _INT32, int32, int32, *sampling),
        *(int32, _INT32, ctypes.c_void_p),
    ]
    return library


def _aligned(content: bytearray, to: int = 64) -> np.ndarray:
    """The bytes in memory that begins at a multiple of ``to``."""
    room = np.zeros(len(content) + to, np.uint8)
    start = -room.ctypes.data % to
    room[start : start + len(content)] = np.frombuffer(content, np.uint8)
    return room[start : start + len(content)]
