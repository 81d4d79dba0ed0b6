"""Resources of which a toolchain can use less than the device has."""

from __future__ import annotations

from collections.abc import Mapping

from .family import Budget

LIMITED = {"DSP48E1": "dsp", "CARRY4": "carry", "LUT sites": "sites"}
"""Resources that a toolchain may limit
(:attr:`platforms.place_and_route.toolchain.Toolchain.limits`), by the names that
:class:`platforms.sizes.resource_model.Prediction` has for them."""

LUTS_PER_CARRY = 4
"""A slice of the 7 series has four LUTs and a CARRY4."""


def device_total(budget: Budget, name: str) -> float:
    """What the device has of one of Prediction's resources."""
    if name == "carry":
        return budget.lut // LUTS_PER_CARRY
    return budget.lut if name == "sites" else getattr(budget, name)


def toolchain_limits(budget: Budget, shares: Mapping[str, float]) -> dict[str, float]:
    """What a toolchain can use of the resources that it limits, by Prediction's names."""
    names = {resource: LIMITED[resource] for resource in shares}
    return {name: shares[r] * device_total(budget, name) for r, name in names.items()}
