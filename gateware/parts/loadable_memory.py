"""Block memories that keep their first contents, or can be loaded with others."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory

from .memory_banks import is_in_bank
from .registered_read import COLLISION_FREE, registered_read

# without these, tools make a read-only memory of look-up tables
BLOCK = {"ram_style": "block", "rom_style": "block"}


def write_layout(depth: int, width: int) -> data.StructLayout:
    """Port that writes one whole word."""
    return data.StructLayout({"valid": 1, "address": range(depth), "data": width})


def block_attributes(writable: bool) -> dict:
    """Attributes of a block memory."""
    return {**BLOCK, **COLLISION_FREE} if writable else BLOCK


def connect_write(m: Module, memory: Memory, words: range, write) -> None:
    """Let ``write``, a port of :func:`write_layout`, write a bank that holds those words.

    A bank's first address is a multiple of its depth, or of the next power of two.
    """
    port = memory.write_port()
    m.d.comb += [
        port.en.eq(write.valid & is_in_bank(write.address, words)),
        port.addr.eq(write.address[: len(port.addr)]),
        port.data.eq(write.data),
    ]


def late_read(m: Module, memory: Memory, address: Value, *, writable: bool, name: str) -> Signal:
    """The word at ``address``, 2 cycles later, from a register behind the block memory's."""
    if writable:
        first = registered_read(m, memory, address, f"read_{name}")
    else:
        read = memory.read_port()
        first = read.data
    word = Signal.like(first, name=name, reset_less=True)
    m.d.sync += word.eq(first)
    if not writable:
        m.d.comb += read.addr.eq(address)
    return word


def loadable_read(
    m: Module, memory: Memory, address: Value, words: range, write, name: str
) -> Value:
    """The word of a bank with those words, 1 cycle after ``address``, an index in the bank.

    ``write`` is a port of :func:`write_layout`, or None if the contents are constant. What is read
    of a word that is written at the same time is not specified.
    """
    if write is None:
        port = memory.read_port()
        m.d.comb += port.addr.eq(address)
        return port.data
    connect_write(m, memory, words, write)
    return registered_read(m, memory, address, name)
