"""Memory of keys or values whose words are written lane by lane, one word after the other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..parts.delay import delayed
from ..parts.memory_banks import asked_word, is_in_bank
from ..parts.registered_read import COLLISION_FREE, registered_read


class CacheMemory(wiring.Component):
    """As :class:`gateware.parts.group_memory.GroupMemory`, in fewer blocks: memories are as wide
    as a word, not a lane.

    Every write puts the whole word, a cycle after it came: its own lane, and in the others what was
    last written to them, in whatever word that was. So a word has what belongs there once all of
    its lanes that matter have been written without a write to another word in between.

    Parameters
    ----------
    lanes : int
    bits : int, of a lane
    depth : int, words

    Members
    -------
    address : In(range(depth)); word : Out(lanes * bits), 2 cycles later
    asked : In(1), with ``address``: else ``word`` is 0
    write : In(struct), ``valid``, ``address``, ``group`` (lane), ``data``; what is read 2 cycles
        later has it
    """

    def __init__(self, *, lanes: int, bits: int, depth: int):
        self._lanes, self._bits, self._depth = lanes, bits, depth
        write = {"valid": 1, "address": range(depth), "group": range(lanes), "data": bits}
        super().__init__(
            {
                "address": In(range(depth)),
                "asked": In(1),
                "word": Out(lanes * bits),
                "write": In(data.StructLayout(write)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        kept = [Signal(self._bits, reset_less=True, name=f"kept{i}") for i in range(self._lanes)]
        with m.If(self.write.valid), m.Switch(self.write.group):
            for i, lane in enumerate(kept):
                with m.Case(i):
                    m.d.sync += lane.eq(self.write.data)
        valid = delayed(m, self.write.valid, 1, reset_less=False, name="valid")
        address = delayed(m, self.write.address, 1, name="address")

        def bank(number: int, words: range):
            width = ceil_log2(len(words))
            m.submodules[f"bank{number}"] = block = Memory(
                shape=unsigned(self._lanes * self._bits),
                depth=len(words),
                init=[],
                attrs={"ram_style": "block", **COLLISION_FREE},
            )
            write = block.write_port()
            m.d.comb += [
                write.en.eq(valid & is_in_bank(address, words)),
                write.addr.eq(address[:width]),
                write.data.eq(Cat(kept)),
            ]
            return registered_read(m, block, self.address[:width], f"word{number}")

        m.d.comb += self.word.eq(asked_word(m, self.address, self._depth, self.asked, bank))
        return m
