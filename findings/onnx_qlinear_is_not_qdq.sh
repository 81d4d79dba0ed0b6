#!/bin/sh
# onnxruntime 1.32.0, onnx 1.23.2: QLinearMatMul and the same product in QDQ form differ, and
# the reference implementation's QLinearMatMul differs from both.
#
# The same INT8 product can be written as one QLinearMatMul, or as DequantizeLinear, MatMul and
# QuantizeLinear (what quantization tools write). With scales 1, 1 and 1000 nothing is lost before the
# rounding: the sums are integers below 2^24. One expects the same result, ties to even. But for
# QLinearMatMul the runtime multiplies the sum in float32 by 1/1000 rounded to float32, and the
# reference implementation by the same number in float64, where QDQ divides by 1000. There is no one
# integer function of an ONNX product that hardware could equal bit for bit: the form of the node and
# who runs it decide.
#
# Output: of 240 sums that end in 500, QDQ rounds all to even; QLinearMatMul 84 otherwise in the
# runtime, 120 in the reference, and these two differ in 36, such as -78500: -78 and -79.
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

DEPTH, OUT = 512, 1000
sums = 1000 * numpy.arange(-120, 120) + 500
b = numpy.full((DEPTH, 1), 127, "int8")
b[0] = 1
a = numpy.zeros((len(sums), DEPTH), "int8")
for row, total in zip(a, sums):
    quotient, row[0] = divmod(int(total), 127)
    sign, full, rest = numpy.sign(quotient), abs(quotient) // 127, abs(quotient) % 127
    row[1 : 1 + full], row[1 + full] = 127 * sign, rest * sign
assert (a.astype(int) @ b.astype(int) == sums[:, None]).all()

value = helper.make_tensor_value_info
constants = [
    helper.make_tensor("one", TensorProto.FLOAT, [], [1]),
    helper.make_tensor("out", TensorProto.FLOAT, [], [OUT]),
    helper.make_tensor("zero", TensorProto.INT8, [], [0]),
]
FORMS = {
    "QLinearMatMul": [
        helper.make_node(
            "QLinearMatMul", ["a", "one", "zero", "b", "one", "zero", "out", "zero"], ["y"]
        )
    ],
    "QDQ": [
        helper.make_node("DequantizeLinear", ["a", "one", "zero"], ["a_float"]),
        helper.make_node("DequantizeLinear", ["b", "one", "zero"], ["b_float"]),
        helper.make_node("MatMul", ["a_float", "b_float"], ["y_float"]),
        helper.make_node("QuantizeLinear", ["y_float", "out", "zero"], ["y"]),
    ],
}
results = {}
for form, nodes in FORMS.items():
    graph = helper.make_graph(
        nodes,
        "product",
        [value("a", TensorProto.INT8, a.shape), value("b", TensorProto.INT8, b.shape)],
        [value("y", TensorProto.INT8, [len(sums), 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {"a": a, "b": b}
    results[form, "runtime"] = session.run(None, feeds)[0][:, 0].astype(int)
    results[form, "reference"] = ReferenceEvaluator(model).run(None, feeds)[0][:, 0].astype(int)

even = numpy.rint(sums / OUT).astype(int)
for (form, where), found in results.items():
    print(f"{form}, {where}: {(found != even).sum()} of {len(sums)} not to even")
runtime, reference = results["QLinearMatMul", "runtime"], results["QLinearMatMul", "reference"]
apart = runtime != reference
print(f"QLinearMatMul: runtime and reference differ in {apart.sum()}")
print("for example", sums[apart][0], runtime[apart][0], reference[apart][0])
assert (results["QDQ", "runtime"] == even).all() and (results["QDQ", "reference"] == even).all()
assert (runtime != even).any() and (reference != even).any() and apart.any()
assert abs(runtime - even).max() == 1
PYTHON
