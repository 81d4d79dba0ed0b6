#!/bin/sh
# qonnx 1.0.0: HALF_UP is not add-half-and-shift, and a signed 1-bit Quant has no zero.
#
# Quant's rounding mode HALF_UP sounds like floor(x + 1/2), which hardware does with one adder before
# a shift, -2.5 to -2. It goes away from zero: -2.5 to -3, as UP (always away from zero) and DOWN
# (toward zero) mean magnitudes, not the number line. And with one signed bit, where the formula for
# other widths gives -1 and 0 (-2^(b-1) to 2^(b-1) - 1), Quant gives -1 and +1, and 0 becomes +1; so
# two's complement of the stated width cannot hold the result.
#
# Output: -2.5 -1.5 -0.5 0.5 1.5 2.5 by HALF_UP: -3 -2 -1 1 2 3; -0.7 0 0.7 at 1 bit: -1 1 1, at 2 bits
# -1 0 1.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install --quiet --disable-pip-version-check qonnx==1.0.0 numpy==2.4.6
cd "$directory"
"$directory/venv/bin/python" - <<'PYTHON'
import numpy
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

value = helper.make_tensor_value_info


def quantized(values, bits, mode):
    values = numpy.array(values, numpy.float32)
    node = helper.make_node(
        "Quant",
        ["x", "scale", "zero", "bits"],
        ["y"],
        domain="qonnx.custom_op.general",
        signed=1,
        narrow=0,
        rounding_mode=mode,
    )
    constants = [
        helper.make_tensor(name, TensorProto.FLOAT, [], [number])
        for name, number in (("scale", 1), ("zero", 0), ("bits", bits))
    ]
    ends = [[value(name, TensorProto.FLOAT, values.shape)] for name in "xy"]
    graph = helper.make_graph([node], "quantize", *ends, constants)
    opsets = [helper.make_opsetid("", 16), helper.make_opsetid("qonnx.custom_op.general", 1)]
    model = ModelWrapper(helper.make_model(graph, opset_imports=opsets))
    return execute_onnx(model, {"x": values})["y"].astype(int).tolist()


ties = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]
half_up = quantized(ties, 8, "HALF_UP")
adder = numpy.floor(numpy.array(ties) + 0.5).astype(int).tolist()
print("HALF_UP", half_up, "floor(x + 1/2)", adder)
assert half_up == [-3, -2, -1, 1, 2, 3] and adder == [-2, -1, 0, 1, 2, 3]
one, two = (quantized([-0.7, 0, 0.7], bits, "ROUND") for bits in (1, 2))
print("1 bit", one, "2 bits", two)
assert one == [-1, 1, 1] and two == [-1, 0, 1]
PYTHON
