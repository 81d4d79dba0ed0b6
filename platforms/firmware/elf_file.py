"""The little of an ELF file that loading it takes.

Source: "Tool Interface Standard (TIS) Executable and Linking Format (ELF) Specification", 1.2.
"""

from __future__ import annotations

import dataclasses
import struct

LOAD = 1
MAGIC = b"\x7fELF\x01\x01"
"""With the class of 32 bits and the little-endian encoding."""


@dataclasses.dataclass(frozen=True)
class Program:
    """What lies where in memory, and where it begins: ``segments`` of (address, content, size in
    memory, the rest of which is 0)."""

    entry: int
    segments: tuple[tuple[int, bytes, int], ...]

    def image(self) -> bytes:
        """The memory from the lowest address to the end of the highest content."""
        base = min(address for address, _, _ in self.segments)
        image = bytearray(max(a + len(content) for a, content, _ in self.segments) - base)
        for address, content, _ in self.segments:
            image[address - base : address - base + len(content)] = content
        return bytes(image)


def read_elf(content: bytes) -> Program:
    """The program of a 32-bit little-endian ELF file; ValueError if it is none."""
    if not content.startswith(MAGIC):
        raise ValueError("no 32-bit little-endian ELF file")
    entry, headers = struct.unpack_from("<II", content, 24)
    size, count = struct.unpack_from("<HH", content, 42)
    segments = []
    for i in range(count):
        kind, offset, address, _, in_file, in_memory = struct.unpack_from(
            "<6I", content, headers + i * size
        )
        if kind == LOAD and in_memory:
            segments.append((address, content[offset : offset + in_file], in_memory))
    return Program(entry, tuple(segments))
