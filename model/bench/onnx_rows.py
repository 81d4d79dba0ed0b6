"""onnxruntime on one thread: the files that ``gateformer export`` writes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime

from ..contract.artifact import Artifact
from ..exports.onnx_session import session
from .stepwise import Generate, processor_clock, stepwise


def full_sequence(artifact: Artifact) -> Generate:
    """Float twin: every token from the whole sequence so far."""
    from ..exports.onnx_float import export_full
    from ..exports.source import float_twin

    run = _session(lambda path: export_full(float_twin(artifact), path, check=False))
    return _whole(run, "logits")


def int8(artifact: Artifact) -> Generate:
    """Integer function with QDQ pairs: every token from the whole sequence so far."""
    from ..exports.onnx_int8 import export_int8

    run = _session(lambda path: export_int8(artifact.model, path, check=False))
    return _whole(run, "integer_logits")


def static_kv(artifact: Artifact) -> Generate:
    """Float twin: one token per call, caches bound in place."""
    from ..exports.onnx_float import cache_shape_of, export_static_kv
    from ..exports.source import float_twin

    model = float_twin(artifact)
    run = _session(lambda path: export_static_kv(model, path, check=False))
    value = onnxruntime.OrtValue.ortvalue_from_numpy
    caches = {
        name: value(np.zeros(cache_shape_of(model, 1), np.float32)) for name in ("keys", "values")
    }
    tokens, position = value(np.zeros(1, np.int64)), value(np.array(0, np.int64))
    logits = value(np.zeros((1, artifact.model.config.vocab_size), np.float32))
    binding = run.io_binding()
    for name, bound in {**caches, "tokens": tokens, "position": position}.items():
        binding.bind_ortvalue_input(name, bound)
    for name, cache in caches.items():
        binding.bind_ortvalue_output(f"new_{name}", cache)
    binding.bind_ortvalue_output("logits", logits)
    at = [0]

    def start() -> None:
        at[0] = 0

    def step(token: int) -> int:
        tokens.update_inplace(np.array([token]))
        position.update_inplace(np.array(at[0]))
        run.run_with_iobinding(binding)
        at[0] += 1
        return int(logits.numpy().argmax())

    return stepwise(start, step, processor_clock)


def _session(write: Callable[[Path], object]) -> onnxruntime.InferenceSession:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.onnx"
        write(path)
        return session(path)


def _whole(run: onnxruntime.InferenceSession, output: str) -> Generate:
    tokens: list[int] = []

    def step(token: int) -> int:
        tokens.append(token)
        (logits,) = run.run([output], {"tokens": np.array([tokens])})
        return int(logits[0, -1].argmax())

    return stepwise(tokens.clear, step, processor_clock)
