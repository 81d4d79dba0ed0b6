"""The file of an image in external memory: the driver refuses one that is damaged, or another's."""

import struct
import zlib

import numpy as np
import pytest

from gateformer.platforms.host.image_file import HEADER_BYTES, write_image
from tests.support.imported.small_accelerator import artifact
from tests.support.imported.small_streamed import header, image, program
from tests.support.user_error import message

from .image_bench import DAMAGED, Ports, generates, refuses_to_run


@pytest.mark.parametrize("size", [0, 7, 8, 100, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1])
def test_a_file_that_ends_too_early(accelerator, memory, weights, tmp_path, size):
    short = tmp_path / "short.bin"
    short.write_bytes(weights.read_bytes()[:size])
    expected = len(weights.read_bytes())
    assert message(accelerator.load_image, short, memory) == {
        0: f"{short} is no image of a model's weights; build one: weights.bin",
        7: f"{short} is of version '' of the format, and this reads '1'; build it again",
    }.get(
        size,
        f"{short} ends in its header, after {size:,} of 4,096 bytes; copy it again"
        if size < HEADER_BYTES
        else f"{short} has {size:,} bytes, and its header says {expected:,}; copy it again",
    )
    assert not memory.content[memory.content != 0xA5].any()  # nothing was written


def test_a_file_that_is_too_long_or_missing(accelerator, memory, weights, tmp_path):
    path = tmp_path / "long.bin"
    path.write_bytes(weights.read_bytes() + b"x")
    size = len(weights.read_bytes())
    assert message(accelerator.load_image, path, memory) == (
        f"{path} has {size + 1:,} bytes, and its header says {size:,}; copy it again"
    )
    assert message(accelerator.load_image, tmp_path / "none", memory) == (
        f"{tmp_path / 'none'} can't be read: No such file or directory"
    )


def wrong_bits_of_the_header(accelerator, memory, weights, path, places):
    """The driver refuses a file with any of these bits wrong."""
    content = bytearray(weights.read_bytes())
    path.write_bytes(content)
    with path.open("r+b", buffering=0) as file:
        for place in places:
            right = content[place // 8]
            kind = "no image" if place < 56 else "version" if place < 64 else "damaged header"
            for byte in (right ^ 1 << place % 8, right):
                if byte == right:
                    assert kind in message(accelerator.load_image, path, memory), place
                file.seek(place // 8)
                file.write(bytes([byte]))


FIELDS_BYTES = 152
"""Of the header; zeros follow."""


def test_a_wrong_bit_of_the_header_is_refused(accelerator, memory, weights, tmp_path):
    places = [*range(0, 8 * FIELDS_BYTES, 17), 8 * FIELDS_BYTES, 8 * HEADER_BYTES - 1]
    wrong_bits_of_the_header(accelerator, memory, weights, tmp_path / "damaged.bin", places)


@pytest.mark.slow
@pytest.mark.parametrize(
    "step", [pytest.param(1, marks=pytest.mark.full_size), 31], ids=["all", "some zeros"]
)
def test_any_wrong_bit_of_the_header_is_refused(accelerator, memory, weights, tmp_path, step):
    places = [*range(8 * FIELDS_BYTES), *range(8 * FIELDS_BYTES, 8 * HEADER_BYTES, step)]
    wrong_bits_of_the_header(accelerator, memory, weights, tmp_path / "damaged.bin", places)


def damaged_images(count: int) -> list:
    rng = np.random.default_rng(3)
    bits = 8 * len(image())
    return [0, bits - 1, *rng.integers(0, bits, count).tolist()]


def is_refused_with_a_wrong_bit(accelerator, memory, weights, path, place):
    content = bytearray(weights.read_bytes())
    content[HEADER_BYTES + place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    refusal = message(accelerator.load_image, path, memory, ports=Ports(memory))
    return refusal == f"{DAMAGED}; load it again" and refuses_to_run(accelerator)


def test_a_wrong_bit_of_the_image_is_refused(accelerator, memory, weights, tmp_path):
    for place in damaged_images(6):
        assert is_refused_with_a_wrong_bit(
            accelerator, memory, weights, tmp_path / "damaged.bin", place
        ), place
    accelerator.load_image(weights, memory, ports=Ports(memory))
    assert generates(accelerator)


@pytest.mark.slow
def test_any_wrong_bit_of_the_image_is_refused(accelerator, memory, weights, tmp_path):
    for place in damaged_images(400):
        assert is_refused_with_a_wrong_bit(
            accelerator, memory, weights, tmp_path / "damaged.bin", place
        ), place


def test_another_models_image(accelerator, memory, tmp_path):
    path = tmp_path / "other.bin"
    write_image(path, header(digest="ab" * 32, name="other"), image())
    digest = artifact().model.digest[:16]
    assert message(accelerator.load_image, path, memory) == (
        f"{path} is the image of other, digest abababababababab…, and the simulation is of digest "
        f"{digest}…; take the other.bin that was built with this bitstream"
    )


def test_an_image_for_another_memory(accelerator, memory, tmp_path):
    path = tmp_path / "other.bin"
    write_image(path, header(ports=4, burst_beats=16), image())
    assert message(accelerator.load_image, path, memory) == (
        f"{path} is for another accelerator of the model: ports, bytes of a port, beats of a burst "
        "are 4, 8, 16, and the simulation reads 2, 8, 4; build both again"
    )
    sizes = program().facts
    write_image(path, header(memory_bytes=sizes.memory_bytes + 64), image())
    assert message(accelerator.load_image, path, memory) == (
        f"{path} is for another accelerator of the model: bytes of the image, and with keys and "
        f"values are {sizes.image_bytes:,}, {sizes.memory_bytes + 64:,}, and the simulation reads "
        f"{sizes.image_bytes:,}, {sizes.memory_bytes:,}; build both again"
    )


def test_an_old_format(accelerator, memory, weights, tmp_path):
    content = bytearray(weights.read_bytes())
    content[7:8] = b"0"
    content[8:12] = bytes(4)
    struct.pack_into("<I", content, 8, zlib.crc32(content[:HEADER_BYTES]))
    path = tmp_path / "old.bin"
    path.write_bytes(content)
    assert message(accelerator.load_image, path, memory) == (
        f"{path} is of version '0' of the format, and this reads '1'; build it again"
    )
