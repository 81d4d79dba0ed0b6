"""llama2.c files of all versions, against run.c's forward written plainly."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from gateformer.model.floating.checkpoints.native_blocks import NativeBlocks
from gateformer.model.floating.checkpoints.opening import open_source
from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.support.errors import UserError
from tests.support.checkpoints import llama2c_files as files

TOKENS = [1, 5, 28, 0, 7, 7, 13, 2]


def plain(sizes, weights, tokens=TOKENS):
    run = files.Run(sizes, weights)
    return np.array([run.forward(token) for token in tokens])


def logits(path):
    return FloatDecoder(open_source(path)).logits(np.array([TOKENS]))[0]


@pytest.mark.parametrize("shared", [True, False], ids=["tied", "own head"])
@pytest.mark.parametrize("version", [0, 1, 2])
def test_logits_are_those_of_run_c(tmp_path, version, shared):
    weights = files.random_weights()
    path = files.write(tmp_path / "m.bin", weights, version, shared)
    if version == 2:
        weights = files.dequantized(weights, 8)
    if shared:
        weights["cls"] = weights["emb"]
    source = open_source(path)
    assert (source.kind, source.family) == ("llama2.c file", "Llama type")
    assert source.shape.tied_head is shared
    np.testing.assert_allclose(logits(path), plain(files.SIZES, weights), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("group", "ours"), [(16, 16), (32, 32), (64, 32)])
def test_groups_stay_codes(tmp_path, group, ours):
    sizes = {**files.SIZES, "dim": 192, "hidden": 128}
    weights = files.random_weights(sizes)
    path = files.write(tmp_path / "m.bin", weights, 2, True, sizes, group)
    source = open_source(path)
    blocks = source.tensors["layers.1.down_proj"]
    assert isinstance(blocks, NativeBlocks) and (blocks.bits, blocks.group) == (8, ours)
    expected = files.dequantized(weights, group)
    np.testing.assert_array_equal(blocks.dequantize(), expected["w2"][1])
    weights = {**expected, "cls": expected["emb"]}
    np.testing.assert_allclose(logits(path), plain(sizes, weights), rtol=0, atol=2e-3)


@pytest.mark.skipif("GATEFORMER_DATA" not in os.environ, reason="GATEFORMER_DATA is not set")
def test_stories260k_tells_a_story():
    directory = Path(os.environ["GATEFORMER_DATA"]) / "stories260K"
    if not directory.is_dir():
        pytest.skip("GATEFORMER_DATA has no stories260K")
    path = directory / "stories260K.bin"
    run, decoder = files.Run(*files.read_legacy(path)), FloatDecoder(open_source(path))
    tokens, expected = [1], [1]
    for _ in range(100):
        expected.append(int(run.forward(expected[-1]).argmax()))
        tokens.append(int(decoder.logits(np.array([tokens]))[0, -1].argmax()))
    assert tokens == expected
    text = "".join(pieces(directory / "tok512.bin")[token] for token in tokens[1:])
    assert text.strip().startswith("Once upon a time, there was a little girl named Lily.")


def pieces(path):
    """The tokens' texts in llama2.c's tokenizer file."""
    data, place, texts = path.read_bytes(), 4, []
    while place < len(data):
        _, length = struct.unpack_from("<fi", data, place)
        texts.append(data[place + 8 : place + 8 + length].decode())
        place += 8 + length
    return texts


def message(path):
    with pytest.raises(UserError) as error:
        open_source(path)
    assert "\n" not in str(error.value)
    return str(error.value).replace(f"{path}", "FILE")


def changed(tmp_path, place, layout, *values, version=1):
    path = files.write(tmp_path / "m.bin", files.random_weights(), version, True)
    data = bytearray(path.read_bytes())
    struct.pack_into(layout, data, place, *values)
    path.write_bytes(data)
    return path


BAD_HEADERS = {
    "version": (
        (4, "<i", 3),
        "FILE: llama2.c version 3 is not supported; expected 0, 1 or 2: export it as one of them",
    ),
    "layers": (
        (16, "<i", -2),
        "FILE: the header's n_layers must be an integer in 1..16777216, not -2",
    ),
    "too many layers": (
        (16, "<i", 1001),
        "FILE: the header's n_layers must be an integer in 1..1000, not 1001",
    ),
    "heads": (
        (20, "<i", 7),
        "FILE: the header's 7 heads must divide dim 24 into even parts; "
        "get the file from its source again",
    ),
    "no heads": (
        (20, "<i", 0),
        "FILE: the header's n_heads must be an integer in 1..16777216, not 0",
    ),
    "KV heads": ((24, "<i", 2), "FILE: the header's n_kv_heads must divide the 3 heads, not 2"),
    "shared": ((36, "<B", 7), "FILE: the header's shared_classifier must be 0 or 1, not 7"),
}


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_bad_headers(tmp_path, name):
    (place, layout, value), expected = BAD_HEADERS[name]
    assert message(changed(tmp_path, place, layout, value)) == expected


@pytest.mark.parametrize("group", [0, -8, 7])
def test_bad_group(tmp_path, group):
    expected = f"FILE: the header's group_size must divide d_model 24, not {group}"
    assert message(changed(tmp_path, 37, "<i", group, version=2)) == expected


@pytest.mark.parametrize("version", [0, 1, 2])
def test_truncated_or_longer(tmp_path, version):
    path = files.write(tmp_path / "m.bin", files.random_weights(), version, False)
    data = path.read_bytes()
    path.write_bytes(data[:-4])
    assert message(path) == (
        f"FILE has {len(data) - 4} bytes, not {len(data)}: it is truncated; "
        "get the file from its source again"
    )
    path.write_bytes(data + b"1")
    assert message(path) == (
        f"FILE has {len(data) + 1} bytes, not {len(data)}: it has more than its header tells; "
        "get the file from its source again"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite(tmp_path, value):
    weights = files.random_weights()
    weights["wk"][1, 2, 3] = value
    source = open_source(files.write(tmp_path / "m.bin", weights, 1, True))
    source.tensors["layers.0.k_proj"]
    with pytest.raises(UserError) as error:
        source.tensors["layers.1.k_proj"]
    assert str(error.value) == (
        f"{tmp_path / 'm.bin'}: tensor layers.1.k_proj holds numbers that are not finite; "
        "get the model from its source again"
    )
