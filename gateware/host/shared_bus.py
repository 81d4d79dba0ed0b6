"""Registers of one of several streams on a bus that is all of theirs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from amaranth.hdl import Module, Mux, Signal

from .axi_lite import WORD_ADDRESS_LOW
from .register import Register
from .streamed_registers import STREAM_BYTES


def at_its_place(
    registers: Iterable[Register], stream: int, constants: Mapping[str, int]
) -> list[Register]:
    """A stream's registers by their whole addresses, without the constants."""
    return [
        dataclasses.replace(entry, offset=entry.offset + stream * STREAM_BYTES)
        for entry in registers
        if entry.name not in constants
    ]


def read_constants(
    m: Module, bus, others, registers: Iterable[Register], constants: Mapping[str, int]
) -> None:
    """Let ``bus`` read the constants, and all that ``others``, a register bank's bus, has.

    They come from a table that is read with the address: what answers for several streams in one
    cycle has fewer words to choose from.
    """
    places = {
        entry.offset >> WORD_ADDRESS_LOW: constants[entry.name]
        for entry in registers
        if entry.name in constants
    }
    word, known = Signal(32, reset_less=True), Signal(reset_less=True)
    low = max(places).bit_length()
    m.d.sync += known.eq(0)
    # the lower bits alone choose a word, in one look-up table per bit
    with m.Switch(bus.read_address[:low]):
        for place, value in places.items():
            with m.Case(place):
                m.d.sync += [word.eq(value), known.eq(~bus.read_address[low:].any())]
        with m.Default():
            m.d.sync += word.eq(0)
    m.d.comb += [
        bus.read_data.eq(others.read_data | Mux(known, word, 0)),
        bus.read_error.eq(others.read_error & ~known),
    ]
