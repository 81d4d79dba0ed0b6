"""The text of a flat design in RTLIL, as CXXRTL makes good C++ of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

MOST_PIECES = 64
"""Of a connection's side. CXXRTL makes an expression of all, one template within the other: 900 are
more than compilers accept, and 400 take them minutes."""

_PRIVATE_WIRE = re.compile(r"^  wire (?:.* )?(\$\S+)$", re.MULTILINE)
_PRIVATE_NAME = re.compile(r"(?<!\S)\$\S+")
_WIRE = re.compile(r"^  wire (?:.*?width (\d+) )?(?:.* )?(\\\S+)$", re.MULTILINE)
_CONNECTION = re.compile(r"^  connect (\{.*?\}|\S+(?: \[[\d:]+\])?) (\{.*\}|\S.*)\n", re.MULTILINE)
_PIECE = re.compile(r"(\d+)'([01xz-]+)|(\\\S+)(?: \[(\d+)(?::(\d+))?\])?")


def publish_wires(design: str) -> str:
    """The design with public names for all wires.

    CXXRTL inlines a private wire into each place that uses a slice of it, which makes expressions
    grow exponentially; a public one it computes once, below optimization level 6.
    """
    names = {name: f"\\n{i}" for i, name in enumerate(_PRIVATE_WIRE.findall(design))}
    lines = design.splitlines(keepends=True)
    for i, line in enumerate(lines):
        if "$" in line and not line.startswith("  cell "):
            lines[i] = _PRIVATE_NAME.sub(lambda match: names.get(match[0], match[0]), line)
    return "".join(lines)


def split_connections(design: str) -> str:
    """The design, all of whose wires are public, with a connection for each bit of one of more than
    :data:`MOST_PIECES` pieces."""
    widths: dict[str, int] = {}

    def split(match: re.Match) -> str:
        if max(len(_PIECE.findall(side)) for side in match.groups()) <= MOST_PIECES:
            return match[0]
        if not widths:
            widths.update((name, int(width or 1)) for width, name in _WIRE.findall(design))
        left, right = (list(_bits(side, widths)) for side in match.groups())
        pairs = zip(left, right, strict=True)
        return "".join(f"  connect {one} {other}\n" for one, other in pairs)

    return _CONNECTION.sub(split, design)


def _bits(side: str, widths: dict[str, int]) -> Iterator[str]:
    """The bits of a side of a connection, most significant first."""
    for _, constant, name, high, low in _PIECE.findall(side):
        if constant:
            yield from (f"1'{bit}" for bit in constant)
        elif not high and widths[name] == 1:
            yield name
        else:
            first = int(high) if high else widths[name] - 1
            last = int(low or high or 0)
            yield from (f"{name} [{i}]" for i in range(first, last - 1, -1))
