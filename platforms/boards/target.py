"""What a board states about itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from fractions import Fraction

from amaranth.build import Platform
from amaranth.hdl import Elaboratable

from gateformer.gateware.parts import dsp48
from gateformer.gateware.plan.hw_config import HwConfig

from ..families.family import Budget, Family
from .external_memory import ExternalMemory
from .programming import Programmer

UART, PROCESSOR = "uart", "processor"


@dataclasses.dataclass(frozen=True)
class Processor:
    """What firmware must know of a Zynq-7000 board: its clock in Hz, and which of the processor's
    UARTs, 0 or 1, is at the board's serial port."""

    clock_hz: int
    uart: int


@dataclasses.dataclass(frozen=True, eq=False)
class Board:
    """A build target.

    Attributes
    ----------
    name, title : str
        On the command line; in tables.
    device : str or None
        Part number; None for the simulation.
    default_clock_mhz : float
        Core clock unless the user chooses another.
    default_hw : HwConfig
        Sizes that suit the device; a model that needs less gets less.
    family : Family or None
    budget : Budget or None
    toolchains : tuple of str
        Names for :attr:`build_platform`, the preferred one first; empty for the simulation.
    limits : mapping of resource to share of the device
        What the toolchain can use of a resource, if that is less than the device has; as
        :attr:`platforms.place_and_route.toolchain.Toolchain.limits`.
    console : str or None
        What talks to the core: ``"uart"``, a text console on the serial port; ``"processor"``,
        through registers; None for the simulation.
    make_clock : function of a clock in MHz to the one that the board makes of it, or None
        UserError, naming the nearest one that it can make, if that is more than 0.1 % off. None:
        the simulation's, which is any.
    build_platform : function of a toolchain's name to an amaranth platform
    build_top : function of (program, clock in MHz, **options) to the top-level Elaboratable
        Its ``clock_mhz`` is what :attr:`make_clock` gives, and the error the same. Options of a
        board with a serial port: ``name`` of the model, ``baud``.
    programmers : tuple of Programmer
    processor : Processor or None
        Of a board whose ``console`` is ``"processor"``.
    variant : str or None
        Which of the board's variants this is.
    variants : mapping of str to Board
        All of them, this one included, if the board is made with several devices.
    default_variant : str or None
    file : str or None
        Of a user's own board: the file, as it was named on the command line.
    clock_routed : bool
        Whether place and route, run by us for this device on this board, met the default clock.
    for_several : mapping of str to object
        Fields that are others for several streams, like sizes and clock.
    memory : ExternalMemory or None
        Beside the device, for models that its block memories do not hold.
    """

    name: str
    title: str
    device: str | None
    default_clock_mhz: float
    default_hw: HwConfig
    family: Family | None = None
    budget: Budget | None = None
    toolchains: tuple[str, ...] = ()
    limits: Mapping[str, float] = dataclasses.field(default_factory=dict)
    console: str | None = None
    make_clock: Callable[[float], Fraction] | None = None
    build_platform: Callable[[str], Platform] | None = None
    build_top: Callable[..., Elaboratable] | None = None
    programmers: tuple[Programmer, ...] = ()
    processor: Processor | None = None
    variant: str | None = None
    variants: Mapping[str, Board] = dataclasses.field(default_factory=dict)
    default_variant: str | None = None
    file: str | None = None
    clock_routed: bool = False
    for_several: Mapping[str, object] = dataclasses.field(default_factory=dict)
    memory: ExternalMemory | None = None

    def with_streams(self, several: bool) -> Board:
        """The board as it is for several streams, if that is another."""
        if not several or not self.for_several:
            return self
        return dataclasses.replace(self, **self.for_several)

    @property
    def argument(self) -> str:
        """What names it on the command line, without a variant."""
        return self.name if self.file is None else self.file

    @property
    def dsp(self) -> str:
        """Multiplier family of :class:`gateware.core.core.Core`."""
        return "generic" if self.family is None else self.family.dsp

    @property
    def multiplier_mhz(self) -> float | None:
        """The highest clock of a multiplier, if place and route does not look at that."""
        return None if self.family is None else self.family.multiplier_mhz(self.device)

    def top_options(self, model_name: str, baud: int | None = None) -> dict:
        """Options of :attr:`build_top` for a model; no ``baud`` is the default rate."""
        if self.console != UART:
            return {}
        return {"name": model_name} if baud is None else {"name": model_name, "baud": baud}

    @property
    def clock_assumed(self) -> bool:
        """Whether nobody has placed and routed the board at its default clock before."""
        return not self.clock_routed

    @property
    def clock_text(self) -> str:
        """The default clock for people: "125 MHz (assumed)"."""
        return f"{self.default_clock_mhz:g} MHz{' (assumed)' if self.clock_assumed else ''}"

    @property
    def label(self) -> str:
        """Name with the variant, unless it is the default: also of the build directory."""
        default = self.variant == self.default_variant
        return self.name if default else f"{self.name}-{self.variant.lower()}"


def largest_hw(family: Family) -> HwConfig:
    """``default_hw`` of boards of a family: where a block makes two products, twice the lanes."""
    products = 2 if family.dsp in dsp48.FAMILIES else 1
    return HwConfig(lanes=products * HwConfig.lanes)
