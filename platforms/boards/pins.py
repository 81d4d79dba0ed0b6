"""What a board's pins are to its top level: clock, serial port, button and lights."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.build import Platform
from amaranth.hdl import Elaboratable, Module, Value
from amaranth.lib import io

DEFAULT_UART = ("uart", 0)


class PinUser(Elaboratable):
    """Base of what is built for a board: each method requests pins, with their buffers."""

    @staticmethod
    def clock_pin(m: Module, platform: Platform) -> Value:
        """The board's clock, ``default_clk``."""
        pin = platform.request(platform.default_clk, dir="-")
        m.submodules.clock_input = buffer = io.Buffer("i", pin)
        return buffer.i

    @staticmethod
    def serial_pins(m: Module, platform: Platform) -> tuple[Value, Value]:
        """(rx, tx): what comes in, and what to drive, of the resource that the platform names as
        its ``uart``, or of ``uart``."""
        serial = platform.request(*getattr(platform, "uart", DEFAULT_UART), dir="-")
        m.submodules.rx = rx = io.Buffer("i", serial.rx)
        m.submodules.tx = tx = io.Buffer("o", serial.tx)
        return rx.i, tx.o

    @staticmethod
    def reset_pin(m: Module, platform: Platform) -> Value | None:
        """The platform's ``reset_button``, a (resource, number); None if it has none."""
        if not hasattr(platform, "reset_button"):
            return None
        pin = platform.request(*platform.reset_button, dir="-")
        m.submodules.reset_button = buffer = io.Buffer("i", pin)
        return buffer.i

    @staticmethod
    def light_pins(m: Module, platform: Platform, values: Mapping[str, Value]) -> None:
        """Show on the platform's ``lights``, tuples of what is shown, a key of ``values``,
        resource, number and perhaps subsignal; and drive its ``held_high``, if it has any."""
        groups = {}
        for light, name, number, *path in platform.lights:
            if (name, number) not in groups:
                groups[name, number] = platform.request(name, number, dir="-")
            pin = groups[name, number]
            for subsignal in path:
                pin = getattr(pin, subsignal)
            m.submodules[f"{light}_light"] = buffer = io.Buffer("o", pin)
            m.d.comb += buffer.o.eq(values[light])
        for name, number in getattr(platform, "held_high", ()):
            pin = platform.request(name, number, dir="-")
            m.submodules[f"{name}_{number}"] = buffer = io.Buffer("o", pin)
            m.d.comb += buffer.o.eq(1)
