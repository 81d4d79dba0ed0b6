"""onnxruntime on one thread, on the processor: what exports are checked and measured with."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from ..support.errors import ToolError

QUIET = 3
"""Log errors only."""

REFUSALS = (runtime.Fail, runtime.InvalidGraph, runtime.NotImplemented)
"""What onnxruntime raises when it cannot load a file."""


def session(path: str | os.PathLike) -> onnxruntime.InferenceSession:
    """The ONNX file at ``path``, ready to run; ToolError if onnxruntime cannot load it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = QUIET
    with refusals_named():
        return onnxruntime.InferenceSession(
            os.fspath(path), options, providers=["CPUExecutionProvider"]
        )


@contextlib.contextmanager
def refusals_named() -> Iterator[None]:
    """Makes a ToolError of onnxruntime's refusal to load what the body gives it."""
    try:
        yield
    except REFUSALS as error:
        reason = str(error).splitlines()[0]
        raise ToolError(
            f"onnxruntime {onnxruntime.__version__} cannot load the exported file, nothing was "
            f"written; choose an older --opset, or --no-check: {reason}"
        ) from None
