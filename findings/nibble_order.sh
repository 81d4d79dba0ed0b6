#!/bin/sh
# gguf 0.19.0, onnxruntime 1.32.0: the two 4-bit weights of a byte are neighbours in one format and
# 16 apart in the other.
#
# Both GGUF's Q4_0 and the packed weights of onnxruntime's MatMulNBits keep a block of 32 weights in
# 16 bytes, as levels 0 to 15 with zero at 8, the low half of a byte first. Their bytes look alike, and
# one unpacker seems to do for both. But byte i has weights 2 i and 2 i + 1 with onnxruntime, and i and
# i + 16 with GGUF: the wrong unpacker gives a permuted block, whose sum and range are right.
#
# Output: of a block with levels 0 1 2 ... 15 1 2 ... the bytes begin 10 21 32 43 in GGUF (weight 16
# above 0, 17 above 1) and 10 32 54 76 in onnxruntime.
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
# -8 first, so that the scale is 1; then levels that tell the places apart
levels = numpy.array([0, *(1 + numpy.arange(31) % 15)])
weights = (levels - 8).astype(numpy.float32)

block = quantize(weights[None], GGMLQuantizationType.Q4_0)[0]
assert block[:2].view(numpy.float16)[0] == 1
of_gguf = block[2:]

value = helper.make_tensor_value_info
graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["y"])],
    "product",
    [value("x", TensorProto.FLOAT, [1, 32])],
    [value("y", TensorProto.FLOAT, [1, 1])],
    [numpy_helper.from_array(weights[:, None], "w")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
onnx.checker.check_model(model)
quantizer = MatMulNBitsQuantizer(model, block_size=32, is_symmetric=True)
quantizer.process()
made = {t.name: numpy_helper.to_array(t) for t in quantizer.model.model.graph.initializer}
assert made["w_scales"].ravel()[0] == 1
of_onnxruntime = made["w_Q4"].ravel()

print("GGUF       ", of_gguf.tobytes().hex(" "))
print("onnxruntime", of_onnxruntime.tobytes().hex(" "))
assert (of_gguf == (levels[:16] | levels[16:] << 4)).all()
assert (of_onnxruntime == (levels[::2] | levels[1::2] << 4)).all()
assert sorted(levels) == sorted([*(of_onnxruntime & 15), *(of_onnxruntime >> 4)])
PYTHON
