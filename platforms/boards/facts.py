"""What a platform class tells about its board, or its resources let one derive.

A user states as attributes of the class what can't be derived, or should be otherwise; see
docs/boards.md.
"""

from __future__ import annotations

from fractions import Fraction

from amaranth.build import DiffPairs, Pins, Platform, Resource, ResourceError, Subsignal

from gateformer.model.support.errors import UserError

from ..families.clock import as_mhz
from .stated import LIGHTS

_COLOURS = {"busy": "g", "context_full": "r", "heartbeat": "b"}
ADD_UART = (
    "add UARTResource(0, rx=PIN, tx=PIN, attrs=…) of amaranth_boards.resources to its resources"
)


class Facts:
    """Facts of a board, checked, of whose attributes the kinds are
    (:func:`platforms.boards.stated.check_stated`).

    Parameters
    ----------
    name : str
        Of the class, for complaints.
    platform : Platform
        An instance, of which nothing was requested and which is not built with.
    needs_uart : bool
        Whether a board without a serial port in its resources is refused.

    Attributes
    ----------
    oscillator_mhz : Fraction
    uart : (str, int) or None
    reset_button : (str, int) or None
    held_high : tuple of (str, int)
    lights : tuple, as :class:`platforms.boards.board_top.BoardTop`

    Raises
    ------
    UserError
        In one line: what is missing or wrong, and what to state.
    """

    def __init__(self, name: str, platform: Platform, needs_uart: bool):
        self._name, self._platform = name, platform
        self.oscillator_mhz = self._oscillator()
        self.uart = self._uart(needs_uart)
        self.reset_button = self._reset_button()
        self.held_high = tuple(
            self._stated("held_high", item, "o")
            for item in getattr(platform, "held_high", None) or ()
        )
        self.lights = self._lights()

    def _oscillator(self) -> Fraction:
        clock = self._platform.default_clk
        if clock is None:
            raise UserError(
                f"{self._name} has no default_clk; set it to the name of a resource with a Clock"
            )
        resource = self._platform.resources.get((clock, 0))
        if resource is None:
            raise UserError(
                f"{self._name}: default_clk {clock!r} is not one of its resources; set it to the "
                "name of one with a pin and a Clock"
            )
        if resource.clock is None:
            raise UserError(
                f"{self._name}: default_clk {clock!r} has no frequency; give its Resource a "
                "Clock(…)"
            )
        if not _is_clock(resource):
            raise UserError(
                f"{self._name}: default_clk {clock!r} is not an input of one pin or one pair of "
                "pins"
            )
        self._take("default_clk", (clock, 0))
        return as_mhz(resource.clock.frequency / 1e6)

    def _uart(self, needed: bool) -> tuple[str, int] | None:
        stated = getattr(self._platform, "uart", None)
        if stated is not None:
            uart = self._known("uart", stated)
            if not _is_uart(self._platform.resources[uart]):
                raise UserError(
                    f"{self._name}: uart {uart!r} does not have an input rx and an output tx of "
                    "one pin each; name a resource like those of UARTResource"
                )
        else:
            found = sorted(
                key for key, resource in self._platform.resources.items() if _is_uart(resource)
            )
            # some boards have another chip on a resource with rx and tx
            uart = next((key for key in found if key[0] == "uart"), None)
            if uart is None and needed:
                other = ", ".join(map(str, found))
                either = f", or set uart to one of {other}" if other else ""
                raise UserError(f"{self._name} has no serial port; {ADD_UART}{either}")
        if uart is not None:
            self._take("uart", uart)
        return uart

    def _reset_button(self) -> tuple[str, int] | None:
        reset = self._platform.default_rst
        if reset is not None:
            button = (reset, 0)
            if button not in self._platform.resources:
                raise UserError(
                    f"{self._name}: default_rst {reset!r} is not one of its resources; set it to "
                    "the name of one with a pin, or to None"
                )
            self._check_direction("default_rst", button, "i")
        stated = getattr(self._platform, "reset_button", None)
        if stated is not None:
            return self._stated("reset_button", stated, "i")
        return button if reset is not None and self._is_free(button) else None

    def _lights(self) -> tuple:
        stated = getattr(self._platform, "lights", None)
        if stated is None:
            return self._derived_lights()
        groups = set()
        for light in stated:
            key = self._known("lights", light[1:3])
            parts = self._platform.resources[key].ios
            names = [part.name for part in parts if isinstance(part, Subsignal)]
            if list(light[3:]) not in [[name] for name in names] if names else len(light) > 3:
                expected = f"one of its subsignals {', '.join(names)}" if names else "no subsignal"
                raise UserError(f"{self._name}: lights: {light!r} must name {expected}")
            groups.add(key)
        for key in sorted(groups):
            self._take("lights", key)
        return tuple(stated)

    def _derived_lights(self) -> tuple:
        """The first LEDs that are free, or a coloured one; none if there are none."""
        resources = self._platform.resources
        single = [
            key for key in sorted(resources) if key[0] == "led" and _is_output(resources[key])
        ]
        leds = []
        for key in single:
            if len(leds) < len(LIGHTS) and self._is_free(key):
                leds.append(key)
        if len(leds) == len(LIGHTS):
            return tuple((light, *led) for light, led in zip(LIGHTS, leds, strict=True))
        coloured = [key for key in sorted(resources) if _is_coloured(resources[key])]
        for key in coloured:
            if self._is_free(key):
                return tuple((light, *key, colour) for light, colour in _COLOURS.items())
        shown = {0: (), 1: ("heartbeat",), 2: ("busy", "heartbeat")}[len(leds)]
        return tuple((light, *led) for light, led in zip(shown, leds, strict=True))

    def _stated(self, fact: str, value, direction: str) -> tuple[str, int]:
        key = self._known(fact, value)
        self._check_direction(fact, key, direction)
        self._take(fact, key)
        return key

    def _check_direction(self, fact: str, key: tuple[str, int], direction: str) -> None:
        if _directions(self._platform.resources[key]) not in ([direction], ["io"]):
            kind = "an input" if direction == "i" else "an output"
            raise UserError(f"{self._name}: {fact} {key!r} is not {kind} of one pin")

    def _known(self, fact: str, value: tuple[str, int]) -> tuple[str, int]:
        """A resource's name and number, known to be one of the board's."""
        if value not in self._platform.resources:
            raise UserError(f"{self._name}: {fact} {value!r} is not one of its resources")
        return value

    def _take(self, fact: str, key: tuple[str, int]) -> None:
        try:
            self._platform.request(*key, dir="-")
        except ResourceError as error:
            raise UserError(f"{self._name}: {fact} {key!r}: {error}") from None
        except Exception as error:  # a connector that is not there raises NameError, and so on
            raise UserError(
                f"{self._name}: {fact} {key!r}: {type(error).__name__}: {error}"
            ) from None

    def _is_free(self, key: tuple[str, int]) -> bool:
        """Whether its pins are those of nothing else; if so, they are taken."""
        try:
            self._take("", key)
        except UserError:
            return False
        return True


