"""In which packages and speed grades the devices of a family are made.

Sources: of the 7 series Vivado's own list, as Project Combine has read it
(``databases/virtex7.zstd`` of github.com/prjunnamed/prjcombine at 588ae5a). The
``mapping/parts.yaml`` of prjxray-db (github.com/f4pga, 0a0adde, and github.com/openXC7, 381966a)
agrees on the devices that it has, except for the xc7k70t's fbv485, which it lacks. Of the
ECP5 FPGA-DS-02012, "ECP5 and ECP5-5G Family Data Sheet", part number description, and Project
Trellis' ``iodb.json``. A Gowin part's name amaranth reads itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .devices import device_name

PART_FACTS = ("package", "speed", "grade")
"""Attributes of amaranth's platforms that, beside the device, name a part."""
_XC7_SERIES = ("xc7s", "xc7a", "xc7k", "xc7z", "xc7v")
_XC7_PACKAGES = {
    device: tuple(packages.split())
    for devices, packages in (
        ("xc7s6 xc7s15", "cpga196 csga225 ftgb196"),
        ("xc7s25", "csga225 csga324 ftgb196"),
        ("xc7s50", "csga324 fgga484 ftgb196"),
        ("xc7s75 xc7s100", "fgga484 fgga676"),
        ("xc7a12t xc7a25t", "cpg238 csg325"),
        ("xc7a15t xc7a35t xc7a50t", "cpg236 csg324 csg325 fgg484 ftg256"),
        ("xc7a75t xc7a100t", "csg324 fgg484 fgg676 ftg256"),
        ("xc7a200t", "fbg484 fbg676 fbv484 fbv676 ffg1156 ffv1156 sbg484 sbv484"),
        ("xc7k70t", "fbg484 fbg676 fbv484 fbv485 fbv676"),
        ("xc7k160t", "fbg484 fbg676 fbv484 fbv676 ffg676 ffv676"),
        ("xc7k325t xc7k410t", "fbg676 fbg900 fbv676 fbv900 ffg676 ffg900 ffv676 ffv900"),
        ("xc7k355t", "ffg901 ffv901"),
        ("xc7k420t xc7k480t", "ffg1156 ffg901 ffv1156 ffv901"),
        ("xc7z007s xc7z010", "clg225 clg400"),
        ("xc7z012s xc7z015", "clg485"),
        ("xc7z014s xc7z020", "clg400 clg484"),
        ("xc7z030", "fbg484 fbg676 fbv484 fbv676 ffg676 ffv676 sbg485 sbv485"),
        ("xc7z035 xc7z045", "fbg676 fbv676 ffg676 ffg900 ffv676 ffv900"),
        ("xc7z100", "ffg1156 ffg900 ffv1156 ffv900"),
    )
    for device in devices.split()
}
"""In lower case; Vivado takes either. Those of the Virtex-7 are not known here: none of its devices
is."""
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
    amaranth's platforms state them, None what they don't. A device that is not known here may have
    any package.
    """
    if family == "xc7":
        _check_xc7(device, stated)
    elif family == "ecp5":
        _check_ecp5(device, stated)


def _check_xc7(device: str, stated: Mapping[str, str | None]) -> None:
    if device[:4].lower() not in _XC7_SERIES:
        known = ", ".join(_XC7_SERIES)
        raise ValueError(f"the device {device} is of no series of the 7 series: {known}")
    packages = _XC7_PACKAGES.get(device_name("xc7", device))
    if packages is not None and stated["package"].lower() not in packages:
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
