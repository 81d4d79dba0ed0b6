"""Protocol Buffers as their fields, without a schema.

Source: "Protocol Buffers, Encoding", protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct

_VARINT, _DOUBLE, _LENGTH, _FLOAT = 0, 1, 2, 5


def fields(message: bytes) -> dict[int, list]:
    """Values of each field by its number, in order: int, float or bytes.

    Raises ValueError or IndexError if it is no message.
    """
    found: dict[int, list] = {}
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
        elif kind == _LENGTH:
            size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        elif kind in (_DOUBLE, _FLOAT):
            form, size = ("<d", 8) if kind == _DOUBLE else ("<f", 4)
            (value,) = struct.unpack_from(form, message[at : at + size].ljust(size, b"\0"))
            at += size
        else:
            raise ValueError(f"wire type {kind}")
        found.setdefault(key >> 3, []).append(value)
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """(value, index behind it)."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