def _parts(resource: Resource) -> dict[str | None, Pins]:
    """The pins of one or of each subsignal, that have one pin; others are left out."""
    if all(isinstance(part, Subsignal) for part in resource.ios):
        pairs = [(part.name, part.ios[0]) for part in resource.ios]
    else:
        pairs = [(None, resource.ios[0])]
    return {name: pins for name, pins in pairs if isinstance(pins, Pins) and len(pins.names) == 1}


def _directions(resource: Resource) -> list[str]:
    return [pins.dir for name, pins in _parts(resource).items() if name is None]


def _is_clock(resource: Resource) -> bool:
    pins = resource.ios[0]
    if isinstance(pins, DiffPairs):
        pins = pins.p
    return isinstance(pins, Pins) and pins.dir in ("i", "io") and len(pins.names) == 1


def _is_output(resource: Resource) -> bool:
    return _directions(resource) == ["o"]


def _is_uart(resource: Resource) -> bool:
    parts = {name: pins.dir for name, pins in _parts(resource).items()}
    return parts.get("rx") == "i" and parts.get("tx") == "o"


def _is_coloured(resource: Resource) -> bool:
    parts = {name: pins.dir for name, pins in _parts(resource).items()}
    return resource.name == "rgb_led" and parts == dict.fromkeys("rgb", "o")
