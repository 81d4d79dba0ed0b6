"""What place and route reported about a design, whichever tool did it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class CriticalPath:
    """The slowest path between two registers of the core's clock: cell and port, nanoseconds."""

    start: str
    end: str
    delay_ns: float


@dataclasses.dataclass(frozen=True)
class Placed:
    """Result of place and route; None where it was not reported.

    Attributes
    ----------
    tool : str
        "nextpnr-ecp5 0.11.1", "Vivado v.2023.2".
    fmax_mhz : float
        Highest frequency of the core's clock, after routing.
    critical_path : CriticalPath or None
    used : dict or None
        Number of each of :data:`platforms.families.family.UNITS` that the tool counts in the
        family's unit.
    violation : str or None
        What is violated besides the setup times, which :attr:`fmax_mhz` is about: "hold slack
        -0.02 ns of clk".
    versions : mapping of tool to version
        The tools that are known to have taken part; None for a version that is not known.
    """

    tool: str
    fmax_mhz: float
    critical_path: CriticalPath | None = None
    used: dict[str, float] | None = None
    violation: str | None = None
    versions: Mapping[str, str | None] = dataclasses.field(default_factory=dict)

    def with_multipliers(self, most_mhz: float | None, dsp_unit: str) -> Placed:
        """The same, but no faster than the multipliers in it, of which the tool knew nothing.

        ``most_mhz``: :attr:`platforms.boards.target.Board.multiplier_mhz`.
        """
        if most_mhz is None or self.fmax_mhz <= most_mhz or not (self.used or {}).get("dsp", 1):
            return self
        inside = CriticalPath(
            f"{dsp_unit} input register", f"{dsp_unit} output register", round(1e3 / most_mhz, 3)
        )
        return dataclasses.replace(self, fmax_mhz=float(most_mhz), critical_path=inside)

    def meets(self, clock_mhz: float) -> bool:
        """Whether the design works at this clock."""
        return self.fmax_mhz >= clock_mhz and self.violation is None


class NotAReport(ValueError):
    """A file is not the report that its name says."""
