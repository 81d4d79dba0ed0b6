"""A Zynq-7000's processor in an ARM emulator, with the accelerator's registers behind its bus.

The emulator, Unicorn, knows instructions and no time: an instruction takes a fixed number of cycles
of the processor's clock here, and an access to a peripheral outside the fabric
``ACCESS_NS``. An access to the accelerator takes what it takes in the simulation, and that runs on
while the processor does.
"""

from __future__ import annotations

import dataclasses
import time

from gateformer.gateware.host.registers import register
from gateformer.model.support import optional

from ..families.zynq_address import BASE_ADDRESS, FIRMWARE_ADDRESS, FIRMWARE_BYTES
from ..host.register_access import RegisterAccess
from .elf_file import Program
from .emulated_memory import PAGE, MemoryPorts, memory_devices
from .emulated_uart import STATUS, EmulatedUart
from .zynq_peripherals import (
    DEVCFG,
    PROCESSOR_HZ,
    REFERENCE_HZ,
    SLCR,
    TIMERS,
    Fabric,
    GlobalTimer,
    StuckBus,
    SystemControl,
)

ACCESS_NS = 50.0
IDLE_POLLS = 8
"""Looks at a quiet serial port, one after the other, that mean: there is nothing to do."""
ABORT_MODE, ABORT_VECTOR = 0x17, 0x10
ABORT_MASKS = 0b11 << 7
STOP = 0xFFFF_FFF0
_CONTROL, _OUTPUT = register("CONTROL"), register("OUTPUT")


@dataclasses.dataclass(frozen=True)
class Moment:
    """Emulated time, and how much had been executed and accessed by then."""

    seconds: float
    instructions: int
    accesses: int


def require_unicorn() -> None:
    """Raise UserError if the emulator of the processor is not installed."""
    optional.require({"unicorn": "the emulated processor"}, "firmware")


