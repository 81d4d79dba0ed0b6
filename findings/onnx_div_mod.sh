#!/bin/sh
# onnxruntime 1.32.0, onnx 1.23.2: quotient and remainder of integers do not belong together.
#
# In C, Python, numpy and Verilog a == (a / b) * b + a % b for integers, whichever way the quotient is
# rounded. In ONNX it does not hold: Div truncates toward zero, as C does, and Mod (of integers) has
# the sign of the divisor, as Python's. A graph of integers that splits a negative value into quotient
# and remainder, such as fixed-point numbers or digits of a weight, does not give it back. Runtime and
# reference implementation agree.
#
# Output: -7 by 2: Div -3, Mod 1, and -3 * 2 + 1 is -5.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
cd "$directory"
"$directory/venv/bin/python" - <<'PYTHON'
import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

value = helper.make_tensor_value_info
nodes = [
    helper.make_node("Div", ["a", "b"], ["quotient"]),
    helper.make_node("Mod", ["a", "b"], ["remainder"]),
    helper.make_node("Mul", ["quotient", "b"], ["product"]),
    helper.make_node("Add", ["product", "remainder"], ["sum"]),
]
graph = helper.make_graph(
    nodes,
    "divide",
    [value(name, TensorProto.INT32, [4]) for name in ("a", "b")],
    [value(name, TensorProto.INT32, [4]) for name in ("quotient", "remainder", "sum")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
onnx.checker.check_model(model)
feeds = {"a": numpy.array([7, -7, 7, -7], "int32"), "b": numpy.array([2, 2, -2, -2], "int32")}
session = onnxruntime.InferenceSession(
    model.SerializeToString(), providers=["CPUExecutionProvider"]
)
for name, run in (("runtime", session), ("reference", ReferenceEvaluator(model))):
    quotient, remainder, total = (result.tolist() for result in run.run(None, feeds))
    print(f"{name}: Div {quotient} Mod {remainder} Div * b + Mod {total}")
    assert quotient == [3, -3, -3, 3]
    assert remainder == [1, 1, -1, -1]
    assert total == [7, -5, 5, -7]
PYTHON
