"""Few combinations of independent choices, in which every pair of values occurs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence


def pairwise(choices: Mapping[str, Sequence]) -> list[dict]:
    """Greedy: always the combination with most pairs that have not occurred; in a fixed order."""
    names = list(choices)
    rows = [
        dict(zip(names, values, strict=True)) for values in itertools.product(*choices.values())
    ]
    left = {pair for row in rows for pair in _pairs(row)}
    found = []
    while left:
        best = max(rows, key=lambda row: len(left.intersection(_pairs(row))))
        found.append(best)
        left -= set(_pairs(best))
    return found


def _pairs(row: dict) -> list[tuple]:
    return list(itertools.combinations(((name, repr(value)) for name, value in row.items()), 2))
