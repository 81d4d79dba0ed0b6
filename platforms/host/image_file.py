"""Files with the image of a model for external memory, ``weights.bin``.

A header of 4,096 bytes, then the image as it lies in the memory. Header, little-endian:

| byte | | |
|---|---|---|
| 0 | 8 bytes | "GTFWIMG1": kind of file, and version of the format |
| 8 | u32 | CRC-32 of the header with 0 here |
| 12 | 3 × u32 | ports, bytes of a port in a cycle, beats of a burst |
| 24 | 2 × u64 | bytes of the image, and of the memory from its first byte on that the core uses |
| 40 | 2 × u64 | checksum of the image (:mod:`gateformer.gateware.streamed.checksum`) |
| 56 | 32 bytes | digest of the model |
| 88 | 64 bytes | name of the model, UTF-8, then zeros |

Imports numpy alone: boards read these files, too.
"""

from __future__ import annotations

import dataclasses
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gateformer.model.support.errors import UserError
from gateformer.model.support.printable import printable
from gateformer.model.support.whole_file import complete_file

IMAGE_FILE = "weights.bin"
HEADER_BYTES = 4096
MAGIC = b"GTFWIMG1"
_FORMATS = {
    **{"magic": "8s", "crc": "I", "ports": "I", "data_bytes": "I", "burst_beats": "I"},
    **{"image_bytes": "Q", "memory_bytes": "Q", "checksum": "2Q", "digest": "32s", "name": "64s"},
}
_FIELDS = struct.Struct("<" + "".join(_FORMATS.values()))
OFFSETS = {
    name: struct.calcsize("<" + "".join(list(_FORMATS.values())[:i]))
    for i, name in enumerate(_FORMATS)
}
"""Where each field of the header begins."""
_CRC_AT = OFFSETS["crc"]
_PIECE = 1 << 20


@dataclasses.dataclass(frozen=True)
class ImageHeader:
    """What a file says of its image.

    Parameters
    ----------
    ports, data_bytes, burst_beats : int, as :class:`gateware.memory.bus.MemoryShape`
    image_bytes, memory_bytes : int
    checksum : (int, int), 64 bits each
    digest : str, 64 hexadecimal digits
    name : str, cut to 64 bytes; printable once it was read, with ``?`` for what is no UTF-8
    """

    ports: int
    data_bytes: int
    burst_beats: int
    image_bytes: int
    memory_bytes: int
    checksum: tuple[int, int]
    digest: str
    name: str

    def pack(self) -> bytes:
        """The header's bytes."""
        content = bytearray(HEADER_BYTES)
        # whole characters only
        name = self.name.encode("utf-8", "replace")[:64].decode("utf-8", "ignore").encode("utf-8")
        content[: _FIELDS.size] = _FIELDS.pack(
            MAGIC,
            0,
            self.ports,
            self.data_bytes,
            self.burst_beats,
            self.image_bytes,
            self.memory_bytes,
            *self.checksum,
            bytes.fromhex(self.digest),
            name,
        )
        struct.pack_into("<I", content, _CRC_AT, zlib.crc32(content))
        return bytes(content)

    @classmethod
    def parse(cls, content: bytes, name: str) -> ImageHeader:
        """Inverse of :meth:`pack`; ``name`` is the file's, for UserError: no such file, of another
        format, damaged, or shorter than a header."""
        if content[: len(MAGIC) - 1] != MAGIC[:-1]:
            raise UserError(f"{name} is no image of a model's weights; build one: {IMAGE_FILE}")
        if content[: len(MAGIC)] != MAGIC:
            version = content[len(MAGIC) - 1 : len(MAGIC)].decode("latin-1")
            raise UserError(
                f"{name} is of version {version!r} of the format, and this reads "
                f"{MAGIC[-1:].decode()!r}; "
                "build it again"
            )
        if len(content) < HEADER_BYTES:
            raise UserError(
                f"{name} ends in its header, after {len(content):,} of {HEADER_BYTES:,} bytes; "
                "copy it again"
            )
        plain = bytearray(content[:HEADER_BYTES])
        fields = _FIELDS.unpack_from(plain)
        plain[_CRC_AT : _CRC_AT + 4] = bytes(4)
        if zlib.crc32(plain) != fields[1]:
            raise UserError(f"{name} has a damaged header; copy it again")
        _, _, ports, data_bytes, beats, size, memory, first, second, digest, text = fields
        return cls(
            ports,
            data_bytes,
            beats,
            size,
            memory,
            (first, second),
            digest.hex(),
            printable(text.rstrip(b"\0").decode("utf-8", "replace")),
        )


def write_image(path: str | os.PathLike, header: ImageHeader, image: np.ndarray) -> None:
    """A whole file of ``image``, uint8 [image_bytes]; ValueError if its size is another."""
    if image.size != header.image_bytes:
        raise ValueError(f"an image of {image.size} bytes, not {header.image_bytes}")
    with complete_file(path) as partial, open(partial, "wb") as file:
        file.write(header.pack())
        file.write(memoryview(np.ascontiguousarray(image)))


def read_header(path: str | os.PathLike) -> ImageHeader:
    """The header of a file whose image is whole; UserError as :meth:`ImageHeader.parse`, or if the
    file can't be read or ends too early."""
    try:
        with open(path, "rb") as file:
            content = file.read(HEADER_BYTES)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from None
    header = ImageHeader.parse(content, str(path))
    expected = HEADER_BYTES + header.image_bytes
    if size != expected:
        raise UserError(
            f"{path} has {size:,} bytes, and its header says {expected:,}; copy it again"
        )
    return header


def pieces(path: str | os.PathLike) -> Iterator[bytes]:
    """The image of a file, a piece after another."""
    with Path(path).open("rb") as file:
        file.seek(HEADER_BYTES)
        while piece := file.read(_PIECE):
            yield piece


def image_of(path: str | os.PathLike) -> np.ndarray:
    """The whole image of a file, uint8, mapped."""
    return np.memmap(path, np.uint8, "r", HEADER_BYTES)
