"""Measuring rows side by side: in turn, repeat after repeat, so that all meet the same load.

A row's time at a position is the median over the repeats, and its mean over the context the mean
of these: a step that another process interrupts is an outlier of its position, no more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from ..contract.integer_model import IntegerModel
from ..contract.reference import Reference
from ..contract.sampling import SamplingSettings
from ..support.errors import ToolError
from .rows import FLOAT, INTEGER, Row

QUARTILES = (0.25, 0.5, 0.75)


@dataclasses.dataclass(frozen=True, eq=False)
class Measurement:
    """Times of one row.

    Parameters
    ----------
    key, label, function, how : str, as in Row
    streams, threads : int, as in Row
    seconds : float array [repeats, count] of every token; the first is chosen at ``position``
    position : int, of the token that is fed first of those that are timed
    same_tokens : bool or None, whether its tokens are the reference's (of the integer function)
        or those of the first float row; None where no tokens were chosen
    """

    key: str
    label: str
    function: str
    how: str
    streams: int
    threads: int
    seconds: np.ndarray
    position: int
    same_tokens: bool | None = None

    def by_position(self) -> np.ndarray:
        """Tokens per second [3, count] of the first quartile, median and third one of the rates."""
        return 1 / np.quantile(self.seconds, QUARTILES[::-1], axis=0)

    def tokens_per_second(self) -> np.ndarray:
        """The same [3] for the mean over the positions."""
        return 1 / np.quantile(self.seconds, QUARTILES[::-1], axis=0).mean(axis=1)


def measure(
    rows: list[Row],
    model: IntegerModel,
    prompt: list[int],
    count: int,
    repeats: int,
    show: Callable[[str], None],
) -> list[Measurement]:
    """``repeats`` sequences of every row after one that does not count.

    ``show`` is told the label of each sequence before it begins. Raises ToolError if a row of the
    integer function does not choose the reference's tokens.
    """
    seconds: dict[str, list[np.ndarray]] = {row.key: [] for row in rows}
    chosen: dict[str, list[int]] = {}
    for _ in range(repeats + 1):
        for row in rows:
            show(row.label)
            chosen[row.key], times = row.generate(prompt, count)
            seconds[row.key].append(times)
    greedy = SamplingSettings()
    expected = {INTEGER: list(Reference(model).generate(prompt, count, greedy))}
    expected[FLOAT] = next((chosen[row.key] for row in rows if row.function == FLOAT), [])
    found = []
    for row in rows:
        same = chosen[row.key] == expected[row.function]
        if not same and row.function == INTEGER:
            raise ToolError(f"{row.label} does not choose the tokens of the reference")
        found.append(
            Measurement(
                **{name: getattr(row, name) for name in ("key", "label", "function", "how")},
                streams=row.streams,
                threads=row.threads,
                seconds=np.array(seconds[row.key][1:]),
                position=len(prompt) - 1,
                same_tokens=same,
            )
        )
    return found
