"""Sizes of the hardware, chosen per board."""

from __future__ import annotations

import dataclasses

from gateformer.model.support.errors import UserError

PACKINGS = ("2bit", "3in5")
"""How ternary weights lie in block memory: 2 bits per trit, or 3 trits in 5 bits."""

MAX_SIZES = {"rows": 512, "cols": 8192, "lanes": 8192, "tree_levels": 16}
"""Beyond all devices; a typing mistake is not worth hours of elaboration."""

MAX_REGISTERS = {"array_registers": 1, "norm_registers": 3, "result_registers": 1}
"""Optional pipeline registers of :class:`HwConfig`."""

MOST_STREAMS = 8
"""Texts that are generated side by side, at most."""


@dataclasses.dataclass(frozen=True)
class HwConfig:
    """Sizes of the engines, and how densely they are pipelined.

    More registers allow a faster clock; the program's cycle counts include their latency.

    Parameters
    ----------
    rows : int
        Output rows of the ternary engine per cycle; also the width of the vector unit and of
        every transfer between memories (a *group* is ``rows`` elements).
    cols : int
        Input columns of the ternary engine per cycle; a multiple of ``rows``.
    lanes : int
        INT8 products per cycle of the attention and output-head array, at most; a multiple of
        ``rows``. With twice those that a position's K and an embedding's row take, each multiplier
        makes two (:attr:`gateware.plan.layout.Layout.halves`).
    packing : str
        One of :data:`PACKINGS`.
    tree_levels : int
        Adders in a row between two registers, in the trees of the ternary engine and of the INT8
        array.
    array_registers : int
        Registers before the memory of the INT8 array and inside the tables of the softmax, 0 or 1.
    norm_registers : int
        Registers on the way from a sum of squares to the norm's factor, 0 to 3: one cycle each per
        norm.
    result_registers : int
        Registers between the multipliers of the vector unit and the saturation of its results, 0
        or 1: one cycle per dependent step.
    reload : bool
        The memories can be loaded with another model of the same shape
        (:mod:`gateware.core.loader`).
    streams : int
        Texts that a core generates side by side, 1 to :data:`MOST_STREAMS`
        (:mod:`gateware.core.interleaved_core`).
    cores : int
        Cores side by side (:mod:`gateware.core.several_cores`); of all together at most
        :data:`MOST_STREAMS` streams.

    Raises
    ------
    UserError
        If a size is not an integer up to its :data:`MAX_SIZES`, or not a multiple of ``rows``
        (names the nearest ones that are), if the packing is unknown, or a number of registers out
        of range, or a core of several streams is to be loaded with other models.
    """

    rows: int = 8
    cols: int = 64
    lanes: int = 64
    packing: str = "2bit"
    tree_levels: int = 2
    array_registers: int = 1
    norm_registers: int = 3
    result_registers: int = 1
    reload: bool = False
    streams: int = 1
    cores: int = 1

    def __post_init__(self):
        for name, most in MAX_SIZES.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise UserError(f"{name} must be an integer from 1 to {most:,}, not {value!r}")
        for name, most in MAX_REGISTERS.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
                raise UserError(f"{name} must be 0 to {most}, not {value!r}")
        if type(self.streams) is not int or not 1 <= self.streams <= MOST_STREAMS:
            raise UserError(f"streams must be 1 to {MOST_STREAMS}, not {self.streams!r}")
        self._check_cores()
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

    def _check_cores(self) -> None:
        if type(self.cores) is not int or not 1 <= self.cores <= MOST_STREAMS:
            raise UserError(f"cores must be 1 to {MOST_STREAMS}, not {self.cores!r}")
        if self.all_streams > MOST_STREAMS:
            raise UserError(
                f"{self.cores} cores with {self.streams} streams each are {self.all_streams} "
                f"streams, and {MOST_STREAMS} are possible; choose fewer cores or streams"
            )
        if self.reload and self.all_streams > 1:
            name = "streams" if self.streams > 1 else "cores"
            alone = "takes 1 stream" if self.streams > 1 else "is 1 core"
            raise UserError(
                f"a core that can be loaded with other models {alone}, not {getattr(self, name)}: "
                f"leave out --reload or --{name}"
            )

    @property
    def all_streams(self) -> int:
        """Texts that all cores together generate side by side."""
        return self.cores * self.streams
