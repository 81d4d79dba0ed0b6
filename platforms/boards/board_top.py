"""What the top levels of all boards share: clock, reset and lights."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from amaranth.hdl import ClockDomain, Module, Signal

from gateformer.gateware.host.any_core import AnyProgram

from ..families.clock import ClockGenerator
from ..support.build_id import build_id
from .pins import PinUser


class BoardTop(PinUser):
    """Accelerator on a board: one clock domain, ``sync``, made from the board's clock, no reset.

    The platform states what the board has: ``lights``, tuples of what is shown, "busy",
    "context_full" or "heartbeat" (of about 1 Hz, which runs in reset, too), resource, number and
    perhaps subsignal; and, if it has any, ``reset_button``, a (resource, number), ``held_high``,
    tuples of (resource, number) of outputs that are always 1, and ``design_facts``, what the design
    depends on beside the class and its bases here.

    Subclasses give :meth:`elaborate_system`, and in :attr:`hardware` the classes in this package
    that it uses.

    Parameters
    ----------
    program : Program or DecoderProgram
    platform : type
        Class of the board's platform; part of the build id.
    clock : callable, as :class:`platforms.families.clock.ClockGenerator`
    clock_mhz : Fraction
        Clock of the core that is asked for.
    input_mhz : Fraction
        The board's clock.
    facts : iterable
        What else the design depends on, for the build id.

    Attributes
    ----------
    clock_mhz : Fraction
        Clock of the core that is made.
    held : Signal, a register: high while the system is to be in reset
    build_id : int, 32 bits

    Raises
    ------
    UserError
        If the clock can't be made (names the nearest that can).
    """

    hardware: tuple[type, ...] = ()

    def __init__(
        self,
        program: AnyProgram,
        *,
        platform: type,
        clock,
        clock_mhz: Fraction,
        input_mhz: Fraction,
        facts: Iterable[object] = (),
    ):
        self.program = program
        self.reset = Signal(name="board_reset")
        self._source = Signal(name="clock_input")
        self._clock: ClockGenerator = clock(self._source, input_mhz, clock_mhz, self.reset)
        self.clock_mhz = self._clock.output_mhz
        self.held = self._clock.held
        classes = (type(self), type(self._clock), platform, *self.hardware)
        facts = (platform.__name__, self.clock_mhz, *facts, *getattr(platform, "design_facts", ()))
        self.build_id = build_id(program, facts, classes)

    @property
    def clock_hz(self) -> int:
        """The core's clock, rounded to the hertz."""
        return round(self.clock_mhz * 10**6)

    def elaborate_system(self, m: Module, platform) -> tuple:
        """Add everything but clock and lights; (busy, context_full).

        Drives :attr:`reset` and heeds :attr:`held`.
        """
        raise NotImplementedError

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain("sync", reset_less=True)
        m.d.comb += self._source.eq(self.clock_pin(m, platform))
        m.submodules.clock = self._clock
        busy, context_full = self.elaborate_system(m, platform)
        heartbeat = Signal(range(self.clock_hz), reset_less=True)
        m.d.sync += heartbeat.eq(heartbeat + 1)
        values = {"busy": busy, "context_full": context_full, "heartbeat": heartbeat[-1]}
        self.light_pins(m, platform, values)
        return m
