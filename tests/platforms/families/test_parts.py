"""Which parts of a family are made."""

from __future__ import annotations

import importlib
import pkgutil

import amaranth_boards
import pytest
from amaranth.vendor import XilinxPlatform

from gateformer.platforms.families.devices import DEVICES
from gateformer.platforms.families.parts import _XC7_PACKAGES, check_part


def subclasses(cls: type) -> set[type]:
    found = set(cls.__subclasses__())
    return found.union(*map(subclasses, found))


def test_the_packages_of_every_known_device():
    assert _XC7_PACKAGES.keys() == DEVICES["xc7"].keys()


def test_every_7_series_board_of_amaranth_has_a_part_that_is_made():
    for module in pkgutil.iter_modules(amaranth_boards.__path__):
        if not module.ispkg:
            importlib.import_module(f"amaranth_boards.{module.name}")
    checked = 0
    for cls in subclasses(XilinxPlatform):
        device = getattr(cls, "device", None)
        if not cls.__module__.startswith("amaranth_boards."):
            continue  # another test's
        if isinstance(device, str) and device.startswith("xc7"):
            check_part("xc7", device, {"package": cls.package, "speed": cls.speed, "grade": None})
            checked += 1
    assert checked > 15


@pytest.mark.parametrize("device, package", [("xc7z020", "clg400"), ("XC7Z020i", "CLG484")])
def test_names_in_any_case(device, package):
    check_part("xc7", device, {"package": package, "speed": "1", "grade": None})
