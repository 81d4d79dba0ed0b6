"""Cores of several streams that calibrate and check the resource model."""

from __future__ import annotations

import dataclasses
import functools

from ..points import HOST_SIZES, PLAIN, SMALL, TOP_BOARDS, UNEVEN, Point, Run, points_of

STREAMS = {HOST_SIZES: (1, 2, 4, 8), (UNEVEN, 2, 16, 16): (1, 2)}
"""Cores, and their numbers of streams. With one they are what the others are compared with."""
TOP_STREAMS = (1, 4)
"""Of the core of :data:`platforms.sizes.points.HOST_SIZES` behind each kind of host."""
CHECKED = (((PLAIN, 2, 16, 8), 2), ((SMALL, 4, 16, 16), 3))
"""Cores that are only checked, and their streams."""
FURTHER_CHECKED = {
    "xc7": (
        ("core", HOST_SIZES, 3, 1),
        ("core", (UNEVEN, 4, 32, 12), 4, 1),
        ("top:zybo", HOST_SIZES, 2, 1),
        ("top:zybo", HOST_SIZES, 3, 2),
    )
}
"""More of one family: a core or a top, its streams and its cores."""


def interleaved_runs(family: str) -> list[Run]:
    """Every run of ``family``: a core or a top by itself."""
    points = [
        _point("core", design, streams) for design, all_of in STREAMS.items() for streams in all_of
    ]
    for name in TOP_BOARDS[family]:
        points += [_point(f"top:{name}", HOST_SIZES, streams) for streams in TOP_STREAMS]
    check = functools.partial(_point, checks=True)
    points += [check("core", *design) for design in CHECKED]
    points += [check(*design) for design in FURTHER_CHECKED.get(family, ())]
    return [Run(family, (point,)) for point in points]


def _point(
    what: str, design: tuple, streams: int, cores: int = 1, *, checks: bool = False
) -> Point:
    (point,) = points_of(what, design, checks=checks)
    return dataclasses.replace(point, streams=streams, cores=cores)
