"""Slots: as many tokens as run through the weights together, and what each of them is."""

from __future__ import annotations

from amaranth.hdl import Value
from amaranth.lib import data


def slots_layout(program) -> data.ArrayLayout:
    """What the slots of a :class:`.program.StreamedProgram` compute in a pass.

    ``enabled``
        The slot has a token; the other fields are of no account without.
    ``token``, ``position``, ``predict``
        What it is, and whether the next one is chosen after it.
    ``stream``
        Whose keys and values it reads and adds to.
    """
    config = program.model.config
    slot = data.StructLayout(
        {
            "enabled": 1,
            "token": range(config.vocab_size),
            "position": range(config.ctx_len + 1),
            "predict": 1,
            "stream": range(program.streams),
        }
    )
    return data.ArrayLayout(slot, program.streams)


def of_slot(values, number: Value, count: int):
    """The one of slot ``number`` of ``count`` values; the only one's without a choice."""
    return values[number] if count > 1 else values[0]
