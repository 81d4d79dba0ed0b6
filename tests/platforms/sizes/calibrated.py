"""Families of devices whose resources are predicted."""

import pytest

from gateformer.platforms.sizes.families import CALIBRATED


def mostly_full_size(name: str) -> list:
    """All of them, for a slow test that is alike for each: only that of ``name`` in CI."""
    others = (family for family in CALIBRATED if family != name)
    return [name, *(pytest.param(family, marks=pytest.mark.full_size) for family in others)]
