"""Reads of block memories whose collisions with writes do not matter."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.memory import Memory

COLLISION_FREE = {"no_rw_check": 1}
"""Memory attribute for yosys: nobody uses a word that is read in the cycle in which it is written.

A port that promises the old word in that case costs devices whose blocks don't (ECP5, Gowin) a
bypass of registers and a multiplexer for every bit. Yosys honours the attribute where it merges a
register into the memory, so the port must be asynchronous in the source.
"""


def registered_read(m: Module, memory: Memory, address: Value, name: str = "word") -> Signal:
    """The word at ``address``, 1 cycle later; not specified if it is written at the same time."""
    port = memory.read_port(domain="comb")
    word = Signal(memory.shape, name=name, reset_less=True)
    m.d.comb += port.addr.eq(address)
    m.d.sync += word.eq(port.data)
    return word
