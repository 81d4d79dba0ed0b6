"""Sizes of the hardware, chosen per board."""

from __future__ import annotations

import dataclasses

from model.errors import UserError

PACKINGS = ("2bit", "3in5")
"""How ternary weights lie in block memory: 2 bits per trit, or 3 trits in 5 bits."""


@dataclasses.dataclass(frozen=True)
class HwConfig:
    """Sizes of the engines.

    Parameters
    ----------
    rows : int
        Output rows of the ternary engine per cycle; also the width of the vector unit and of
        every transfer between memories (a *group* is ``rows`` elements).
    cols : int
        Input columns of the ternary engine per cycle; a multiple of ``rows``.
    lanes : int
        INT8 multipliers of the attention and output-head array; a multiple of ``rows``.
    packing : str
        One of :data:`PACKINGS`.

    Raises
    ------
    UserError
        If a size is not an integer of at least 1, or not a multiple of ``rows`` (names the
        nearest ones that are), or if the packing is unknown.
    """

    rows: int = 8
    cols: int = 64
    lanes: int = 64
    packing: str = "2bit"

    def __post_init__(self):
        for name in ("rows", "cols", "lanes"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{name} must be an integer of at least 1, not {value!r}")
        for name in ("cols", "lanes"):
            value = getattr(self, name)
            if value % self.rows:
                below = max(value // self.rows, 1) * self.rows
                nearest = f"{below} or {below + self.rows}"
                raise UserError(
                    f"{name} must be a multiple of rows ({self.rows}), not {value}; "
                    f"choose {nearest}"
                )
        if self.packing not in PACKINGS:
            raise UserError(f"packing must be one of {', '.join(PACKINGS)}, not {self.packing!r}")
