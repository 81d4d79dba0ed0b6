"""What is chosen for each weight matrix: its digits (contract version 1) or format (version 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..support.errors import UserError

MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")
"""Weight matrices of one layer, in the order in which a layer uses them."""
GATED_MATRICES = (*MATRICES[:4], "gate_proj", *MATRICES[4:])
"""The same with a gated feed-forward layer."""

MAX_DIGITS = 5
"""Most balanced-ternary digits a weight may have (5 digits: 243 levels, one byte)."""


def check_names(what: str, given: Mapping[str, object], expected: Sequence[str]) -> None:
    """UserError naming the first of the expected names that ``given`` does not have."""
    for name in expected:
        if name not in given:
            raise UserError(f"{what} must have {name}, which is missing")


def digits_of_each(
    given: Mapping[str, int] | tuple[tuple[str, int], ...] | int, names: Sequence[str]
) -> tuple[tuple[str, int], ...]:
    """(name, digits) of every matrix: one number for all, or entries of kinds or single matrices.

    A single matrix' entry wins over its kind's; without either it has one digit. Raises UserError
    naming what is no matrix of ``names`` or no number of 1 to :data:`MAX_DIGITS`.
    """
    if isinstance(given, int):  # a bool is refused below
        given = dict.fromkeys(MATRICES, given)
    if not isinstance(given, Mapping | tuple):
        raise UserError(f"digits must be 1 to {MAX_DIGITS} or one entry per matrix, not {given!r}")
    given = dict(given)
    for name, count in given.items():
        if name not in MATRICES and name not in names:
            raise UserError(
                f"digits names {name!r}, which is no matrix of this model; "
                f"expected one of {', '.join(MATRICES)} or 'layers.N.' before one of them"
            )
        whole = isinstance(count, int) and not isinstance(count, bool)
        if not whole or not 1 <= count <= MAX_DIGITS:
            raise UserError(f"digits of {name} must be 1 to {MAX_DIGITS}, not {count!r}")
    return tuple((name, given.get(name, given.get(name.rsplit(".", 1)[1], 1))) for name in names)


def formats_of_each(
    given: Mapping[str, str] | tuple[tuple[str, str], ...], names: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """(name, format) of every matrix; UserError if one is missing or is none of ``names``."""
    given = dict(given)
    for name in given:
        if name not in names:
            raise UserError(f"formats names {name!r}, which is no matrix of this model")
    for name in names:
        if not isinstance(given.get(name), str):
            raise UserError(f"formats must have a weight format for {name}, which is missing")
    return tuple((name, given[name]) for name in names)
