#!/bin/sh
# gguf 0.19.0 (numpy 2.4.6): the five ternary digits of a TQ1_0 byte are no base-3 number.
#
# A GGUF tensor of type TQ1_0 has five weights of -1, 0, 1 in a byte, and 3^5 = 243 <= 256, so one
# expects byte = d0 + 3 d1 + 9 d2 + 27 d3 + 81 d4, digits taken out by division. But the byte is
# ceil(256 n / 243), a fraction of 256: digits come out by multiplying by 3 and taking the carry out
# of 8 bits, the first weight first. Division by 3 gives other weights without an error. The five
# weights are no neighbours, either, but 32 apart; and the last 16 of a block's 256 come four to a
# byte, 4 apart.
#
# Output: weights 0, 32, 64, 96, 128 are digits 2 0 2 0 2, the byte is 192, not 182;
# by multiplication 2 0 2 0 2, by division 0 1 0 1 2.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install --quiet --disable-pip-version-check gguf==0.19.0 numpy==2.4.6
cd "$directory"
"$directory/venv/bin/python" - <<'PYTHON'
import numpy
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize

kind = GGMLQuantizationType.TQ1_0
weights = numpy.random.default_rng(0).integers(-1, 2, (1, 256)).astype(numpy.float32)
block = quantize(weights, kind)[0]
assert len(block) == 54 and (dequantize(block[None], kind) == weights).all()

digits = (weights[0] + 1).astype(int)


def by_multiplication(byte, count):
    found = []
    for _ in range(count):
        found.append(byte * 3 >> 8)
        byte = byte * 3 & 255
    return found


def by_division(byte, count):
    return [byte // 3**place % 3 for place in range(count)]


first = [int(digit) for digit in digits[0:160:32]]
number = int("".join(map(str, first)), 3)
byte = int(block[0])
print(f"digits {first}: as a number {number}, the byte {byte}")
print("by multiplication", by_multiplication(byte, 5), "by division", by_division(byte, 5))
assert byte == -(-256 * number // 243) != number
assert by_division(byte, 5) != first and by_division(byte, 5)[::-1] != first
for index in range(32):
    assert by_multiplication(int(block[index]), 5) == list(digits[index : 160 : 32])
for index in range(16):
    assert by_multiplication(int(block[32 + index]), 5) == list(digits[160 + index : 240 : 16])
for index in range(4):
    assert by_multiplication(int(block[48 + index]), 4) == list(digits[240 + index : 256 : 4])
PYTHON
