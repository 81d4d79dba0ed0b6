"""Top level for a board with a serial port and no processor: clock, text console and core."""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import Module

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.console.system import ConsoleSystem
from gateformer.gateware.parts.elaboration import may_stay_unused
from gateformer.gateware.plan.serial_line import DEFAULT_BAUD

from ..families.clock import ClockGenerator
from .board_top import BoardTop


class ConsoleTop(BoardTop):
    """Accelerator that talks text over the board's serial port (docs/console.md).

    The platform has a resource ``uart``, or the one that it names as its ``uart``, with ``rx``, the
    FPGA's input, and ``tx``. In reset while
    the clock is not locked or the reset button, if there is one, is pressed.

    Parameters
    ----------
    program : Program
    dsp : str
        As :class:`gateware.core.core.Core`.
    platform, clock, clock_mhz, input_mhz
        As :class:`platforms.boards.board_top.BoardTop`.
    name : str
        The model's, which the console tells.
    baud : int
        Bits per second of the serial port.

    Raises
    ------
    UserError
        If the clock can't be made (names the nearest that can), or the baud rate from it, or as
        :class:`gateware.console.system.ConsoleSystem`.
    """

    def __init__(
        self,
        program: Program,
        *,
        dsp: str,
        platform: type,
        clock: type[ClockGenerator],
        clock_mhz: Fraction,
        input_mhz: Fraction,
        name: str = "model",
        baud: int = DEFAULT_BAUD,
    ):
        super().__init__(
            program,
            platform=platform,
            clock=clock,
            clock_mhz=clock_mhz,
            input_mhz=input_mhz,
            facts=(name, dsp, baud),
        )
        self._system = ConsoleSystem(
            program,
            name=name,
            build_id=self.build_id,
            clock_hz=self.clock_hz,
            baud=baud,
            dsp=dsp,
        )
        may_stay_unused(self._system)

    def elaborate_system(self, m: Module, platform) -> tuple:
        m.submodules.system = system = self._system
        rx, tx = self.serial_pins(m, platform)
        m.d.comb += [system.rx.eq(rx), tx.eq(system.tx), system.reset.eq(self.held)]
        button = self.reset_pin(m, platform)
        if button is not None:
            m.d.comb += self.reset.eq(button)
        return system.busy, system.context_full
