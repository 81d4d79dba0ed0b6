"""Memory that an accelerator reads, on Linux: a buffer of u-dma-buf, or addresses of /dev/mem."""

from __future__ import annotations

import abc
import errno
import mmap
import os
from pathlib import Path

import numpy as np

from gateformer.model.support.errors import UserError

from .mapped_registers import MEMORY

DMA_BUFFERS = Path("/sys/class/u-dma-buf")
"""Where the kernel module u-dma-buf describes its buffers, ``/dev/udmabuf0`` and so on."""
DEVICES = Path("/dev")
_PLACES = "a buffer of u-dma-buf, or ADDRESS:SIZE of memory that Linux leaves alone (docs/zynq.md)"


class ExternalMemory(abc.ABC):
    """Memory in which an image can lie; contiguous, and no cache keeps what is written.

    Attributes
    ----------
    name : str
        What messages call it.
    address, size : int
        Where it begins, as the accelerator addresses it, and its bytes.
    """

    name: str
    address: int
    size: int

    @abc.abstractmethod
    def write(self, offset: int, content: bytes) -> None:
        """Write bytes; ``offset`` is a multiple of 8, and so is what comes before the last write.

        An image is written in pieces of whole stripes, so that every store is aligned: a 64-bit
        Linux maps memory that it leaves alone as a device's, where another one is a bus error.
        """

    def close(self) -> None:  # noqa: B027 - not every memory has a device behind it
        """Give the device back; nothing may be written afterwards. What was written stays."""


class MappedMemory(ExternalMemory):
    """Memory of a device in this process.

    Parameters
    ----------
    device : str
    address, size : int
    offset : int, of the device, where the memory begins

    Raises
    ------
    UserError
        If the device can't be opened or mapped.
    """

    def __init__(self, device: str, address: int, size: int, *, offset: int = 0):
        self.name, self.address, self.size = device, address, size
        # without a cache: the accelerator reads past it
        flags = os.O_RDWR | getattr(os, "O_SYNC", 0)
        try:
            self._file = os.open(device, flags)
        except OSError as error:
            raise self._cannot("open", error) from None
        try:
            self._map = mmap.mmap(self._file, size, offset=offset)
        except (OSError, ValueError, OverflowError) as error:
            os.close(self._file)
            raise self._cannot(f"map {size:,} bytes at 0x{address:x} of", error) from None
        self._bytes = np.frombuffer(self._map, np.uint8)

    def write(self, offset: int, content: bytes) -> None:
        self._bytes[offset : offset + len(content)] = np.frombuffer(content, np.uint8)

    def close(self) -> None:
        if self._bytes is not None:
            self._bytes = None
            self._map.close()
            os.close(self._file)

    def _cannot(self, what: str, error: Exception) -> UserError:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else str(error)
        if number in (errno.EACCES, errno.EPERM):
            reason = "no permission"
        advice = "use sudo, and memory that the device tree reserves with no-map (docs/zynq.md)"
        if self.name != MEMORY:
            advice = "use sudo, or give the device to your group by a udev rule (docs/zynq.md)"
        return UserError(f"cannot {what} {self.name}: {reason}; {advice}")


def open_memory(
    memory: str | os.PathLike | tuple[int, int] | ExternalMemory | None,
) -> ExternalMemory:
    """The memory that a user names.

    Parameters
    ----------
    memory : str, (int, int) or ExternalMemory, optional
        ``/dev/udmabufN`` or ``udmabufN``; ``ADDRESS:SIZE``, or both as numbers, of physical memory
        in bytes; or memory that is open. Without it, the first buffer of u-dma-buf.

    Raises
    ------
    UserError
        If there is no such memory, or as :class:`MappedMemory`.
    """
    if memory is None:
        return _first_buffer()
    if isinstance(memory, tuple):
        return _physical(*memory)
    if not isinstance(memory, str | os.PathLike):
        return memory
    text = os.fspath(memory)
    return _physical(*address_and_size(text)) if is_physical(text) else _buffer(Path(text).name)


def is_physical(text: str) -> bool:
    """Whether the memory is named by its address and its size."""
    return ":" in text


def _first_buffer() -> ExternalMemory:
    names = sorted(entry.name for entry in DMA_BUFFERS.glob("*"))
    if not names:
        raise UserError(
            f"there is no memory for an image: {DMA_BUFFERS} has no buffer; load the module "
            "u-dma-buf with one, or name ADDRESS:SIZE of memory that Linux leaves alone "
            "(docs/zynq.md)"
        )
    return _buffer(names[0])


def _buffer(name: str) -> ExternalMemory:
    facts = DMA_BUFFERS / name
    try:
        address, size = (int((facts / fact).read_text(), 0) for fact in ("phys_addr", "size"))
    except (OSError, ValueError):
        raise UserError(f"{name} is no memory for an image: name {_PLACES}") from None
    return MappedMemory(os.fspath(DEVICES / name), address, size)


def address_and_size(text: str) -> tuple[int, int]:
    """Of ``ADDRESS:SIZE``; UserError if it is not that, or no page begins there."""
    try:
        address, size = (int(part, 0) for part in text.split(":"))
        if address < 0 or size < 1:
            raise ValueError
    except ValueError:
        raise UserError(
            f"{text} is no memory for an image: expected two numbers as 0x10000000:0x8000000, "
            f"where it begins and its bytes; name {_PLACES}"
        ) from None
    _check_page(address)
    return address, size


def _check_page(address: int) -> None:
    if address % mmap.PAGESIZE:
        raise UserError(
            f"memory begins at 0x{address:x}, which is not a multiple of {mmap.PAGESIZE}; name "
            "memory that begins with a page"
        )


def _physical(address: int, size: int) -> ExternalMemory:
    _check_page(address)
    return MappedMemory(MEMORY, address, size, offset=address)
