"""A user's own board: ``build.py my_board.py``, a file with a platform class; see docs/boards.md.

Family, device, budget, clock, serial port, lights and tools follow from the class; what does not,
or should be otherwise, is stated as an attribute of it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from amaranth.build import Platform
from amaranth.vendor import GowinPlatform, LatticePlatform, XilinxPlatform

from gateformer.model.support.errors import UserError

from ..families.devices import DEVICES, Device, device_name, find_device
from ..families.ecp5 import ECP5
from ..families.ecp5_clock import Ecp5Clock
from ..families.family import Budget, Family
from ..families.gowin import GOWIN
from ..families.gowin_clock import GowinClock
from ..families.parts import PART_FACTS, check_part
from ..families.xc7 import XC7
from ..families.xilinx_clock import XilinxClock
from .external_memory import ExternalMemory
from .facts import Facts
from .file import file_digest, load_platform
from .nextpnr import Ecp5ByNextpnr, GowinByNextpnr
from .platform_programmer import PlatformProgrammer
from .programming import Programmer
from .stated import check_stated, is_name
from .target import PROCESSOR, UART, Board, Processor, largest_hw
from .tops import clock_maker, console_top, zynq_top
from .trial import try_platform
from .xilinx_platform import XILINX_TOOLCHAINS, Xc7Platform, toolchains_of
from .zynq_ps7 import zynq_memory

SUPPORTED = (XC7, ECP5, GOWIN)
_OTHERS = {
    "SiliconBluePlatform": "Lattice iCE40",
    "AlteraPlatform": "Intel (Altera)",
    "QuicklogicPlatform": "QuickLogic",
}
_FAMILIES = {"series7": XC7, "ecp5": ECP5}
"""By amaranth's name."""
_LATTICE = {"machxo2": "Lattice MachXO2 or MachXO3", "nexus": "Lattice Nexus"}
_BUDGET = 'budget = {"lut": …, "ff": …, "bram": …, "dsp": …}'
MOST_FRACTIONS = 24
"""Largest numerator and denominator of a core clock that is derived from the board's."""


def own_board(name: str) -> Board:
    """The board that ``my_board.py`` or ``my_board.py:MyBoard`` describes.

    Raises UserError, in one line, if the file has no such class, its family or device is not
    supported, or a fact is missing or wrong.
    """
    path, cls, alone = load_platform(name)
    return _Description(name, path, cls, alone).board()


