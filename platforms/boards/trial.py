"""A user's platform class tried out before the work: its pins alone, as a top level uses them."""

from __future__ import annotations

import traceback
from pathlib import Path

from amaranth.build import Platform
from amaranth.hdl import ClockDomain, Module

from gateformer.model.support.errors import UserError

from .pins import PinUser
from .stated import LIGHTS


class _PinsAlone(PinUser):
    """What a board's top level is without a core: its button and its serial port light it up."""

    def __init__(self, has_uart: bool):
        self._has_uart = has_uart

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = domain = ClockDomain("sync", reset_less=True)
        shown = clock = self.clock_pin(m, platform)
        m.d.comb += domain.clk.eq(clock)
        if self._has_uart:
            rx, tx = self.serial_pins(m, platform)
            button = self.reset_pin(m, platform)
            shown = rx if button is None else rx ^ button
            m.d.comb += tx.eq(shown)
        self.light_pins(m, platform, dict.fromkeys(LIGHTS, shown))
        return m


def try_platform(who: str, platform: Platform, *, has_uart: bool, **overrides) -> None:
    """Write a build plan for the pins of ``platform``, in some 20 ms.

    ``platform`` is not built with afterwards. UserError, in one line that begins with ``who``, if
    the class, or amaranth of what it states, raises anything.
    """
    platform.writes_verilog = False
    try:
        platform.prepare(_PinsAlone(has_uart), "top", **overrides)
    except UserError:
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(str(error).split())
        raise UserError(
            f"{who}: a build plan of it fails in {Path(frame.filename).name}, line {frame.lineno}: "
            f"{type(error).__name__}{': ' if said else ''}{said}; change what it states there"
        ) from None
