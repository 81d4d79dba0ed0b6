"""What a register is: its place, fields and access."""

from __future__ import annotations

import dataclasses
import enum

WORD_BYTES = 4
ADDRESS_WIDTH = 12
"""Bits of a byte address: 4 KiB, the least that an AXI interconnect assigns."""


class Access(enum.Enum):
    """What software may do with a register; anything else is answered with SLVERR."""

    RO = "read"
    RW = "read, write"
    WO = "write"
    RW1C = "read, write 1 to clear"

    @property
    def readable(self) -> bool:
        return self is not Access.WO

    @property
    def writable(self) -> bool:
        return self is not Access.RO

    @property
    def stored(self) -> bool:
        """Whether it keeps what was written."""
        return self is Access.RW


@dataclasses.dataclass(frozen=True)
class Field:
    """``width`` bits of a register, from bit ``low``. Bits in no field read 0."""

    name: str
    low: int
    width: int
    description: str
    reset: int = 0

    @property
    def mask(self) -> int:
        return (2**self.width - 1) << self.low


@dataclasses.dataclass(frozen=True)
class Register:
    """A 32-bit register at byte address ``offset``.

    A write obeys its byte strobes; with ``whole``, it must strobe all four bytes (SLVERR if only
    some) because it acts as a whole.

    Raises
    ------
    ValueError
        If the offset is no word of the address space, or if fields overlap, leave the register,
        or do not hold their reset value.
    """

    name: str
    offset: int
    access: Access
    fields: tuple[Field, ...]
    description: str
    side_effect: str = ""
    whole: bool = False

    def __post_init__(self):
        if self.offset % WORD_BYTES or not 0 <= self.offset < 2**ADDRESS_WIDTH:
            raise ValueError(
                f"offset of {self.name} must be a multiple of {WORD_BYTES} below "
                f"{2**ADDRESS_WIDTH}, not {self.offset}"
            )
        used = 0
        for field in self.fields:
            if field.mask & used or field.mask >> 32 or field.width < 1:
                raise ValueError(
                    f"field {field.name} of {self.name} must be free bits of 31 to 0, not "
                    f"{field.width} from bit {field.low}"
                )
            if field.reset >> field.width:
                raise ValueError(
                    f"reset of {self.name}.{field.name} must have {field.width} bits, not "
                    f"{field.reset}"
                )
            used |= field.mask

    @property
    def mask(self) -> int:
        """Bits that belong to a field."""
        return sum(field.mask for field in self.fields)

    @property
    def reset(self) -> int:
        """Value after reset."""
        return sum(field.reset << field.low for field in self.fields)

    def field(self, name: str) -> Field:
        """The field called ``name``; KeyError if there is none."""
        return {field.name: field for field in self.fields}[name]

    def pack(self, **values: int) -> int:
        """Word with those field values, the other fields 0.

        Raises KeyError for an unknown field, ValueError for a value that does not fit.
        """
        word = 0
        for name, value in values.items():
            field = self.field(name)
            if not 0 <= value < 2**field.width:
                raise ValueError(
                    f"{self.name}.{name} must be 0 to {2**field.width - 1}, not {value!r}"
                )
            word |= value << field.low
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """Field values of a word."""
        return {field.name: (word & field.mask) >> field.low for field in self.fields}
