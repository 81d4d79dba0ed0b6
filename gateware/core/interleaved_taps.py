"""What the taps of an interleaved core recorded, stream by stream."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..compiler.program import Program
from .taps import TapRecords, tap_event


def records_of_streams(
    program: Program,
    issued: Iterable[tuple[int, int, int, int]],
    records: dict[str, np.ndarray],
    *,
    reset: bool = False,
) -> list[list[tuple[int, dict[str, list[np.ndarray]]]]]:
    """For each stream its tokens' programs, in order: (position, port name to records [n, count]).

    ``issued``: (stream, slot, place, position) of each turn; ``records``: of all streams, by port,
    in the order of the turns. A token's program begins at place 0; those of a stream are in order
    from the first query on. All records have to be of a turn, and all turns have theirs, unless the
    core was ``reset`` then.
    """
    taken = TapRecords(records)
    found = [[] for _ in range(program.streams)]
    running = {}
    first = next(n for n, each in enumerate(program.interleaving.requests) if each.queries)
    for stream, slot, place, position in issued:
        if place == 0:
            running[slot] = {}
        if place == first:
            found[stream].append((position, running[slot]))
        item = program.instructions[place]
        port = tap_event(item)
        if port is not None:
            values = taken.take(port, item.outer_count(position))
            running[slot].setdefault(port, []).append(values)
    left = taken.left_over()
    if any(count > 0 or not reset for count in left.values()):
        raise ValueError(f"results without a turn: {left}")
    return found


def records_of_sequence(
    tokens: list[tuple[int, dict[str, list[np.ndarray]]]],
) -> dict[str, np.ndarray]:
    """Records by port of consecutive tokens of a stream, as :func:`.taps.check_taps` takes them."""
    parts: dict[str, list[np.ndarray]] = {}
    for _, ports in tokens:
        for port, values in ports.items():
            parts.setdefault(port, []).extend(values)
    return {port: np.concatenate(values) for port, values in parts.items()}
