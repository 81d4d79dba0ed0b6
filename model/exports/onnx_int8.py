"""INT8 ONNX with QuantizeLinear and DequantizeLinear, equal to the integer reference."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import onnx

from ..contract.integer_model import IntegerModel
from .file import write_onnx
from .integer_check import check_logits, check_weights
from .onnx_graph import DEFAULT_OPSET, OnnxGraph, initializers
from .onnx_integer import IntegerGraph
from .onnx_quantizers import QDQ, STORED, zero_point


def int8_graph(
    model: IntegerModel,
    *,
    opset: int = DEFAULT_OPSET,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """``integer_logits`` int32 and ``logits`` float32, in nats, both [batch, length, vocab_size],
    of ``tokens`` int64 [batch, length].

    Batch and length are dynamic, length up to the model's context. Raises UserError if the opset
    is too old.
    """
    graph = OnnxGraph(opset)
    IntegerGraph(model, graph, QDQ(graph)).build("batch", "length")
    return graph.to_model("integer_model", metadata or {})


def export_int8(
    model: IntegerModel,
    path: str | os.PathLike,
    *,
    opset: int = DEFAULT_OPSET,
    metadata: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """Write :func:`int8_graph`, compare it with the reference (unless told not to); one line.

    Raises UserError for what cannot be exported or written, ToolError if the file differs; no file
    is left then.
    """
    graph = int8_graph(model, opset=opset, metadata=metadata)
    return write_onnx(graph, path, (lambda file: check_int8(file, model)) if check else None)


def stored_weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """The integers of a file's 8-bit tensors by the names of IntegerModel.tensors().

    Matrices are [in, out].
    """
    return {
        name.removesuffix(STORED): array.astype(np.int64) - zero_point(array.dtype)
        for name, array in initializers(model).items()
        if name.endswith(STORED)
    }


def check_int8(path: str | os.PathLike, model: IntegerModel) -> str:
    """Compare a file with ``model`` by onnxruntime; one line, ToolError if an integer differs."""
    import onnxruntime

    from .onnx_session import session

    weights = check_weights(model, stored_weights(onnx.load(path)))
    run, length = session(path), model.config.ctx_len
    positions = check_logits(
        model,
        lambda tokens: run.run(["integer_logits"], {"tokens": tokens})[0],
        [(2, length), (1, 1), (3, (length + 1) // 2)],
    )
    return (
        f"onnxruntime {onnxruntime.__version__} equals the integer reference: every logit of "
        f"{positions} positions, {weights} stored weights"
    )
