"""The families that can be predicted, and how full they may be."""

from __future__ import annotations

from collections.abc import Mapping

from ..families.ecp5 import ECP5
from ..families.family import UNITS, Budget, Family
from ..families.gowin import GOWIN
from ..families.toolchain_limits import LIMITED, device_total, toolchain_limits
from ..families.xc7 import XC7
from ..families.xcup import XCUP

FAMILIES: dict[str, Family] = {family.name: family for family in (XC7, XCUP, ECP5, GOWIN)}

PREDICTED_AS = {XCUP.name: XC7.name}
"""Families of which nothing is calibrated, and the one whose factors of LUTs and flip-flops serve:
the same LUTs, carry chains and passes of yosys. Memories and multipliers are their own."""
CALIBRATED = tuple(name for name in FAMILIES if name not in PREDICTED_AS)
"""The others: those that :mod:`platforms.sizes.calibrate` measures by itself."""

LUT_LIMIT = {"xc7": 0.9, "xcup": 0.9, "ecp5": 0.85, "gowin": 0.8}
"""Part of the LUTs that a choice may take. Place and route needs the rest: slices whose LUTs and
flip-flops can't be combined, and, where LUT memories and carry chains bind whole slices (ECP5,
Gowin), more of it. It also covers the error of the prediction. Block memories, multipliers and
flip-flops may all be taken: their numbers are exact, or far from the budget."""

SITE_LIMIT = {"xc7": 0.85, "xcup": 0.85}
"""Part of the LUT sites (:mod:`platforms.families.sites`) that a choice may take."""

ROOM = ("lut", "sites")
"""Resources of which place and route needs some to be left; of others the last may be taken."""


def units(family: Family) -> tuple[str, ...]:
    """Resources of a family that tables show, in their order."""
    lut, *others = UNITS
    return (lut, *(["sites"] if family.sites else []), *others)


def short_name(resource: str) -> str:
    """A resource in a column's heading or a line: "LUT", "LUT sites"."""
    return next((n for n in ("CARRY4", "LUT sites") if LIMITED[n] == resource), resource.upper())


def limits(
    family: Family, budget: Budget, shares: Mapping[str, float] | None = None
) -> dict[str, float]:
    """The most that a choice may take of each resource, by Prediction's names.

    ``shares``: what a toolchain can use of the device, by the names of
    :data:`platforms.families.toolchain_limits.LIMITED`.
    """
    most: dict[str, float] = {
        "lut": LUT_LIMIT[family.name] * budget.lut,
        "ff": budget.ff,
        "bram": budget.bram,
        "dsp": budget.dsp,
    }
    if family.name in SITE_LIMIT:
        most["sites"] = SITE_LIMIT[family.name] * device_total(budget, "sites")
    for resource, usable in toolchain_limits(budget, shares or {}).items():
        most[resource] = min(most.get(resource, usable), usable)
    return most
