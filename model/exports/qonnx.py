"""QONNX: the integer model with its quantizers as Quant nodes, for tools that make hardware."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import onnx

from ..contract.decoder.model import DecoderModel
from ..contract.integer_model import IntegerModel
from .file import write_onnx
from .integer_check import check_logits, check_weights
from .onnx_graph import DEFAULT_OPSET, OnnxGraph
from .onnx_integer import IntegerGraph
from .onnx_quantizers import QONNX, QONNX_DOMAIN, QONNX_VERSION


def qonnx_graph(
    model: IntegerModel,
    *,
    batch: int = 1,
    opset: int = DEFAULT_OPSET,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """``integer_logits`` int32 and ``logits`` float32, in nats, both [batch, ctx_len, vocab_size],
    of ``tokens`` int64 [batch, ctx_len].

    All shapes are static and written down, as QONNX's tools want them. A shorter text is filled
    up behind: a position looks at none after it. Raises UserError if the opset is too old.
    """
    graph = OnnxGraph(opset, {QONNX_DOMAIN: QONNX_VERSION})
    IntegerGraph(model, graph, QONNX(graph)).build(batch, model.config.ctx_len)
    return with_shapes(graph.to_model("integer_model", metadata or {}))


def with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the shape of every tensor, which onnx infers of standard operators only."""
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    for node in plain.graph.node:
        if node.domain == QONNX_DOMAIN:
            node.op_type, node.domain = "Identity", ""
            del node.input[1:], node.attribute[:]
    inferred = onnx.shape_inference.infer_shapes(plain, strict_mode=True, data_prop=True)
    model.graph.value_info.extend(inferred.graph.value_info)
    onnx.checker.check_model(model)
    return model


def export_qonnx(
    model: IntegerModel,
    path: str | os.PathLike,
    *,
    batch: int = 1,
    opset: int = DEFAULT_OPSET,
    metadata: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """Write :func:`qonnx_graph`, compare it with the reference (unless told not to); one line.

    Raises UserError for what cannot be exported or written, ToolError if the file differs; no file
    is left then.
    """
    graph = qonnx_graph(model, batch=batch, opset=opset, metadata=metadata)
    return write_onnx(graph, path, (lambda file: check_qonnx(file, model)) if check else None)


def score_bytes(model: IntegerModel | DecoderModel, batch: int) -> int:
    """Bytes of the float32 scores and probabilities, which QONNX's executor keeps at once."""
    cfg = model.config
    pairs = cfg.n_layers * batch * cfg.n_heads * cfg.ctx_len**2
    return 2 * np.dtype(np.float32).itemsize * pairs


def quantized_weights(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """What the Quant nodes of a file's weights give in QONNX's executor, by their names.

    The names are those of IntegerModel.tensors(); matrices are [in, out].
    """
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.custom_op.registry import getCustomOp

    wrapper = ModelWrapper(os.fspath(path))
    context = wrapper.make_empty_exec_context()
    weights = {}
    for node in wrapper.graph.node:
        if node.op_type == "Quant" and wrapper.get_initializer(node.input[0]) is not None:
            getCustomOp(node).execute_node(context, wrapper.graph)
            weights[node.output[0]] = context[node.output[0]]
    return weights


def check_qonnx(path: str | os.PathLike, model: IntegerModel) -> str:
    """Compare a file with ``model`` by QONNX's executor; one line, ToolError if it differs."""
    import importlib.metadata

    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    from .onnx_session import refusals_named

    weights = check_weights(model, quantized_weights(path))
    wrapper = ModelWrapper(os.fspath(path))
    with refusals_named():
        positions = check_logits(
            model,
            lambda tokens: execute_onnx(wrapper, {"tokens": tokens})["integer_logits"],
            [tuple(wrapper.get_tensor_shape("tokens"))],
        )
    return (
        f"qonnx {importlib.metadata.version('qonnx')} equals the integer reference: every logit of "
        f"{positions} positions, {weights} quantized weights"
    )
