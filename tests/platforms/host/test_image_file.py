"""Files of images for external memory: what is written is read, and what is wrong has a name."""

import dataclasses
import struct

import numpy as np
import pytest

from gateformer.gateware.memory.bus import MemoryShape
from gateformer.gateware.streamed.checksum import checksum
from gateformer.model.support.errors import UserError
from gateformer.platforms.host.image_file import (
    HEADER_BYTES,
    ImageHeader,
    image_of,
    pieces,
    read_header,
    write_image,
)

IMAGE = np.random.default_rng(3).integers(0, 256, 5 * 512).astype(np.uint8)
HEADER = ImageHeader(
    ports=4,
    data_bytes=8,
    burst_beats=16,
    image_bytes=IMAGE.size,
    memory_bytes=8192,
    checksum=(1, 2**64 - 1),
    digest="0f" * 32,
    name="smol",
)


@pytest.fixture
def path(tmp_path):
    write_image(tmp_path / "weights.bin", HEADER, IMAGE)
    return tmp_path / "weights.bin"


def test_what_is_written_is_read(path):
    assert read_header(path) == HEADER
    assert np.array_equal(image_of(path), IMAGE)
    assert b"".join(pieces(path)) == IMAGE.tobytes()


def test_the_document_of_the_header_is_true(path):
    """An independent reader, by the table alone."""
    content = path.read_bytes()
    assert content[:8] == b"GTFWIMG1"
    assert struct.unpack_from("<3I", content, 12) == (4, 8, 16)
    assert struct.unpack_from("<4Q", content, 24) == (IMAGE.size, 8192, 1, 2**64 - 1)
    assert content[56:88] == bytes.fromhex("0f" * 32)
    assert content[88:152] == b"smol".ljust(64, b"\0")
    assert content[HEADER_BYTES:] == IMAGE.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c[:-1], "has 6,655 bytes, and its header says 6,656; copy it again"),
        (lambda c: c + b"x", "has 6,657 bytes, and its header says 6,656; copy it again"),
        (lambda c: c[:100], "ends in its header, after 100 of 4,096 bytes; copy it again"),
        (lambda c: b"", "is no image of a model's weights; build one: weights.bin"),
        (lambda c: b"GTFWIMG0" + c[8:], "is of version '0' of the format, and this reads '1'; "
         "build it again"),
        (lambda c: b"x" + c[1:], "is no image of a model's weights; build one: weights.bin"),
    ],
)  # fmt: skip
def test_a_wrong_file_has_a_name(path, change, message):
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError) as refused:
        read_header(path)
    assert str(refused.value) == f"{path} {message}"


def test_every_wrong_bit_of_the_header_is_refused(path):
    content = path.read_bytes()
    rng = np.random.default_rng(5)
    for bit in (*range(8 * 160), *rng.integers(8 * 160, 8 * HEADER_BYTES, 200).tolist()):
        wrong = bytearray(content)
        wrong[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UserError):
            ImageHeader.parse(bytes(wrong), "weights.bin")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\udcffb", "a?b"),
        ("smol\nerror: x\x1b[1mbold", "smol?error: x?[1mbold"),
        ("back\u202ewards\u2028", "back?wards?"),
        ("\u0439" * 40, "\u0439" * 32),
    ],
)
def test_names_of_any_characters(name, shown):
    """Of a file's name in bytes that are no UTF-8; of a file that somebody else has made."""
    header = dataclasses.replace(HEADER, name=name)
    assert ImageHeader.parse(header.pack(), "weights.bin").name == shown


def test_no_such_file(tmp_path):
    with pytest.raises(UserError, match=r"nowhere.bin can't be read: No such file or directory"):
        read_header(tmp_path / "nowhere.bin")


@pytest.mark.parametrize("shape", [MemoryShape(4, 8), MemoryShape(1, 4), MemoryShape(4, 16)])
def test_the_checksum_is_its_documents(shape):
    """In Python's integers; every wrong bit, and words in another order, change it."""
    rng = np.random.default_rng(7)
    words = rng.integers(0, 256, (9, shape.word_bytes)).astype(np.uint8)
    bits = min(64, 8 * shape.word_bytes)
    count = 8 * shape.word_bytes // bits
    first = second = 0
    for word in words:
        value, folded = int.from_bytes(word.tobytes(), "little"), 0
        for piece in range(count):
            part = value >> piece * bits & (1 << bits) - 1
            turn = piece * bits // count
            folded ^= (part << turn | part >> (bits - turn)) & (1 << bits) - 1
        first = (first + folded) % 2**bits
        second = (second + first) % 2**bits
    assert checksum(words) == (first, second)
    for byte in range(words.size):
        wrong = words.copy()
        wrong.flat[byte] ^= 1 << byte % 8
        assert checksum(wrong) != (first, second)
    assert checksum(words[::-1]) != (first, second)


def test_the_size_is_the_headers(tmp_path):
    header = dataclasses.replace(HEADER, image_bytes=1)
    with pytest.raises(ValueError, match="an image of 2560 bytes, not 1"):
        write_image(tmp_path / "weights.bin", header, IMAGE)
    assert not list(tmp_path.iterdir())
