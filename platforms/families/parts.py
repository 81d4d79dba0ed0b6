"""In which packages and speed grades the devices of a family are made.

Sources: DS180, "7 Series FPGAs Data Sheet: Overview", and DS190, "Zynq-7000 SoC Data Sheet:
Overview", device-package combinations and ordering information; FPGA-DS-02012, "ECP5 and ECP5-5G
Family Data Sheet", part number description, and Project Trellis' ``iodb.json``. A Gowin part's name
amaranth reads itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .devices import device_name

PART_FACTS = ("package", "speed", "grade")
"""Attributes of amaranth's platforms that, beside the device, name a part."""
_XC7_PACKAGES = {
    "xc7s": ("cpga196", "ftgb196", "csga225", "csga324", "fgga484", "fgga676"),
    "xc7a": (
        *("cpg236", "cpg238", "csg324", "csg325", "ftg256", "sbg484", "sbv484", "fgg484"),
        *("fgg676", "fbg484", "fbg676", "fbv484", "fbv676", "ffg1156", "ffv1156"),
    ),
    "xc7k": (
        *("fbg484", "fbg676", "fbg900", "fbv484", "fbv676", "fbv900", "ffg676", "ffg900"),
        *("ffg901", "ffg1156", "ffv676", "ffv900", "ffv901", "ffv1156"),
    ),
    "xc7z": (
        *("clg225", "clg400", "clg484", "clg485", "sbg485", "sbv485", "fbg484", "fbg676"),
        *("fbv484", "fbv676", "ffg676", "ffg900", "ffg1156", "ffv676", "ffv900", "ffv1156"),
    ),
    "xc7v": (),
}
"""By the beginning of the device's name. In lower case; Vivado takes either. Those of
the Virtex-7 are not known here: none of its devices is."""
_XC7_SPEEDS = re.compile("[123][A-Za-z]{0,2}")

_ECP5_PACKAGES = {
    "12F": ("BG256", "MG285", "BG381"),
    "25F": ("BG256", "MG285", "BG381"),
    "45F": ("BG256", "MG285", "BG381", "BG554"),
    "85F": ("MG285", "BG381", "BG554", "BG756"),
}
"""By size; of those that amaranth knows, so without the TG144."""
_ECP5_SPEEDS = {"LFE5U": ("6", "7", "8"), "LFE5UM": ("6", "7", "8"), "LFE5UM5G": ("8",)}
_ECP5_GRADES = ("C", "I")


def check_part(family: str, device: str, stated: Mapping[str, str | None]) -> None:
    """ValueError, a line without its subject, if a device is not made so.

    ``family`` is the name of one; ``device`` and ``stated``, the :data:`PART_FACTS`, are as
    amaranth's platforms state them, None what they don't. The packages of the Virtex-7 are not
    known here.
    """
    if family == "xc7":
        _check_xc7(device, stated)
    elif family == "ecp5":
        _check_ecp5(device, stated)


def _check_xc7(device: str, stated: Mapping[str, str | None]) -> None:
    series = device[:4].lower()
    if series not in _XC7_PACKAGES:
        known = ", ".join(_XC7_PACKAGES)
        raise ValueError(f"the device {device} is of no series of the 7 series: {known}")
    packages = _XC7_PACKAGES[series]
    if packages and stated["package"].lower() not in packages:
        raise ValueError(_not_one_of("package", stated, packages, device))
    if not _XC7_SPEEDS.fullmatch(stated["speed"]):
        raise ValueError(
            f"speed {stated['speed']!r} is no speed grade of {device}; it is 1, 2 or 3, perhaps "
            "with letters, as in '1L'"
        )


def _check_ecp5(device: str, stated: Mapping[str, str | None]) -> None:
    series, _, size = device_name("ecp5", device).partition("-")
    choices = {
        "package": _ECP5_PACKAGES[size],
        "speed": _ECP5_SPEEDS[series],
        "grade": _ECP5_GRADES,
    }
    for fact, known in choices.items():
        if stated[fact] not in known:
            raise ValueError(_not_one_of(fact, stated, known, device))


def _not_one_of(
    fact: str, stated: Mapping[str, str | None], known: tuple[str, ...], device: str
) -> str:
    return f"{fact} {stated[fact]!r} is not one of those of {device}: {', '.join(known)}"