class ZynqEmulator:
    """Runs a program, from its entry.

    Parameters
    ----------
    program : Program
    registers : RegisterAccess
        The accelerator. An exception of its accesses is a data abort of the processor. If it has
        a ``memory``, :class:`platforms.simulation.zynq_memory.ZynqMemory`, the processor has that.
    uart_base : int
    clock_khz : int
        Of the accelerator.
    configured : bool
        Whether the fabric has a bitstream.
    cycles_per_instruction : float
        Of the processor's clock; 0 is a faster emulation, which does not count instructions: time
        passes with accesses only.
    line_speedup : float
        How many times faster the serial line is, so that less time is spent on waiting for it.

    Attributes
    ----------
    uart : EmulatedUart
    control : SystemControl
    seconds : float
        Emulated time.
    instructions, accesses : int
        Executed; accesses to the accelerator.
    start, last_token : Moment or None
        When a run was last started, and when its last token was read.
    access_ns : float
        Time that an access to a peripheral takes.
    memory_ports : MemoryPorts or None
        Those of the accelerator's memory.
    idle : bool
        Whether the program waited for bytes when :meth:`run` returned.

    Raises
    ------
    UserError
        If Unicorn is missing.
    """

    def __init__(
        self,
        program: Program,
        registers: RegisterAccess,
        *,
        uart_base: int,
        clock_khz: int = 125_000,
        configured: bool = True,
        cycles_per_instruction: float = 0.0,
        line_speedup: float = 1.0,
    ):
        require_unicorn()
        import unicorn
        from unicorn import arm_const

        self._unicorn, self._arm = unicorn, arm_const
        self.uart = EmulatedUart(line_speedup)
        memory = getattr(registers, "memory", None)
        # with a model in external memory it matters what a reset leaves behind
        reset = {} if memory is None else {"reset": registers.reset}
        self.control, self._timer = SystemControl(configured, **reset), GlobalTimer()
        self.registers, self._fabric = registers, Fabric(registers, clock_khz)
        self.seconds, self.instructions, self.accesses = 0.0, 0, 0
        self.start: Moment | None = None
        self.last_token: Moment | None = None
        self.access_ns = ACCESS_NS
        self.idle = False
        self._polls = 0
        self._pause_at: float | None = None
        self._uc = uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_ARM)
        uc.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_A9)
        uc.mem_map(FIRMWARE_ADDRESS, FIRMWARE_BYTES)
        # memory is not 0 after power-on
        uc.mem_write(FIRMWARE_ADDRESS, b"\xa5" * FIRMWARE_BYTES)
        for address, content, _ in program.segments:
            uc.mem_write(address, content)
        self._vectors = min(address for address, _, _ in program.segments)
        devices = [
            (BASE_ADDRESS, PAGE, self._read_accelerator, self._write_accelerator),
            (uart_base, PAGE, self._read_uart, self._write_uart),
            (SLCR, PAGE, self.control.read, self.control.write),
            (DEVCFG, PAGE, self.control.read_configuration, None),
            (TIMERS, PAGE, self._read_timer, self._write_timer),
        ]
        self.memory_ports: MemoryPorts | None = None
        if memory is not None:
            self.memory_ports = MemoryPorts(memory)
            devices += memory_devices(memory, self.memory_ports, self._of_fabric)
        for base, size, read, write in devices:
            uc.mmio_map(base, size, self._reader(read), None, self._writer(write), None)
        self._instruction_seconds = cycles_per_instruction / PROCESSOR_HZ
        if cycles_per_instruction:
            uc.hook_add(unicorn.UC_HOOK_BLOCK, self._count)
        self._pc = program.entry

    def run(self, max_seconds: float = 60.0, *, pause_after: float | None = None) -> bytes:
        """Run until the program waits for bytes, and no longer; what it has sent since the last
        time. With ``pause_after``, no longer than so many seconds of the caller's time, either.

        Raises RuntimeError if it does something else after ``max_seconds`` of its time.
        """
        self._end, self._polls, self._late = self.seconds + max_seconds, 0, False
        self._pause_at = None if pause_after is None else time.monotonic() + pause_after
        self._stopped = self.idle = False
        while not self._stopped:
            self._fault = None
            try:
                self._uc.emu_start(self._pc, STOP)
            except self._unicorn.UcError as error:
                pc = self._uc.reg_read(self._arm.UC_ARM_REG_PC)
                raise RuntimeError(f"the processor stopped at 0x{pc:08x}: {error}") from None
            self._pc = self._uc.reg_read(self._arm.UC_ARM_REG_PC)
            if self._fault is not None:
                if isinstance(self._fault, StuckBus):
                    raise self._fault
                self._abort()
        if self._late:
            raise RuntimeError(f"the program is busy at 0x{self._pc:08x} after {max_seconds} s")
        content = bytes(self.uart.sent)
        self.uart.sent.clear()
        return content

    def wait(self, seconds: float) -> None:
        """Time passes while the program waits for bytes, and the accelerator does nothing."""
        self.seconds += seconds
        self._fabric.idle_until(self.seconds)

    # -- the processor ----------------------------------------------------------------------

    def _abort(self) -> None:
        """Take a data abort at the present instruction."""
        arm, uc = self._arm, self._uc
        status = uc.reg_read(arm.UC_ARM_REG_CPSR)
        uc.reg_write(arm.UC_ARM_REG_CPSR, status & ~0x1F | ABORT_MODE | ABORT_MASKS)
        uc.reg_write(arm.UC_ARM_REG_LR, self._pc + 8)
        self._pc = self._vectors + ABORT_VECTOR

    def _count(self, uc, address, size, _) -> None:
        self.instructions += size // 4
        self.seconds += size // 4 * self._instruction_seconds

    def _stop(self) -> None:
        self._stopped = True
        self._uc.emu_stop()

    def _check_time(self) -> None:
        """Every loop of the program looks at the serial port or at the timer."""
        if self.seconds > self._end and not self._stopped:
            self._late = True
            self._stop()

    def _reader(self, function):
        def read(uc, offset, size, _):
            if size != 4:
                raise AssertionError(f"an access of {size} bytes")
            self.seconds += self.access_ns * 1e-9
            return function(offset)

        return read

    def _writer(self, function):
        def write(uc, offset, size, value, _):
            if size != 4:
                raise AssertionError(f"an access of {size} bytes")
            self.seconds += self.access_ns * 1e-9
            self._polls = 0
            function(offset, value)

        return write if function else None

    # -- the accelerator --------------------------------------------------------------------

    def _read_accelerator(self, offset: int) -> int:
        word = self._access(lambda: self.registers.read(offset), 0)
        if offset == _OUTPUT.offset and word & _OUTPUT.field("last").mask:
            self.last_token = self._moment()
        return word

    def _write_accelerator(self, offset: int, value: int) -> None:
        if offset == _CONTROL.offset and value & _CONTROL.field("start").mask:
            self.start = self._moment()
        self._access(lambda: self.registers.write(offset, value), None)
        self._fabric.write_was_made()

    def _moment(self) -> Moment:
        return Moment(self.seconds, self.instructions, self.accesses)

    def _access(self, function, otherwise):
        """The access at this time, which goes on; ``otherwise`` and an abort if it is refused."""
        self._polls = 0
        self.accesses += 1
        if not self.control.fabric_answers:
            return self._broken(StuckBus("the fabric was accessed before it can answer"), otherwise)
        result, error, taken = self._fabric.access(function, self.seconds)
        self.seconds += taken
        return result if error is None else self._broken(error, otherwise)

    def _of_fabric(self, function, otherwise):
        """The access, if it would ever end."""
        if not self.control.fabric_answers:
            return self._broken(StuckBus("the fabric was accessed before it can answer"), otherwise)
        try:
            return function()
        except StuckBus as error:
            return self._broken(error, otherwise)

    def _broken(self, error: Exception, result):
        self._fault = error
        self._uc.emu_stop()
        return result

    # -- serial port and timer: where every loop of the program looks ------------------------

    def _read_uart(self, offset: int) -> int:
        self._check_time()
        self.uart.advance(self.seconds * REFERENCE_HZ)
        self._polls = self._polls + 1 if offset == STATUS and self.uart.quiet else 0
        paused = self._pause_at is not None and time.monotonic() >= self._pause_at
        self.idle = self._polls >= IDLE_POLLS
        if self.idle or (paused and offset == STATUS):
            self._polls = 0
            self._stop()
        return self.uart.read(offset)

    def _write_uart(self, offset: int, value: int) -> None:
        self.uart.advance(self.seconds * REFERENCE_HZ)
        self.uart.write(offset, value)

    def _read_timer(self, offset: int) -> int:
        self._check_time()
        return self._timer.read(offset, self.seconds)

    def _write_timer(self, offset: int, value: int) -> None:
        self._timer.write(self.seconds)
