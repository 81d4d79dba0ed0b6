#!/bin/sh
# gguf 0.19.0, onnxruntime 1.32.0: half of the scales of 4-bit blocks are negative.
#
# A symmetric 4-bit block keeps a scale and 16 levels, -8 to 7. One expects scale = largest magnitude
# / 7 or / 8, which is never negative, so that hardware may take its square root, logarithm or sign
# bit for granted. Both GGUF's Q4_0 and onnxruntime's MatMulNBits divide the signed weight of the
# largest magnitude by -8 instead: that weight gets level -8 exactly, and the scale is negative
# wherever the weight is positive. The sign of a level is not the sign of its weight then.
#
# Output: for random weights 49 % and 49 % of the scales are negative; a block whose largest weight is
# +8 has scale -1.0 in both.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install --quiet --disable-pip-version-check gguf==0.19.0 numpy==2.4.6 onnx==1.23.2 onnx-ir==1.1.0 onnxruntime==1.32.0 sympy
cd "$directory"
"$directory/venv/bin/python" - <<'PYTHON'
import logging

import numpy
import onnx
from gguf import GGMLQuantizationType
from gguf.quants import quantize
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

logging.disable(logging.CRITICAL)


def gguf_scales(weights):
    blocks = quantize(weights, GGMLQuantizationType.Q4_0)
    return blocks[:, :2].copy().view(numpy.float16)[:, 0]


def onnxruntime_scales(weights):
    """One block of 32 for each row of weights: a matrix [32, rows]."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [value("x", TensorProto.FLOAT, [1, 32])],
        [value("y", TensorProto.FLOAT, [1, len(weights)])],
        [numpy_helper.from_array(numpy.ascontiguousarray(weights.T), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    quantizer = MatMulNBitsQuantizer(model, block_size=32, is_symmetric=True)
    quantizer.process()
    made = {tensor.name: tensor for tensor in quantizer.model.model.graph.initializer}
    return numpy_helper.to_array(made["w_scales"]).ravel()


weights = numpy.random.default_rng(0).normal(size=(1000, 32)).astype(numpy.float32)
weights[0] = numpy.arange(32) % 7 - 3
weights[0, 0] = 8
for name, scales in (("GGUF", gguf_scales(weights)), ("onnxruntime", onnxruntime_scales(weights))):
    largest = weights[numpy.arange(1000), abs(weights).argmax(axis=1)]
    print(f"{name}: {(scales < 0).mean():.0%} negative, {scales[0]} where the largest is +8")
    assert scales[0] == -1 and 0.4 < (scales < 0).mean() < 0.6
    assert ((scales < 0) == (largest > 0)).all()
PYTHON