class _Description:
    """A platform class on its way to a board."""

    def __init__(self, argument: str, path: Path, cls: type[Platform], alone: bool):
        self._argument, self._path, self._cls = argument, path, cls
        stem = re.sub(r"[^\w.-]", "-", path.stem)
        self._name = stem if alone else f"{stem}-{cls.__name__.lower()}"
        self._who = f"{path}: {cls.__name__}"
        self._supported_vendor()
        self._instance = self._make(cls)
        check_stated(self._who, self._instance)
        self._family = self._known_family()
        self._part = self._instance.family if self._family is GOWIN else self._instance.device
        self._device = self._known_device()
        self._check_part()

    def _make(self, cls: type[Platform]) -> Platform:
        missing = sorted(getattr(cls, "__abstractmethods__", ()))
        if missing:
            raise UserError(f"{self._who} lacks {', '.join(missing)}; set them in the class")
        try:
            return cls()
        except Exception as error:
            check_stated(self._who, cls)  # which may well be why
            said = " ".join(str(error).split())
            raise UserError(
                f"{self._who}() fails: {type(error).__name__}: {said}; it must be possible without "
                "arguments"
            ) from None

    def _supported_vendor(self) -> None:
        """UserError for a vendor, or a family of Gowin's, of which nothing is supported."""
        cls = self._cls
        if issubclass(cls, GowinPlatform):
            if is_name(cls.family) and not re.match("GW[12]", cls.family):
                raise self._not_supported(f"Gowin {cls.family.partition('-')[0]}")
        elif not issubclass(cls, XilinxPlatform | LatticePlatform):
            bases = [base.__name__ for base in cls.__mro__]
            raise self._not_supported(next((_OTHERS[b] for b in bases if b in _OTHERS), bases[1]))

    def _not_supported(self, called: str) -> UserError:
        titles = ", ".join(family.title for family in SUPPORTED)
        return UserError(
            f"{self._who} is for {called}, which is not supported; supported are {titles}"
        )

    def _known_family(self) -> Family:
        own = self._instance.family
        if isinstance(self._instance, GowinPlatform):
            return GOWIN
        if own in _FAMILIES:
            return _FAMILIES[own]
        vendor = "AMD (Xilinx)" if isinstance(self._instance, XilinxPlatform) else "Lattice"
        raise self._not_supported(_LATTICE.get(own, f"{vendor} {own}"))

    def _known_device(self) -> Device:
        stated = getattr(self._instance, "budget", None)
        family, known = self._family.name, find_device(self._family.name, self._part)
        # of an unknown ECP5 device amaranth has nothing to say to nextpnr
        if stated is not None and (self._family is XC7 or (self._family is ECP5 and known)):
            mhz = next(iter(DEVICES[family].values())).clock_mhz
            return Device(device_name(family, self._part), Budget(**stated), mhz)
        if known is None:
            names = ", ".join(DEVICES[family])
            advice = f"; state what it has: {_BUDGET}" if self._family is XC7 else ""
            raise UserError(f"{self._who}: the device {self._part} is not one of {names}{advice}")
        return known

    def _check_part(self) -> None:
        if self._family is GOWIN:
            return
        stated = {fact: getattr(self._instance, fact, None) for fact in PART_FACTS}
        try:
            check_part(self._family.name, self._instance.device, stated)
        except ValueError as error:
            raise UserError(f"{self._who}: {error}") from None

    def board(self) -> Board:
        is_zynq = self._family is XC7 and self._device.name.startswith("xc7z")
        facts = Facts(self._who, self._instance, needs_uart=not is_zynq)
        processor = self._processor(is_zynq, facts)
        memory = self._memory(is_zynq, facts)
        combined = self._combined(facts)
        for toolchain in self._toolchains():
            platform = _build_platform(combined, toolchain)
            try_platform(self._who, platform, has_uart=facts.uart is not None, nextpnr_opts="")
        clock = self._clock()
        make_clock = clock_maker(clock, facts.oscillator_mhz)
        if facts.uart is not None:
            build_top = console_top(self._family, combined, clock, facts.oscillator_mhz)
        else:
            build_top = zynq_top(combined, facts.oscillator_mhz)
        return Board(
            self._name,
            getattr(self._instance, "title", self._cls.__name__),
            device=self._device_title(),
            default_clock_mhz=self._default_clock(make_clock, facts.oscillator_mhz),
            default_hw=largest_hw(self._family),
            family=self._family,
            budget=self._device.budget,
            toolchains=self._toolchains(),
            console=UART if facts.uart is not None else PROCESSOR,
            build_platform=functools.partial(_build_platform, combined),
            make_clock=make_clock,
            build_top=build_top,
            programmers=self._programmers(),
            processor=processor,
            memory=memory,
            file=self._argument,
        )

    def _toolchains(self) -> tuple[str, ...]:
        return toolchains_of(self._part) if self._family is XC7 else ("nextpnr",)

    def _combined(self, facts: Facts) -> type[Platform]:
        """The user's class, placed and routed our way."""
        mixins = {XC7: Xc7Platform, ECP5: Ecp5ByNextpnr, GOWIN: GowinByNextpnr}
        stated = {"lights": facts.lights, "held_high": facts.held_high}
        stated |= {"design_facts": (file_digest(self._path),)}
        if facts.uart is not None:
            stated["uart"] = facts.uart
        if facts.reset_button is not None:
            stated["reset_button"] = facts.reset_button
        name = self._cls.__name__
        return type(name, (mixins[self._family], self._cls), {**stated, "__module__": __name__})

    def _clock(self) -> Callable:
        if self._family is GOWIN:
            return functools.partial(GowinClock, family=self._instance.family)
        return {XC7: XilinxClock, ECP5: Ecp5Clock}[self._family]

    def _default_clock(self, make_clock: Callable, oscillator_mhz: Fraction) -> float:
        """What is stated, or the fastest the board can make that is not above its family's."""
        stated = getattr(self._instance, "core_mhz", None)
        if stated is not None:
            try:
                make_clock(stated)
            except UserError as error:
                raise UserError(f"{self._who}: core_mhz: {error}") from None
            return float(stated)
        wanted = Fraction(str(self._device.clock_mhz))
        numbers = range(1, MOST_FRACTIONS + 1)
        ratios = {oscillator_mhz * n / d for n in numbers for d in numbers}
        slower = sorted((mhz for mhz in ratios if mhz < wanted), reverse=True)
        complaint = None
        for mhz in (wanted, *slower):
            try:
                make_clock(mhz)
            except UserError as error:
                complaint = complaint or error
                continue
            return float(mhz)
        raise UserError(f"{self._who}: {complaint}")

    def _processor(self, is_zynq: bool, facts: Facts) -> Processor | None:
        stated = getattr(self._instance, "processor", None)
        if stated is None:
            return None
        if not is_zynq or facts.uart is not None:
            raise UserError(
                f"{self._who}: processor is for a Zynq device without a serial port of the fabric"
            )
        return Processor(*stated)

    def _memory(self, is_zynq: bool, facts: Facts) -> ExternalMemory | None:
        stated = getattr(self._instance, "ddr", None)
        if stated is None:
            return None
        if not is_zynq or facts.uart is not None:
            raise UserError(
                f"{self._who}: ddr is for a Zynq device without a serial port of the fabric"
            )
        return zynq_memory("DDR", *stated)

    def _programmers(self) -> tuple:
        stated = getattr(self._instance, "programmer", None)
        if stated is None:
            has = type(self._instance).toolchain_program is not Platform.toolchain_program
            return (PlatformProgrammer(self._cls),) if has else ()
        return (Programmer(stated[0], stated[1:]),)

    def _device_title(self) -> str:
        platform = self._instance
        if self._family is GOWIN:
            return platform.part
        if self._family is ECP5:
            return f"{platform.device}-{platform.speed}{platform.package}{platform.grade}"
        return f"{platform.device}{platform.package}-{platform.speed}"


def _build_platform(combined: type[Platform], toolchain: str) -> Platform:
    platform = combined()
    if toolchain in XILINX_TOOLCHAINS:
        # its own constructor need not know of toolchains
        platform.toolchain = XILINX_TOOLCHAINS[toolchain]
    return platform
