#!/bin/sh
# numpy 2.4.6: the sum of INT8 is INT64, their product of matrices is INT8 and wraps without a word.
#
# numpy.sum, cumsum, prod and trace of small integers widen to 64 bits. One expects as much of sums
# of products: a reference of an INT8 layer written as a @ w. But matmul, dot, inner, vdot, tensordot
# and einsum keep the type of their operands, and each sum wraps at 8 bits; there is no warning, which
# numpy gives for a single overflowing scalar.
#
# Output: four times 100: sum 400; 100 * 100 four times: @, dot, inner, vdot and einsum 64, which is
# 40000 modulo 256.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6
cd "$directory"
"$directory/venv/bin/python" - <<'PYTHON'
import warnings

import numpy

warnings.simplefilter("error")
a = numpy.full(4, 100, numpy.int8)
widened = {"sum": a.sum(), "cumsum": a.cumsum()[-1], "trace": numpy.trace(numpy.diag(a))}
wrapped = {
    "@": a @ a,
    "dot": numpy.dot(a, a),
    "inner": numpy.inner(a, a),
    "vdot": numpy.vdot(a, a),
    "tensordot": numpy.tensordot(a, a, 1)[()],
    "einsum": numpy.einsum("i,i", a, a),
}
print({name: (int(value), str(value.dtype)) for name, value in (widened | wrapped).items()})
assert all(value == 400 and value.dtype == numpy.int64 for value in widened.values())
assert all(value == 64 == 40000 % 256 and value.dtype == numpy.int8 for value in wrapped.values())
assert numpy.matmul(a, a, dtype=numpy.int32) == 40000
PYTHON
