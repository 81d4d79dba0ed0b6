"""Images that the firmware of a model in external memory refuses, and what it says of them."""

import dataclasses
import zlib

import numpy as np
import pytest

from gateformer.platforms.boards.board import board
from gateformer.platforms.families.zynq_address import IMAGE_FILE_ADDRESS
from gateformer.platforms.host.image_file import HEADER_BYTES, OFFSETS
from tests.support.imported.small_accelerator import artifact
from tests.support.imported.small_streamed import header, image, program

from .streamed_bench import BUILD, COPY, StreamedDevice, refusal, weights


def with_header(**changes) -> bytes:
    return header(**changes).pack() + image().tobytes()


@pytest.mark.parametrize("size", [0, 6, 100, HEADER_BYTES, HEADER_BYTES + 1])
def test_a_file_that_is_cut_off(size):
    line = refusal(StreamedDevice(weights()[:size]))
    if size < 8:
        assert line == b"there is no image of weights in the memory" + COPY
    elif size < HEADER_BYTES:
        assert line.startswith(b"the header of weights.bin is damaged: its CRC reads ")
    else:
        assert line == b"weights.bin is damaged: its checksum is not the accelerator's" + COPY


def test_another_format():
    content = bytearray(weights())
    content[7:8] = b"0"
    assert refusal(StreamedDevice(content)) == (
        b"weights.bin is of another version of the format" + COPY
    )


def test_a_damaged_header():
    content = bytearray(weights())
    content[OFFSETS["name"]] ^= 1
    plain = bytearray(content[:HEADER_BYTES])
    expected = int.from_bytes(plain[8:12], "little")
    plain[8:12] = bytes(4)
    assert refusal(StreamedDevice(content)) == (
        b"the header of weights.bin is damaged: its CRC reads %08x, expected %08x"
        % (zlib.crc32(plain), expected)
        + COPY
    )


def welcomes_with_wrong_bits(places) -> list[bytes]:
    found = []
    for place in places:
        content = bytearray(weights())
        content[place // 8] ^= 1 << place % 8
        found.append(StreamedDevice(content).welcome)
    return found


def are_refused(welcomes) -> bool:
    names = (b"there is no image", b"another version", b"is damaged")
    return all(w.startswith(b"\r\n! ") and any(n in w for n in names) for w in welcomes)


def wrong_bits(count: int) -> list[int]:
    rng = np.random.default_rng(5)
    bits = 8 * len(weights())
    first = rng.integers(0, 8 * HEADER_BYTES, count // 2)
    return [*first.tolist(), *rng.integers(8 * HEADER_BYTES, bits, count // 2).tolist(), bits - 1]


def test_a_wrong_bit_anywhere():
    assert are_refused(welcomes_with_wrong_bits(wrong_bits(6)))


@pytest.mark.slow
def test_any_wrong_bit_anywhere():
    assert are_refused(welcomes_with_wrong_bits([*range(64), *wrong_bits(300)]))


def test_another_models_image():
    other = "0123456789abcdef" * 4
    assert refusal(StreamedDevice(with_header(digest=other))) == (
        b"weights.bin is another model's: its digest reads "
        + other.encode()
        + b", expected "
        + artifact().model.digest.encode()
        + BUILD
    )


def test_an_image_for_another_memory():
    assert refusal(StreamedDevice(with_header(ports=4, burst_beats=16))) == (
        b"weights.bin is for another memory: its shape reads 00100804, expected 00040802" + BUILD
    )


def test_an_image_of_another_size():
    facts = program().facts
    size = facts.memory_bytes
    for changes, found in (
        ({"memory_bytes": size + 64}, (facts.image_bytes, 0, size + 64)),
        ({"image_bytes": facts.image_bytes + (1 << 32)}, (facts.image_bytes, 1, size)),
    ):
        line = b"weights.bin is of another size: its bytes reads %08x%08x%08x" % found
        line += b", expected %08x%08x%08x" % (facts.image_bytes, 0, size)
        assert refusal(StreamedDevice(with_header(**changes))) == line + BUILD
    large = b"weights.bin is too large for the memory" + BUILD
    for bytes_ in (0x3000_0000, 1 << 32, (1 << 32) + size):
        assert refusal(StreamedDevice(with_header(memory_bytes=bytes_))) == large
    assert b"another size" in StreamedDevice(with_header(memory_bytes=0x2FFF_F000)).welcome


@pytest.mark.parametrize("name", ["cora-z7", "zybo"])
def test_an_image_that_only_a_larger_memory_holds(name):
    size = board(name).memory.size
    most = size - IMAGE_FILE_ADDRESS - HEADER_BYTES
    for needed, said in ((most, b"another size"), (most + 1, b"too large for the memory")):
        device = StreamedDevice(with_header(memory_bytes=needed), memory_bytes=size)
        assert said in device.welcome


def test_header_fields_are_those_of_the_file():
    fields = {field.name for field in dataclasses.fields(header())}
    assert fields | {"magic", "crc"} == set(OFFSETS)
