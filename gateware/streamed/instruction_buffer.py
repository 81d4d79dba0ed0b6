"""The instructions that the stream has brought into the core, a block of them at a time."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In
from amaranth.utils import ceil_log2

from ..core.instruction_table import fetch_signature
from ..decoder.instruction import Instruction, Source
from ..parts.loadable_memory import BLOCK
from ..parts.registered_read import COLLISION_FREE, registered_read
from ..plan.encoding import encode
from .buffers import word_write
from .stream_writer import words_per_instruction


class InstructionBuffer(wiring.Component):
    """Hands instructions to a sequencer: ``first``, which is a PROGRAM, then those that it brought.

    Each PROGRAM is the last instruction that is taken of what was there before it.

    Parameters
    ----------
    layout : StructLayout of an instruction
    first : Instruction
    depth : int, instructions of a block: a power of two
    word_bits : int, of the stream

    Attributes
    ----------
    SPACING = 3 : cycles from an instruction to the next one, at least
    LATENCY = 5 : cycles from a PROGRAM's last beat to the first one after it, at least

    Members
    -------
    fetch : In(:func:`gateware.core.instruction_table.fetch_signature`)
    write : In(struct), a word of a block, the cycle after its beat
    """

    SPACING = 3
    LATENCY = 5

    def __init__(
        self, layout: data.StructLayout, *, first: Instruction, depth: int, word_bits: int
    ):
        self._layout, self._depth, self._word_bits = layout, depth, word_bits
        self._first = encode(first, layout)
        self._words = words_per_instruction(word_bits)
        super().__init__(
            {
                "fetch": In(fetch_signature(layout)),
                "write": In(word_write(depth * self._words, word_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        layout, fetch, write = self._layout, self.fetch, self.write
        m.submodules.memory = memory = Memory(
            shape=unsigned(layout.size),
            depth=self._depth,
            init=[],
            attrs={**BLOCK, **COLLISION_FREE},
        )
        # an instruction's words one after the other; with its last one it is whole
        low = ceil_log2(self._words)
        kept = Signal((self._words - 1) * self._word_bits, reset_less=True)
        whole = Cat(kept, write.data)
        with m.If(write.valid):
            m.d.sync += kept.eq(whole[self._word_bits :])
        port = memory.write_port()
        m.d.comb += [
            port.en.eq(write.valid & write.address[:low].all()),
            port.addr.eq(write.address[low:]),
            port.data.eq(whole),
        ]
        address, starts = Signal(range(self._depth)), Signal(init=1)
        first = layout.const(self._first)
        fetched = Signal(layout, init=self._first, reset_less=True)
        word = registered_read(m, memory, address)
        m.d.comb += fetch.instruction.eq(fetched)
        m.d.sync += fetched.as_value().eq(Mux(starts, first.as_value(), word))
        with m.If(fetch.restart):
            m.d.sync += starts.eq(1)
        with m.Elif(fetch.load):
            brings = fetched.source == Source.PROGRAM
            m.d.sync += [starts.eq(0), address.eq(Mux(brings, 0, address + 1))]
        return m
