"""The accelerator's registers by name, over whatever reads and writes words."""

from __future__ import annotations

import abc
from collections.abc import Mapping

from gateformer.gateware.host.interleaved_registers import (
    FURTHER_INTERLEAVED_REGISTERS,
    INTERLEAVED_REGISTERS,
)
from gateformer.gateware.host.register import Register
from gateformer.gateware.host.registers import register
from gateformer.gateware.host.reload_registers import RELOAD_REGISTERS
from gateformer.gateware.host.streamed_registers import FURTHER_STREAM_REGISTERS, STREAM_BYTES
from gateformer.model.support.errors import UserError


class RegisterAccess(abc.ABC):
    """Reads and writes 32-bit words at byte offsets from the first register.

    Another object with ``read`` and ``write``, such as PYNQ's ``MMIO``, will do as well.

    Attributes
    ----------
    name : str
        What messages call it.
    """

    name: str

    @abc.abstractmethod
    def read(self, offset: int) -> int:
        """The word there, in one access."""

    @abc.abstractmethod
    def write(self, offset: int, value: int) -> None:
        """Write the word there, in one access."""

    def close(self) -> None:  # noqa: B027 - not every access has a device behind it
        """Give the device back; nothing may be read or written afterwards."""


class RegisterFile:
    """Registers of :mod:`gateware.host.registers` by name.

    Parameters
    ----------
    access : RegisterAccess
    stream : int
        Whose registers they are, if an accelerator has several.

    Attributes
    ----------
    declared : tuple of Register
        Those that there are; at first of a trained model's accelerator.
    """

    def __init__(self, access: RegisterAccess, stream: int = 0):
        self.access, self.stream = access, stream
        self.declared: tuple[Register, ...] = RELOAD_REGISTERS

    @property
    def name(self) -> str:
        name = getattr(self.access, "name", type(self.access).__name__)
        return f"{name}, stream {self.stream}" if self.stream else name

    def of_stream(self, stream: int) -> RegisterFile:
        """The registers of another stream; of the first one, which knows its own, these."""
        if not stream:
            return self
        further = RegisterFile(self.access, stream)
        interleaved = self.declared is INTERLEAVED_REGISTERS
        further.declared = (
            FURTHER_INTERLEAVED_REGISTERS if interleaved else FURTHER_STREAM_REGISTERS
        )
        return further

    def word(self, name: str) -> int:
        """The word of a register; UserError if bits are set that always read 0."""
        entry = self._entry(name)
        word = int(self.access.read(self._offset(entry))) & 0xFFFFFFFF
        if word & ~entry.mask:
            raise UserError(
                f"{self.name}: {name} reads 0x{word:08X}, but only bits of 0x{entry.mask:08X} can "
                "be 1; load the bitstream again"
            )
        return word

    def read(self, name: str) -> Mapping[str, int]:
        """Fields of a register; errors as :meth:`word`."""
        return self._entry(name).unpack(self.word(name))

    def write(self, name: str, **fields: int) -> None:
        """Write the fields, the others 0; ValueError for a value that does not fit."""
        entry = self._entry(name)
        self.access.write(self._offset(entry), entry.pack(**fields))

    def errors(self) -> str:
        """The flags of ERROR that are set, each with its meaning; empty if there are none."""
        flags = self.read("ERROR")
        fields = self._entry("ERROR").fields
        return ", ".join(f"{f.name} ({f.description})" for f in fields if flags[f.name])

    def _offset(self, entry: Register) -> int:
        return self.stream * STREAM_BYTES + entry.offset

    def _entry(self, name: str) -> Register:
        return register(name, self.declared)
