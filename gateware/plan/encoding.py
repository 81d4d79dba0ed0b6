"""Instructions of any kind as words of the program memory.

A kind is a dataclass whose fields are numbers, enums of Amaranth, or texts, which are for people
and left out. ``COUNTS`` names the fields that are at least 1 and stored less one, ``OPTIONAL``
(if it is there) those that are left out where they are 0 in every instruction.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from amaranth.hdl import unsigned
from amaranth.lib import data


def instruction_layout(instructions: Sequence) -> data.StructLayout:
    """Struct that holds every instruction of a program, each field as narrow as possible."""
    members, optional = {}, getattr(instructions[0], "OPTIONAL", ())
    for field in dataclasses.fields(instructions[0]):
        values = [getattr(item, field.name) for item in instructions]
        if isinstance(values[0], str):
            continue
        if field.name in optional and not any(values):
            continue
        if isinstance(values[0], enum.Enum):
            members[field.name] = type(values[0])
            continue
        largest = max(map(int, values)) - (field.name in instructions[0].COUNTS)
        members[field.name] = unsigned(max(largest.bit_length(), 1))
    return data.StructLayout(members)


def encode(instruction, layout: data.StructLayout) -> dict:
    """Initial value of ``layout`` for one instruction."""
    fields = {name: getattr(instruction, name) for name, _ in layout}
    return {
        name: value if isinstance(value, enum.Enum) else int(value) - (name in instruction.COUNTS)
        for name, value in fields.items()
    }
