"""What the INT8 arrays have in common: checks of their sizes and words, reading accumulators."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Signal

from ...parts.delay import delayed

BYTE = 8


def read_accumulators(m: Module, accumulators: list, group, rows: int, width: int) -> Signal:
    """The lower ``width`` bits of a group of ``rows`` accumulators, a cycle after ``group``'s."""
    group = delayed(m, group, 1, name="read_group")
    groups = Array(
        Cat(acc[:width] for acc in accumulators[first : first + rows])
        for first in range(0, len(accumulators), rows)
    )
    selected = Signal(rows * width, reset_less=True)
    m.d.sync += selected.eq(groups[group])
    return selected


def check_sizes(**sizes):
    """Raise TypeError or ValueError unless all are integers of at least 1."""
    for name, value in sizes.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} must be an integer, not {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value!r}")


def checked_words(words, bits: int) -> list[int]:
    """``words`` as a list; TypeError or ValueError unless there are some, of ``bits`` bits."""
    words = [int(word) for word in words]
    if not words:
        raise ValueError("initial_words must have at least 1 word, not 0")
    limit = 1 << bits
    for i, word in enumerate(words):
        if not 0 <= word < limit:
            raise ValueError(f"initial_words[{i}] must have at most {bits} bits, not {word!r}")
    return words
