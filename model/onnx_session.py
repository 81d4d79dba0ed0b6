"""onnxruntime on one thread, on the processor: what exports are checked and measured with."""

from __future__ import annotations

import os

import onnxruntime

QUIET = 3
"""Log errors only."""


def session(path: str | os.PathLike) -> onnxruntime.InferenceSession:
    """The ONNX file at ``path``, ready to run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = QUIET
    return onnxruntime.InferenceSession(
        os.fspath(path), options, providers=["CPUExecutionProvider"]
    )
