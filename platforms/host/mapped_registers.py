"""Registers of a real accelerator: a page of a UIO device or of /dev/mem, on Linux."""

from __future__ import annotations

import errno
import mmap
import os
import re
from pathlib import Path

import numpy as np

from gateformer.gateware.host.register import ADDRESS_WIDTH
from gateformer.model.support.errors import UserError

from ..families.zynq_address import BASE_ADDRESS, ULTRASCALE_BASE_ADDRESS
from .machine import ULTRASCALE, is_machine
from .register_access import RegisterAccess

try:
    import fcntl
except ImportError:  # There is no such device on Windows either.
    fcntl = None

SIZE = 2**ADDRESS_WIDTH
MEMORY = "/dev/mem"
UIO_CLASS = Path("/sys/class/uio")
FABRIC_STATE = Path("/sys/class/fpga_manager/fpga0/state")
CONFIGURED = "operating"
_UIO = re.compile(r"uio\d+")
_PERMISSION_ADVICE = {
    True: "give the device to your group by the udev rule of docs/zynq.md, or use sudo",
    False: "use sudo, or a UIO device, which needs no root (docs/zynq.md)",
}
"""By whether it is a UIO device."""
_LAST_ADVICE = (
    "on a Zynq board see docs/zynq.md; without a board run: gateformer build sim, or "
    "gateformer console sim"
)


class MappedRegisters(RegisterAccess):
    """The registers in this process's memory; one process, and one object in it, at a time.

    Parameters
    ----------
    device : str, optional
        ``/dev/uioN`` or ``/dev/mem``; without it, that of :func:`find_device`.
    base_address : int, optional
        Physical address of the registers, without it :func:`registers_address`; of no account for a
        UIO device, which knows it.
    check_fabric : bool
        Refuse if Linux says that the fabric has no bitstream: an access would stop the processor
        for ever. Linux knows of no bitstream that came by JTAG.

    Raises
    ------
    UserError
        If there is no such device, it may not be opened or mapped, it is in use, or the fabric is
        not configured.
    """

    def __init__(
        self,
        device: str | None = None,
        *,
        base_address: int | None = None,
        check_fabric: bool = True,
    ):
        self._was_found = not device
        if base_address is None:
            base_address = registers_address()
        self.name = device = os.fspath(device or find_device(base_address))
        if check_fabric:
            _check_fabric()
        self._is_uio = _UIO.fullmatch(Path(device).name) is not None
        offset = 0 if self._is_uio else base_address
        try:
            self._file = os.open(device, os.O_RDWR | getattr(os, "O_SYNC", 0))
        except OSError as error:
            raise self._cannot("open", error) from None
        try:
            self._lock()
            self._map = self._mapped(offset)
        except BaseException:
            os.close(self._file)
            raise
        # one load or store of 32 bits per access, which slices of an mmap do not promise
        self._page = np.frombuffer(self._map, np.uint32, SIZE // 4)

    def read(self, offset: int) -> int:
        """The word; UserError after :meth:`close`."""
        return int(self._words()[offset // 4])

    def write(self, offset: int, value: int) -> None:
        """Write the word; UserError after :meth:`close`."""
        self._words()[offset // 4] = value

    def close(self) -> None:
        """Unmap the registers and let others open them."""
        if self._page is not None:
            self._page = None
            self._map.close()
            os.close(self._file)

    def _words(self) -> np.ndarray:
        if self._page is None:
            raise UserError(f"{self.name} was closed; open it again")
        return self._page

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"{self.name} is in use by another program, or by an Accelerator of this one; "
                "close that one first"
            ) from None

    def _mapped(self, offset: int) -> mmap.mmap:
        try:
            return mmap.mmap(self._file, SIZE, offset=offset)
        except (OSError, ValueError) as error:
            raise self._cannot(f"map {SIZE} bytes at 0x{offset:x} of", error) from None

    def _cannot(self, what: str, error: Exception) -> UserError:
        number = getattr(error, "errno", None)
        start = f"cannot {what} {self.name}"
        reason, advice = os.strerror(number) if number else str(error), "name a UIO device"
        advice += " (docs/zynq.md)" if self.name == MEMORY else f" or {MEMORY}"
        if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
            reason = "there is no such device"
            if self.name != MEMORY:
                advice = f"describe it in the device tree (docs/zynq.md), or name {MEMORY}"
        if number in (errno.EACCES, errno.EPERM):
            reason, advice = "no permission", _PERMISSION_ADVICE[self._is_uio]
        if self._was_found and self.name == MEMORY:
            return UserError(
                f"found no accelerator: there is no UIO device of its registers, and {start}: "
                f"{reason}; {_LAST_ADVICE}"
            )
        return UserError(f"{start}: {reason}; {advice}")


def registers_address() -> int:
    """Where the registers are for this machine's processor; as of a Zynq-7000 if it is no Zynq."""
    return ULTRASCALE_BASE_ADDRESS if is_machine(ULTRASCALE) else BASE_ADDRESS


def find_device(base_address: int) -> str:
    """The UIO device whose first region begins at ``base_address``; ``/dev/mem`` without one."""
    for entry in sorted(UIO_CLASS.glob("uio*")):
        try:
            if int((entry / "maps/map0/addr").read_text(), 0) == base_address:
                return f"/dev/{entry.name}"
        except (OSError, ValueError):
            continue
    return MEMORY


def _check_fabric() -> None:
    try:
        state = FABRIC_STATE.read_text().strip()
    except OSError:
        return
    if state != CONFIGURED:
        raise UserError(
            f"the fabric has no bitstream: {FABRIC_STATE} says {state!r}, expected {CONFIGURED!r}; "
            "load one (docs/zynq.md)"
        )
