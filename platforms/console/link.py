"""Where the console's bytes go: a serial port, or anything else with the same three methods."""

from __future__ import annotations

import abc
import errno
import os
import time

import serial
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from gateformer.gateware.plan.serial_line import DEFAULT_BAUD, MAX_BAUD
from gateformer.model.support.errors import UserError

SIMULATION = "sim"
"""Stands for the simulation in the place of a port."""
FIRMWARE = "firmware"
"""Stands for an emulated processor with a Zynq board's firmware."""
LONGEST_ANSWER = 400
"""Bytes: no answer is longer but for its text and the model's name."""
FRAME_BITS = 10
"""Bits on the line per byte: with start and stop bit."""
POLL = 0.05
"""Seconds after which a wait for bytes looks at the clock again."""


class Link(abc.ABC):
    """Bytes to a console and back.

    Attributes
    ----------
    name : str
        What the user called it.
    hint : str
        What to look at when nothing answers.
    patience : float
        Seconds within which an echo, or the end of an answer that was cut short, must come.
    answer_patience : float
        Seconds without a byte within an answer after which its end is lost.
    bench_patience : float
        The same within the answer to ``/bench``, of which nothing comes before the core is done.
    real_time : bool
        Whether the device's clock runs as fast as it says.
    reload_remedy : tuple of str
        How to start one whose model can be replaced, if that is another way than a board's.
    """

    name: str
    hint: str
    patience: float
    answer_patience: float
    bench_patience: float
    real_time = True
    reload_remedy: tuple[str, ...] = ()

    @abc.abstractmethod
    def write(self, content: bytes) -> None:
        """Send all of ``content``; UserError if it can't be sent."""

    def unsent(self) -> int:
        """Bytes that were written and have not left yet, as far as that is known."""
        return 0

    @abc.abstractmethod
    def read(self, timeout: float) -> bytes:
        """Bytes that have come, at once if there are any; b"" if none came in ``timeout`` seconds.

        Raises UserError if the connection broke.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Give the device back."""


class SerialLink(Link):
    """A serial port: 8 data bits, no parity, 1 stop bit, nobody else beside us.

    Parameters
    ----------
    port : str
    baud : int
    patience, answer_patience, bench_patience : float
        As of :class:`Link`; the time that :data:`LONGEST_ANSWER` takes is added to each.

    Raises
    ------
    UserError
        If there is no such port, it is busy, or it may not be opened.
    """

    def __init__(
        self,
        port: str,
        baud: int = DEFAULT_BAUD,
        *,
        patience: float = 2.0,
        answer_patience: float = 10.0,
        bench_patience: float = 600.0,
    ):
        if baud < 1:
            raise UserError(f"baud must be at least 1, not {baud}; most boards have {DEFAULT_BAUD}")
        if baud > MAX_BAUD:
            raise UserError(f"baud must be at most {MAX_BAUD}, not {baud}")
        self.name = port
        self.hint = f"is the bitstream loaded, is the baud rate {baud}?"
        on_the_line = LONGEST_ANSWER * FRAME_BITS / baud
        self.patience = patience + on_the_line
        self.answer_patience = answer_patience + on_the_line
        self.bench_patience = bench_patience + on_the_line
        try:
            self._port = serial.Serial(
                port, baud, timeout=POLL, write_timeout=self.patience, exclusive=True
            )
        except (OSError, ValueError, OverflowError) as error:
            raise _cannot_open(port, baud, error) from None

    def write(self, content: bytes) -> None:
        try:
            self._port.write(content)
        except serial.SerialTimeoutException:
            raise UserError(
                f"{self.name} takes no bytes; plug the board in again and start again"
            ) from None
        except OSError:
            raise self._broken() from None

    def unsent(self) -> int:
        try:
            return self._port.out_waiting
        except OSError:
            raise self._broken() from None

    def read(self, timeout: float) -> bytes:
        end = time.monotonic() + timeout
        try:
            while True:
                waiting = self._port.in_waiting
                if waiting or timeout > 0:
                    content = self._port.read(waiting or 1)
                    if content:
                        return content
                if time.monotonic() >= end:
                    return b""
        except OSError:
            raise self._broken() from None

    def close(self) -> None:
        self._port.close()

    def _broken(self) -> UserError:
        return UserError(f"the connection to {self.name} broke; plug the board in and start again")


def _cannot_open(port: str, baud: int, error: Exception) -> UserError:
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        found = (
            ", ".join(item.device for item in serial_ports()) or "none; is the board plugged in?"
        )
        return UserError(f"there is no serial port {port}; found: {found}")
    if number in (errno.EACCES, errno.EPERM):
        return UserError(
            f"no permission to open {port}; join the group that has it (sudo usermod -a -G "
            f"{_group(port)} $USER), then log in again"
        )
    if number in (errno.EBUSY, errno.EAGAIN):
        return UserError(f"{port} is in use by another program; close that one first")
    if number is None and os.path.exists(port):
        return UserError(f"{port} is no serial port, or it cannot do {baud} baud")
    return UserError(f"cannot open {port}: {os.strerror(number) if number else error}")


def _group(port: str) -> str:
    """The group that owns the device file; ``dialout`` where that can't be told."""
    try:
        import grp  # not on Windows

        return grp.getgrgid(os.stat(port).st_gid).gr_name
    except (ImportError, OSError, KeyError):
        return "dialout"


def serial_ports() -> list[ListPortInfo]:
    """The serial ports of this machine that have a device behind them, by name."""
    return sorted(item for item in list_ports.comports() if item.hwid != "n/a")
