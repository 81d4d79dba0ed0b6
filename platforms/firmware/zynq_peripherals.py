"""What is behind the bus of an emulated Zynq-7000's processor, besides its serial port.

Sources: UG585, "Zynq-7000 TRM", chapter 4 and appendix B. Times are in seconds of the emulation.
"""

from __future__ import annotations

from collections.abc import Callable

from ..host.register_access import RegisterAccess

SLCR, DEVCFG, TIMERS = 0xF800_0000, 0xF800_7000, 0xF8F0_0000
"""Base addresses."""
GLOBAL_TIMER = 0x200
PROCESSOR_HZ, REFERENCE_HZ = 666_666_660, 99_999_999
"""Of the processor and of the UARTs, as the SLCR below says for 33.333333 MHz."""
SLCR_VALUES = {0x100: 40 << 12, 0x104: 32 << 12, 0x108: 30 << 12, 0x120: 0x1F000200, 0x154: 0xA02}
"""PLLs and dividers as U-Boot sets them on a Zybo Z7."""
FPGA_RST_CTRL, LVL_SHFTR_EN, UNLOCK, UNLOCK_KEY = 0x240, 0x900, 0x008, 0xDF0D
INT_STS, PCFG_DONE = 0x00C, 1 << 2


class StuckBus(Exception):
    """An access that a real processor would wait for, for ever: the fabric cannot answer."""


class SystemControl:
    """The system-level control registers, which have to be unlocked, and the device configuration.

    Attributes
    ----------
    configured : bool
        Whether the fabric has a bitstream.
    reset : callable
        Is called when software lets go of the fabric's reset.
    """

    def __init__(self, configured: bool, reset: Callable[[], None] = lambda: None):
        self.configured, self._reset = configured, reset
        self._words = dict(SLCR_VALUES)
        self._unlocked = False

    @property
    def fabric_answers(self) -> bool:
        """Whether an access to the fabric would ever end."""
        shifters = self._words.get(LVL_SHFTR_EN) == 0xF
        return self.configured and shifters and self._words.get(FPGA_RST_CTRL) == 0

    def read(self, offset: int) -> int:
        return self._words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        if offset == UNLOCK:
            self._unlocked = value == UNLOCK_KEY
        elif self._unlocked:
            if offset == FPGA_RST_CTRL and self._words.get(offset) and not value:
                self._reset()
            self._words[offset] = value

    def read_configuration(self, offset: int) -> int:
        return PCFG_DONE if offset == INT_STS and self.configured else 0


class GlobalTimer:
    """64 bits at half the processor's clock; any write sets them to 0."""

    def __init__(self):
        self._begin = 0.0

    def read(self, offset: int, seconds: float) -> int:
        ticks = int((seconds - self._begin) * PROCESSOR_HZ / 2)
        words = {GLOBAL_TIMER: ticks, GLOBAL_TIMER + 4: ticks >> 32}
        return words.get(offset, 0) & 0xFFFFFFFF

    def write(self, seconds: float) -> None:
        self._begin = seconds


class Fabric:
    """The accelerator's registers; a simulated one runs on while the processor does.

    Parameters
    ----------
    registers : RegisterAccess
        A simulation if it has an attribute ``simulation``.
    clock_khz : int
        Of the accelerator.
    """

    def __init__(self, registers: RegisterAccess, clock_khz: int):
        self._registers = registers
        self._simulation = getattr(registers, "simulation", None)
        self._clock_hz = clock_khz * 1000
        self._seconds, self._active = 0.0, False

    def access(self, function: Callable, seconds: float) -> tuple[object, Exception | None, float]:
        """What the access returned, or raised, and the seconds that it took.

        It is made when the simulation has caught up with the processor, which is at ``seconds``.
        """
        if self._simulation is None:
            return *_outcome(function), 0.0
        if self._active:
            behind = round((seconds - self._seconds) * self._clock_hz)
            self._registers.run(behind)
            self._seconds += behind / self._clock_hz
            self._active = self._registers.busy
        else:
            self._seconds = seconds
        begun = self._simulation.cycles
        outcome = _outcome(function)
        taken = (self._simulation.cycles - begun) / self._clock_hz
        self._seconds += taken
        return *outcome, taken

    def idle_until(self, seconds: float) -> None:
        """Nothing happens up to that time, so that it need not be simulated."""
        self._seconds = seconds

    def write_was_made(self) -> None:
        """The accelerator may be busy from now on."""
        self._active = True


def _outcome(function: Callable) -> tuple[object, Exception | None]:
    try:
        return function(), None
    except Exception as error:
        return None, error
