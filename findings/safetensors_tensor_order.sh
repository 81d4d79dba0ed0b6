#!/bin/sh
# safetensors 0.8.0: tensors lie in the file by their type's size, then by name, not as they were given.
#
# A dict of tensors in the order in which hardware wants to stream them (embedding, layer 0, layer 1,
# ...) is written; Python's dicts keep their order, and so one expects the bytes in that order. But the
# writer sorts: widest types first, so that all are aligned, then names as text. Scales of all layers
# come before the INT8 of the first, and layers.10 before layers.2. A loader that streams the file must
# go by data_offsets.
#
# Output: layers.0.scale, layers.2.scale, embed, layers.0.w, layers.10.w, layers.2.w.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
cd "$directory"
"$directory/venv/bin/python" - <<'PYTHON'
import json

import numpy
from safetensors.numpy import save

given = {
    "embed": numpy.zeros(4, numpy.int8),
    "layers.0.w": numpy.zeros(4, numpy.int8),
    "layers.0.scale": numpy.zeros(1, numpy.float32),
    "layers.2.w": numpy.zeros(4, numpy.int8),
    "layers.2.scale": numpy.zeros(1, numpy.float32),
    "layers.10.w": numpy.zeros(4, numpy.int8),
}
content = save(given)
length = int.from_bytes(content[:8], "little")
header = json.loads(content[8 : 8 + length])
found = sorted(given, key=lambda name: header[name]["data_offsets"])
print("given", list(given))
print("found", found)
assert found == [
    "layers.0.scale",
    "layers.2.scale",
    "embed",
    "layers.0.w",
    "layers.10.w",
    "layers.2.w",
]
PYTHON
