"""The families that can be predicted, and how full they may be."""

from __future__ import annotations

from ..families.ecp5 import ECP5
from ..families.family import Budget, Family
from ..families.gowin import GOWIN
from ..families.xc7 import XC7

FAMILIES: dict[str, Family] = {family.name: family for family in (XC7, ECP5, GOWIN)}

LUT_LIMIT = {"xc7": 0.9, "ecp5": 0.85, "gowin": 0.8}
"""Part of the LUTs that a choice may take. Place and route needs the rest: slices whose LUTs and
flip-flops can't be combined, and, where LUT memories and carry chains bind whole slices (ECP5,
Gowin), more of it. It also covers the error of the prediction. Block memories, multipliers and
flip-flops may all be taken: their numbers are exact, or far from the budget."""


def limits(family: Family, budget: Budget) -> dict[str, float]:
    """The most that a choice may take of each resource."""
    return {
        "lut": LUT_LIMIT[family.name] * budget.lut,
        "ff": budget.ff,
        "bram": budget.bram,
        "dsp": budget.dsp,
    }
