"""Of what kind the attributes of a user's platform class must be: nothing else looks at that."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

from amaranth.build import Connector, Resource

from gateformer.model.support.errors import UserError

from ..families.family import UNITS
from .programming import FILE

LIGHTS = ("busy", "context_full", "heartbeat")
"""What can be shown, see :class:`platforms.boards.board_top.BoardTop`."""
_ABSENT = object()


def check_stated(who: str, platform: object) -> None:
    """UserError in one line if an attribute that ``platform`` has is of another kind.

    ``platform`` is an instance, or a class that can't be instantiated, of which what is computed
    (properties) is left out. ``who`` names it.
    """
    cls = platform if isinstance(platform, type) else type(platform)
    for name, (must, good) in _KINDS.items():
        try:
            value = getattr(cls if name in _OF_THE_CLASS else platform, name, _ABSENT)
        except Exception as error:
            said = " ".join(str(error).split())
            raise UserError(f"{who}: {name} fails: {type(error).__name__}: {said}") from None
        from_class = platform is cls or name in _OF_THE_CLASS
        is_property = hasattr(type(value), "__get__") and not inspect.isroutine(value)
        if value is _ABSENT or (from_class and is_property):
            continue
        if value is None and name in _NONE_IS_NOT_STATED:
            continue
        wrong = _wrong(name, value, good)
        if wrong:
            shown = " ".join(repr(wrong[0]).split())  # one line, whatever its class says of itself
            raise UserError(f"{who}: {name} must {must}, not {shown}")


def _wrong(name: str, value: object, good: Callable[[object], bool]) -> list:
    """The value if it is wrong, or what is wrong in a list of several."""
    if name not in _SEVERAL:
        return [] if good(value) else [value]
    if not isinstance(value, tuple | list):
        return [value]
    return [item for item in value if not good(item)]


def is_name(value: object) -> bool:
    """Whether it can be the name of a device, a resource and so on."""
    return isinstance(value, str) and re.fullmatch("[!-~]+", value) is not None


def _is_title(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and bool(value.strip())


def _is_resource(value: object) -> bool:
    return isinstance(value, tuple) and [type(part) for part in value] == [str, int]


def _is_light(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) not in (3, 4) or value[0] not in LIGHTS:
        return False
    return _is_resource(value[1:3]) and all(isinstance(part, str) for part in value[3:])


def _is_mhz(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 1 <= value <= 1000


def _is_budget(value: object) -> bool:
    if not isinstance(value, dict) or set(value) != set(UNITS):
        return False
    return all(type(number) is int and number > 0 for number in value.values())


def _is_programmer(value: object) -> bool:
    if not isinstance(value, tuple) or not all(isinstance(part, str) for part in value):
        return False
    return len(value) > 1 and any(FILE in part for part in value[1:])


def _is_processor(value: object) -> bool:
    if not isinstance(value, tuple) or [type(part) for part in value] != [int, int]:
        return False
    return value[0] > 0 and value[1] in (0, 1)


def _is_ddr(value: object) -> bool:
    if not isinstance(value, tuple) or [type(part) for part in value] != [int, int]:
        return False
    return value[0] in (8, 16, 32) and 1 <= value[1] <= 10_000


def _name(example: str) -> tuple[str, Callable[[object], bool]]:
    return f"be text without spaces, as in {example!r}", is_name


_RESOURCE = ("name a resource and its number, as in ('led', 0)", _is_resource)
_KINDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "resources": ("be a list of Resource(…)", lambda item: isinstance(item, Resource)),
    "connectors": ("be a list of Connector(…)", lambda item: isinstance(item, Connector)),
    "device": _name("xc7a35t"),
    "package": _name("ftg256"),
    "speed": _name("1"),
    "grade": _name("C"),
    "part": _name("GW2A-LV18PG256C8/I7"),
    "family": _name("GW2A-18"),
    "default_clk": _name("clk100"),
    "default_rst": _name("rst"),
    "title": ("be a line of text", _is_title),
    "core_mhz": ("be 1 to 1000", _is_mhz),
    "uart": _RESOURCE,
    "reset_button": _RESOURCE,
    "held_high": ("be a list of resources and their numbers, as in (('led', 0),)", _is_resource),
    "lights": (
        f"be tuples of {', '.join(LIGHTS[:-1])} or {LIGHTS[-1]}, resource, number and perhaps "
        "subsignal",
        _is_light,
    ),
    "budget": (f"be a dict of {', '.join(UNITS)} with integers above 0", _is_budget),
    "programmer": (
        f"be a tuple of a command and its options, one of them with {FILE} for the bitstream's "
        "path",
        _is_programmer,
    ),
    "processor": ("be (its clock in Hz, 0 or 1: which of its UARTs)", _is_processor),
    "ddr": ("be (8, 16 or 32: its width in bits, its MT/s), as in (32, 1066)", _is_ddr),
}
"""What each must be, and whether it is, or each of several is."""
_SEVERAL = ("resources", "connectors", "held_high", "lights")
_OF_THE_CLASS = ("resources", "connectors")
"""An instance has dictionaries of what its class lists."""
_NONE_IS_NOT_STATED = (
    *("default_clk", "default_rst", "core_mhz", "uart", "reset_button", "held_high", "lights"),
    *("budget", "programmer", "processor", "ddr"),
)
STATED = tuple(_KINDS)
"""What is checked."""
